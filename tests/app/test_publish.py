"""An audited set is put into a store once, whole, named by its content; nothing else ever becomes the latest."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from dda.app import publish
from dda.core.errors import SetupError
from dda.io import manifests, s3, uploads
from tests import sets, stores

ROOT = Path(__file__).parents[2]
SMALL_PARTS = "import sys; from dda.io import uploads; uploads.PART_BYTES = 2**17; from dda import cli; cli.main()"


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """So that shards of half a megabyte go in several parts."""
    monkeypatch.setattr(uploads, "PART_BYTES", 2**17)


@pytest.fixture
def address():
    """A prefix that no other test uses."""
    return f"s3://{stores.BUCKET}/{uuid.uuid4().hex}/of sets"


def key(address, name):
    return f"{address.removeprefix(f's3://{stores.BUCKET}/')}/tiny/{name}"


def content(address, name):
    found = s3.read(s3.client(), s3.place(address).below("tiny"), name, 10**8)
    return found and found[0]


def latest(address):
    found = content(address, "latest.json")
    return found and json.loads(found)["version"]


def manifest(address):
    version = latest(address)
    return json.loads(content(address, f"{version}/manifest.json"))


def refusal(*arguments):
    with pytest.raises(SetupError) as refused:
        publish.run(*arguments)
    assert stores.SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_version_has_all_files_and_is_named_by_their_digest(store, aligned, address, capsys):
    publish.run(aligned, "tiny", address)
    found = manifest(address)
    names = [file["path"] for file in found["files"]]
    shards = ["test-00000.tar", "train-00000.tar", "val-00000.tar"]
    assert names == ["README.md", "audit.json", "croissant.json", "pairs.parquet", *shards]
    files = [manifests.File(**file) for file in found["files"]]
    assert found["version"] == latest(address) == manifests.version_of(files)
    said = capsys.readouterr().out
    assert f"tiny: version {found['version']} is the latest of {address}/tiny/" in said
    assert (
        f"7 files = 7 uploaded + 0 copied + 0 kept (they were there); fetch them with: dda fetch {address}/tiny" in said
    )


def test_large_files_go_in_parts_that_the_store_checks_and_the_pointer_goes_last(store, aligned, address):
    publish.run(aligned, "tiny", address)
    sent = [path for method, path, n_bytes in store.passed if method in ("PUT", "POST") and n_bytes]
    assert sum("partNumber" in path for path in sent) > 6
    assert sent[-2].endswith("/manifest.json")
    assert sent[-1].endswith("/latest.json")


def test_publishing_again_uploads_nothing(store, aligned, address, capsys):
    publish.run(aligned, "tiny", address)
    n_sent = len(store.sent())
    publish.run(aligned, "tiny", address)
    assert len(store.sent()) == n_sent
    assert "7 files = 0 uploaded + 0 copied + 7 kept" in capsys.readouterr().out


def test_a_store_that_forgot_what_was_noted_is_asked_for_tags(aligned, address, tmp_path, monkeypatch):
    """rclone keeps metadata in memory, so another server on the same folder has none."""
    for n_sent in (12, 0):
        with stores.rclone(tmp_path / "data") as server, stores.gate(server.address) as gate:
            stores.use(monkeypatch, gate.address)
            publish.run(aligned, "tiny", address)
            assert (len(gate.sent()) >= n_sent) if n_sent else gate.sent() == []


def test_shards_that_did_not_change_are_copied_by_the_store(store, aligned, address, tiles, capsys):
    publish.run(aligned, "tiny", address)
    first = latest(address)
    again = dict(sorted(tiles.items())[:8]) | {"zz-new.jpg": tiles["chelsea-tile00.jpg"]}
    sets.write_set(aligned.aligned / "tiny", again, side_px=180)
    sets.stamp(aligned)
    before = len(store.sent())
    publish.run(aligned, "tiny", address)
    assert latest(address) != first
    assert "2 copied" in capsys.readouterr().out
    assert not [path for path in store.sent()[before:] if "train" in path or "val" in path]
    assert content(address, f"{first}/manifest.json")  # the former version is still there


def test_a_killed_publish_leaves_the_latest_version_and_goes_on_where_it_was(store, aligned, address, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", SMALL_PARTS, "publish", "tiny", address, "--params", str(ROOT / "params.yaml")],
        stderr=subprocess.PIPE,
    ) as running:

        def kill(request):
            if len(store.sent("partNumber")) >= 5:
                os.kill(running.pid, signal.SIGKILL)
                raise ConnectionAbortedError

        store.before = kill
        assert running.wait(120) == -signal.SIGKILL
    store.before = None
    time.sleep(0.5)  # what was on its way arrives
    arrived = store.sent()
    assert latest(address) is None
    publish.run(aligned, "tiny", address)
    assert [file["path"] for file in manifest(address)["files"]]
    again = store.sent()[len(arrived) :]
    assert set(arrived) & set(again) == set()


def test_a_store_that_dies_in_between_is_told_and_the_next_run_goes_on(aligned, address, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    with stores.rclone(folder) as server, stores.gate(server.address) as gate:
        stores.use(monkeypatch, gate.address)
        gate.before = lambda request: server.die() if len(gate.sent()) >= 6 else None
        said = refusal(aligned, "tiny", address)
        assert said.startswith(f"no answer from {gate.address[7:]} for {address}/tiny/")
        assert said.endswith("what has arrived is kept; check AWS_ENDPOINT_URL, run again")
        assert not (folder / stores.BUCKET / key(address, "latest.json")).exists()
    with stores.rclone(folder) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
        publish.run(aligned, "tiny", address)
        assert manifest(address)


def test_a_damaged_object_of_an_unfinished_version_is_replaced(store, aligned, address):
    publish.run(aligned, "tiny", address)
    version = latest(address)
    damage(address, f"{version}/val-00000.tar")
    publish.run(aligned, "tiny", address)
    (entry,) = [file for file in manifest(address)["files"] if file["path"] == "val-00000.tar"]
    assert hashlib.sha256(content(address, f"{version}/val-00000.tar")).hexdigest() == entry["sha256"]


def damage(address, name):
    """Flip a bit of an object."""
    was = bytearray(content(address, name))
    was[len(was) // 2] ^= 1
    s3.client().put_object(Bucket=stores.BUCKET, Key=key(address, name), Body=bytes(was))


def test_a_manifest_that_is_there_and_differs_is_never_replaced(store, aligned, address):
    publish.run(aligned, "tiny", address)
    name = f"{latest(address)}/manifest.json"
    s3.client().put_object(Bucket=stores.BUCKET, Key=key(address, name), Body=b"{}")
    assert refusal(aligned, "tiny", address).endswith(
        "manifest.json is not what belongs there, and a version never changes: delete it, run again"
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda paths: (paths.audits / "tiny.json").unlink(),
            "tiny was not audited: there is no reports/audit/tiny.json",
        ),
        (lambda paths: sets.stamp(paths, passed=False), "the audit of tiny did not pass"),
        (lambda paths: sets.stamp(paths, passed="yes"), "the audit of tiny did not pass"),
        (lambda paths: sets.stamp(paths, digest="0" * 32), "tiny changed since its audit"),
        (lambda paths: shutil.rmtree(paths.aligned / "tiny"), "no aligned set 'tiny' at artifacts/aligned/tiny: run"),
        (
            lambda paths: flip(paths.aligned / "tiny/val-00000.tar"),
            "nothing is published, since artifacts/aligned/tiny is",
        ),
        (
            lambda paths: (paths.aligned / "tiny/val-00000.tar").unlink(),
            "no shard artifacts/aligned/tiny/val-00000.tar",
        ),
        (lambda paths: (paths.aligned / "tiny/notes.txt").touch(), "'notes.txt' does not belong to the set"),
    ],
)
def test_a_set_that_is_not_audited_or_not_whole_is_not_published(store, aligned, address, spoil, said):
    spoil(aligned)
    assert said in refusal(aligned, "tiny", address)
    assert store.sent() == []


def flip(path):
    was = bytearray(path.read_bytes())
    was[2000] ^= 1
    path.write_bytes(was)


def test_names_that_the_catalog_does_not_know_are_told(aligned, address):
    assert "Did you mean 'tiny'?" in refusal(aligned, "tinny", address)
    assert "no photo set 'coco' in the catalog" in refusal(aligned, "tiny", address, "coco")


def test_a_wrong_bucket_or_key_is_told_before_anything_is_read(store, aligned, monkeypatch):
    flip(aligned.aligned / "tiny/val-00000.tar")
    assert refusal(aligned, "tiny", "s3://nowhere/x").startswith("no bucket 'nowhere' at 127.0.0.1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert "refuses the S3 credentials (SignatureDoesNotMatch)" in refusal(aligned, "tiny", "s3://sets/x")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert refusal(aligned, "tiny", "s3://sets/x") == (
        "no S3 credentials for s3://sets/x/tiny/: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    )


def test_photos_of_the_catalog_bring_their_terms_and_others_are_not_guessed(store, aligned, address):
    publish.run(aligned, "tiny", address)
    unstated = content(address, f"{latest(address)}/README.md").decode()
    assert "was not stated when the set was published" in unstated
    publish.run(aligned, "tiny", address, "coco-val2017")
    told = content(address, f"{latest(address)}/README.md").decode()
    assert "COCO does not own the copyright of the images; their use must abide by the Flickr Terms of Use" in told
    for card in (unstated, told):
        assert "13 reconstructions, 13 pairs = 12 good + 1 failed." in card
        assert "licence: Apache-2.0." in card
