"""docs/policies allow what our code asks of S3 and nothing else: requests are recorded on their way to a store."""

import json
import subprocess
import sys
import uuid
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from dda.app import fetch, publish
from dda.core.errors import SetupError
from dda.io import s3, uploads
from tests import stores

POLICIES = Path(__file__).parents[1] / "docs/policies"
ROLES = ("publisher", "reader", "dvc-worker", "mlflow-server")
CLEANUP = {"s3:AbortMultipartUpload"}  # asked for only after a part of a large file could not be sent
# what S3 asks of KMS for a request on an object that is encrypted with a key; parts are decrypted to be put together
KEYS = {"s3:PutObject": {"kms:GenerateDataKey", "kms:Decrypt"}, "s3:GetObject": {"kms:Decrypt"}}


def recorder(record):
    class Recording(stores.Passing):
        def log_request(self, code="-", size="-"):
            record.append((self.command, self.path, int(code)))

    return Recording


@pytest.fixture
def asked(rclone_store, monkeypatch):
    """Requests to a store with a bucket `dda`, which this process uses: method, path, status of the answer."""
    record = []
    with stores.gate(rclone_store.address) as gate:
        gate.RequestHandlerClass = recorder(record)
        stores.use(monkeypatch, gate.address)
        yield record


def actions(request):
    """What S3 requires for a request: pairs of action and resource, by AWS's table of actions of S3."""
    method, path, status = request
    address = urlsplit(path)
    bucket, _, key = address.path.strip("/").partition("/")
    query = parse_qs(address.query, keep_blank_values=True)
    if not key:
        assert method in ("GET", "HEAD")
        return {("s3:ListBucketMultipartUploads" if "uploads" in query else "s3:ListBucket", bucket)}
    if method == "GET" and "uploadId" in query:
        return {("s3:ListMultipartUploadParts", f"{bucket}/{key}")}
    if method == "DELETE":
        return {("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", f"{bucket}/{key}")}
    if method in ("PUT", "POST"):
        return {("s3:PutObject", f"{bucket}/{key}")}
    missing = {("s3:ListBucket", bucket)} if status == 404 else set()  # without it the answer would be 403
    return {("s3:GetObject", f"{bucket}/{key}")} | missing


def allowed(role):
    """Pairs of action and pattern of a resource."""
    statements = json.loads((POLICIES / f"{role}.json").read_text())["Statement"]
    return {(action, one["Resource"]) for one in statements for action in one["Action"] if one["Effect"] == "Allow"}


def check(role, record):
    """Everything asked for is allowed, and everything allowed was asked for."""
    wanted = set().union(*map(actions, record))
    rules = {(action, pattern.removeprefix("arn:aws:s3:::")) for action, pattern in allowed(role)}
    used = {rule for rule in rules for action, what in wanted if rule[0] == action and fnmatchcase(what, rule[1])}
    refused = [one for one in wanted if not any(one[0] == a and fnmatchcase(one[1], what) for a, what in rules)]
    assert refused == []
    needed = set().union(*(KEYS.get(action, set()) for action, _ in wanted))
    assert {action for action, _ in rules - used} <= CLEANUP | needed
    assert {action for action, _ in rules if action.startswith("kms:")} == needed


def test_a_publisher(asked, aligned, monkeypatch):
    monkeypatch.setattr(uploads, "PART_BYTES", 2**17)
    prefix = f"s3://dda/sets/{uuid.uuid4().hex}"
    publish.run(aligned, "tiny", prefix)
    version = fetch.chosen(s3.client(), s3.place(f"{prefix}/tiny"), None).version
    place = s3.place(f"{prefix}/tiny/{version}")
    shard = place.object("train-00000.tar")
    s3.client().delete_object(**shard)
    s3.client().create_multipart_upload(**shard)
    del asked[-2:]
    publish.run(aligned, "tiny", prefix)
    check("publisher", asked)


def test_a_reader(asked, aligned, rclone_store, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stores.use(patch, rclone_store.address)
        publish.run(aligned, "tiny", "s3://dda/sets/read")
    fetch.run("s3://dda/sets/read/tiny", tmp_path / "pairs")
    with pytest.raises(SetupError, match="no version 'other'"):
        fetch.run("s3://dda/sets/read/tiny", tmp_path / "others", "other")
    assert {method for method, _, _ in asked} <= {"GET", "HEAD"}
    check("reader", asked)


def test_a_worker_of_dvc(asked, tmp_path):
    def dvc(*arguments):
        subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "data").mkdir()
    for name in ("a", "b"):
        (tmp_path / "data" / name).write_text(name)
    dvc("init", "--no-scm")
    dvc("remote", "add", "--default", "store", "s3://dda/dvc")
    dvc("add", "data")
    dvc("push")
    for name in (".dvc/cache", "data", ".dvc/tmp"):
        subprocess.run(["rm", "-r", tmp_path / name], check=True)
    dvc("status", "--cloud")
    dvc("pull")
    assert (tmp_path / "data/b").read_text() == "b"
    check("dvc-worker", asked)


def test_the_server_of_mlflow(asked, tmp_path):
    """The server keeps what its clients send by this class, in the folder of --artifacts-destination."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    (tmp_path / "card.md").write_text("card")
    repository = get_artifact_repository("s3://dda/mlflow/1/models/m-1/artifacts")
    repository.log_artifact(str(tmp_path / "card.md"))
    repository.log_artifacts(str(tmp_path), "all")
    (tmp_path / "card.md").unlink()
    assert [file.path for file in repository.list_artifacts()] == ["all", "card.md"]
    assert Path(repository.download_artifacts("card.md", str(tmp_path))).read_text() == "card"
    check("mlflow-server", asked)


def test_every_policy_belongs_to_a_role():
    assert {path.stem for path in POLICIES.glob("*.json")} == {*ROLES, "lifecycle"}


def test_unfinished_uploads_are_ended_and_old_versions_expire():
    rules = json.loads((POLICIES / "lifecycle.json").read_text())["Rules"]
    assert {"AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"} <= {
        word for rule in rules for word in rule
    }
