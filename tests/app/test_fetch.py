"""A published set comes whole or not at all: resumed, repaired, every byte checked, and nothing hostile gets a name."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

import pytest

from dda import params as parameters
from dda.app import fetch, get, publish, verify
from dda.core.errors import SetupError
from dda.io import downloads, manifests, pairs, s3
from tests import sets, stores

ROOT = Path(__file__).parents[2]
FETCH = "from dda.io import s3; s3.READ_BYTES = 2**14; from dda import cli; cli.main()"


@pytest.fixture(scope="module")
def published(rclone_store, audited):
    """The address of a published set; nothing in it may be changed."""
    address = f"s3://{stores.BUCKET}/{uuid.uuid4().hex}"
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(audited):
        stores.use(patch, rclone_store.address)
        publish.run(parameters.load(ROOT / "params.yaml").paths, "tiny", address)
    return f"{address}/tiny"


@pytest.fixture
def hostile(rclone_store, monkeypatch, published):
    """A published set of a test's own, to be spoilt in the store: (address, change(name, bytes or None))."""
    root, mine = s3.place(published), s3.place(f"s3://{stores.BUCKET}/{uuid.uuid4().hex}/tiny")
    stores.use(monkeypatch, rclone_store.address)
    client = s3.client()
    listed = client.list_objects_v2(Bucket=root.bucket, Prefix=root.prefix)["Contents"]
    for name in [entry["Key"].removeprefix(root.prefix) for entry in listed]:
        s3.copy(client, root.object(name), mine, name, {})
    return str(mine).rstrip("/"), Spoilt(client, mine)


class Spoilt:
    """A published set, and ways to change it behind its manifest's back, or with it."""

    def __init__(self, client, root):
        self.client, self.root = client, root
        self.version = json.loads(self.read("latest.json"))["version"]

    def read(self, name):
        return s3.read(self.client, self.root, name, 10**8)[0]

    def write(self, name, content):
        self.client.put_object(**self.root.object(name), Body=content)

    def delete(self, name):
        self.client.delete_object(**self.root.object(f"{self.version}/{name}"))

    def change(self, name, change):
        self.write(f"{self.version}/{name}", change(self.read(f"{self.version}/{name}")))

    def republish(self, name, content):
        """As a publisher of ill will would: the manifest names the hostile file, with its true digest."""
        files = {file["path"]: file for file in json.loads(self.read(f"{self.version}/manifest.json"))["files"]}
        old, files[name] = self.version, {"path": name, "size": len(content), "sha256": digest(content)}
        made = manifests.manifest("tiny", [manifests.File(**file) for file in files.values()])
        for file in files:
            self.write(f"{made.version}/{file}", content if file == name else self.read(f"{old}/{file}"))
        self.write(f"{made.version}/manifest.json", manifests.content(made))
        self.write("latest.json", manifests.content(manifests.Latest(format=1, name="tiny", version=made.version)))


def digest(content):
    import hashlib

    return hashlib.sha256(content).hexdigest()


def refusal(*arguments, **options):
    with pytest.raises(SetupError) as refused:
        fetch.run(*arguments, **options)
    assert stores.SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def flip(content):
    return content[:2000] + bytes([content[2000] ^ 1]) + content[2001:]


def test_a_fetched_set_is_whole_and_can_be_used(store, published, tmp_path, capsys):
    fetch.run(published, tmp_path / "aligned/tiny")
    said = capsys.readouterr().out
    assert "7 files = 7 fetched + 0 kept from before; the folder can be used as artifacts/aligned/tiny" in said
    verify.run(tmp_path / "aligned/tiny")
    assert len(pairs.load(tmp_path / "aligned/tiny", "train").rows) == 4
    assert pairs.load(tmp_path / "aligned/tiny", "val").rows
    assert not [path for path in (tmp_path / "aligned/tiny").iterdir() if path.name.startswith(".")]


def test_a_second_fetch_fetches_nothing_and_repairs_what_is_damaged(store, published, tmp_path, capsys):
    folder = tmp_path / "got"
    fetch.run(published, folder)
    before = len(store.passed)
    fetch.run(published, folder)
    assert [path.rsplit("/", 1)[1] for _, path, _ in store.passed[before:]] == ["latest.json", "manifest.json"]
    (folder / "val-00000.tar").write_bytes(flip((folder / "val-00000.tar").read_bytes()))
    (folder / "test-00000.tar").unlink()
    fetch.run(published, folder)
    assert "7 files = 2 fetched + 5 kept from before" in capsys.readouterr().out
    verify.run(folder)


def test_a_killed_fetch_goes_on_where_it_was(store, published, tmp_path):
    folder = tmp_path / "got"
    with subprocess.Popen([sys.executable, "-c", FETCH, "fetch", published, folder]) as running:

        def kill(request):
            if "train" in request:
                os.kill(running.pid, signal.SIGKILL)
                raise ConnectionAbortedError

        store.before = kill
        assert running.wait(120) == -signal.SIGKILL
    store.before = None
    assert not (folder / "manifest.json").exists()
    (folder / ".manifest.json.1234.part").touch()
    (folder / f".val-00000.tar.{'0' * 16}.part").touch()  # of another version
    part = fetch.part_of(folder, entry(store, published, "train-00000.tar"))
    part.write_bytes(whole(published, "train-00000.tar")[:100_000])  # what a stream had brought
    there = {path.name for path in folder.iterdir()} - {part.name}
    before = len(store.passed)
    fetch.run(published, folder)
    asked = {path.rsplit("/", 1)[1] for _, path, _ in store.passed[before:]}
    assert not asked & {name for name in there if not name.startswith(".")}
    assert "bytes=100000-" in store.ranges
    verify.run(folder)


def entry(store, address, name):
    manifest = json.loads(whole(address, "manifest.json"))
    (found,) = [file for file in manifest["files"] if file["path"] == name]
    return manifests.File(**found)


def whole(address, name):
    """An object of the latest version."""
    client, root = s3.client(), s3.place(address)
    version = json.loads(s3.read(client, root, "latest.json", 10**6)[0])["version"]
    return s3.read(client, root.below(version), name, 10**8)[0]


def test_a_part_that_is_wrong_or_too_long_is_fetched_anew(store, published, tmp_path):
    folder = tmp_path / "got"
    folder.mkdir()
    fetch.part_of(folder, entry(store, published, "train-00000.tar")).write_bytes(b"wrong" * 1000)
    fetch.part_of(folder, entry(store, published, "val-00000.tar")).write_bytes(bytes(10**6))
    fetch.run(published, folder)
    verify.run(folder)


def test_a_store_that_dies_in_between_is_told_and_the_next_run_goes_on(published, rclone_store, tmp_path, monkeypatch):
    folder, data = tmp_path / "got", tmp_path / "data"
    shutil.copytree(rclone_store.folder, data)
    with stores.rclone(data) as server, stores.gate(server.address) as gate:
        stores.use(monkeypatch, gate.address)
        gate.before = lambda request: server.die() if len(gate.passed) >= 4 else None
        said = refusal(published, folder)
        assert said.startswith(f"no answer from {gate.address[7:]} for {published}/")
        assert said.endswith("what has arrived is kept; check AWS_ENDPOINT_URL, run again")
        assert not (folder / "manifest.json").exists()
    with stores.rclone(data) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
        fetch.run(published, folder)
    verify.run(folder)


def test_everybody_can_read_a_public_bucket(published, rclone_store, tmp_path, monkeypatch):
    data = tmp_path / "data"
    shutil.copytree(rclone_store.folder, data)
    with stores.rclone(data, public=True) as server:
        stores.use(monkeypatch, server.address, credentials=False)
        assert refusal(published, tmp_path / "got") == (
            f"no S3 credentials for {published}/: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; "
            "or give --anonymous, if the bucket is public"
        )
        fetch.run(published, tmp_path / "got", anonymous=True)
    verify.run(tmp_path / "got")


def test_a_bucket_that_is_not_public_is_told(store, published, tmp_path):
    said = refusal(published, tmp_path / "got", anonymous=True)
    assert said.startswith(
        f"{published}/ may not be read by everybody (UnsupportedAlgorithm): leave --anonymous out, and set"
    )


def test_places_where_nothing_is_published_are_told(store, published, tmp_path):
    assert refusal("s3://nowhere/tiny", tmp_path / "got").startswith("no bucket 'nowhere' at 127.0.0.1")
    assert refusal("s3://sets/not/here", tmp_path / "got").startswith(
        "nothing is published at s3://sets/not/here/: there is no latest.json; name s3://bucket/prefix/NAME"
    )
    assert refusal(published, tmp_path / "got", "0" * 64).startswith(f"no version '{'0' * 64}' at {published}/")
    assert not (tmp_path / "got").exists()


def test_a_named_version_is_fetched_though_it_is_not_the_latest(hostile, tmp_path):
    address, spoilt = hostile
    spoilt.republish("audit.json", b"{}")
    fetch.run(address, tmp_path / "got", spoilt.version)
    assert manifests.of_folder(tmp_path / "got").version == spoilt.version
    said = refusal(address, tmp_path / "got")
    assert said == f"{tmp_path / 'got'} holds version {spoilt.version} of tiny: name a new folder for another one"


def test_a_folder_with_anything_else_in_it_is_left_alone(store, published, tmp_path):
    folder = tmp_path / "got"
    folder.mkdir()
    (folder / "my notes.txt").write_text("mine")
    assert refusal(published, folder) == f"{folder} holds something else, 'my notes.txt': name a new folder"
    (folder / "my notes.txt").rename(folder / "README.md")
    assert refusal(published, folder) == f"{folder} holds something else, 'README.md': name a new folder"
    assert (folder / "README.md").read_text() == "mine"
    (folder / "README.md").rename(tmp_path / "README.md")
    (folder / "val-00000.tar").mkdir()
    assert refusal(published, folder) == f"{folder} holds something else, 'val-00000.tar': name a new folder"
    assert refusal(published, tmp_path / "README.md") == f"{tmp_path / 'README.md'} is no folder: name a new one"


def test_the_command_ends_with_two_and_one_sentence(store, published, tmp_path):
    command = [sys.executable, "-c", FETCH, "fetch", "s3://nowhere/tiny", "got"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dda: no bucket 'nowhere' at 127.0.0.1:")
    assert done.stderr.count("\n") == 1


def test_a_second_fetch_at_once_is_refused(store, published, tmp_path):
    (tmp_path / "got").mkdir()
    with get.alone(tmp_path / "got"):
        said = f"another `dda fetch` is at work in {tmp_path / 'got'}: wait until it has ended"
        assert refusal(published, tmp_path / "got") == said


def test_ctrl_c_ends_a_fetch_soon_and_keeps_what_arrived(store, published, tmp_path):
    with subprocess.Popen([sys.executable, "-c", FETCH, "fetch", published, tmp_path / "got"]) as running:

        def interrupt(request):
            if "train" in request:
                running.send_signal(signal.SIGINT)

        store.before = interrupt
        assert running.wait(20) not in (0, -signal.SIGKILL)
    store.before = None
    assert not (tmp_path / "got/manifest.json").exists()
    fetch.run(published, tmp_path / "got")
    verify.run(tmp_path / "got")


def test_a_disk_without_room_is_told_before(store, published, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 1000))
    assert refusal(published, tmp_path / "got").startswith("not enough room for tiny in ")


def test_a_flipped_bit_in_the_store_is_told_and_the_rest_is_kept(hostile, tmp_path):
    address, spoilt = hostile
    spoilt.change("val-00000.tar", flip)
    said = refusal(address, tmp_path / "got")
    assert said.startswith(f"{address}/{spoilt.version}/val-00000.tar is damaged: its sha256 is ")
    assert said.endswith("ask its publisher to publish it again, then run this again")
    assert not (tmp_path / "got/val-00000.tar").exists()
    assert not (tmp_path / "got/manifest.json").exists()


def test_a_missing_or_shorter_shard_in_the_store_is_told(hostile, tmp_path):
    address, spoilt = hostile
    spoilt.change("val-00000.tar", lambda content: content[:-1])
    assert "bytes, as its manifest says: ask its publisher" in refusal(address, tmp_path / "got")
    spoilt.delete("val-00000.tar")
    said = f"{address}/{spoilt.version}/val-00000.tar is missing from the store: ask its publisher to publish it again"
    assert refusal(address, tmp_path / "got") == said


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("latest.json", b"<html>", "latest.json is refused: Invalid JSON"),
        ("latest.json", b'{"format": 1, "name": "tiny", "version": "../../x"}', "latest.json is refused: version"),
        ("latest.json", bytes(70_000), "latest.json is larger than the 65536 bytes that it may have"),
        ("{version}/manifest.json", b"{}", "manifest.json is refused: format: Field required"),
    ],
)
def test_a_pointer_or_manifest_that_is_not_as_it_must_be_is_refused(hostile, tmp_path, name, content, said):
    address, spoilt = hostile
    spoilt.write(name.format(version=spoilt.version), content)
    assert said in refusal(address, tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_a_manifest_of_another_version_is_refused(hostile, tmp_path):
    address, spoilt = hostile
    spoilt.write(f"{'0' * 64}/manifest.json", spoilt.read(f"{spoilt.version}/manifest.json"))
    assert "is refused: it is that of another version" in refusal(address, tmp_path / "got", "0" * 64)


def shard_with(**changes):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=changes.pop("form", tarfile.PAX_FORMAT)) as tar:
        info = tarfile.TarInfo(changes.pop("name", "a.real.jpg"))
        for key, value in changes.items():
            setattr(info, key, value)
        tar.addfile(info)
    return buffer.getvalue()


HOSTILE = {
    "an absolute path": shard_with(name="/tmp/evil"),
    "'..' in the name": shard_with(name="../../evil"),
    "a symbolic link": shard_with(type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": shard_with(type=tarfile.LNKTYPE, linkname="../../x"),
    "a header of ": shard_with(name="x" * 10**6),
}


@pytest.mark.parametrize("reason", HOSTILE)
def test_a_hostile_shard_gets_no_name_though_its_digest_is_right(hostile, tmp_path, reason):
    address, spoilt = hostile
    spoilt.republish("val-00000.tar", HOSTILE[reason])
    said = refusal(address, tmp_path / "deep/got")
    assert said.startswith("the shard val-00000.tar is refused, ")
    assert reason in said
    assert not (tmp_path / "deep/got/val-00000.tar").exists()
    assert not (tmp_path / "deep/got/manifest.json").exists()


def test_a_table_that_names_other_places_is_refused(hostile, tmp_path, tiles):
    address, spoilt = hostile
    folder = sets.write_set(tmp_path / "other", tiles, side_px=32)
    spoilt.republish("pairs.parquet", (folder / "pairs.parquet").read_bytes())
    assert refusal(address, tmp_path / "got").startswith("the set is refused: pairs.parquet says that ")
    assert not (tmp_path / "got/manifest.json").exists()
