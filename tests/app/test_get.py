"""Photos come from anywhere, all of them are accounted for, and until they are complete nothing changes."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from dda import catalog
from dda.app import get
from dda.core.errors import SetupError
from tests.web import serving

GET_SET = """
import json, sys
from pathlib import Path
from dda import params
from dda.app import get
get.get_set(params.load(Path("params.yaml")).paths, "small", json.loads(sys.argv[1]))
"""


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, without ranges; slowly, where the server says so."""

    def copyfile(self, source, outputfile):
        while content := source.read(2**20):
            outputfile.write(content)
            self.server.sent.set()
            self.server.let_go.wait(30)

    def handle(self):
        try:
            super().handle()
        except OSError:  # the other side was killed
            self.close_connection = True

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def empty_repository(tmp_path_factory):
    """A folder that git and DVC know, to be copied: making one takes a second."""
    folder = tmp_path_factory.mktemp("repository")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    return folder


@pytest.fixture
def repository(project, empty_repository):
    """An empty project that git and DVC know; its parameters."""
    params = project({})
    shutil.copytree(empty_repository, Path(), dirs_exist_ok=True)
    return params


@pytest.fixture
def site(tmp_path_factory):
    """A web server of an empty folder: `folder`, `address`, and `let_go`, which can make it wait after a megabyte."""
    folder = tmp_path_factory.mktemp("site")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    server.folder, server.address = folder, f"http://127.0.0.1:{server.server_port}"
    server.sent, server.let_go = threading.Event(), threading.Event()
    server.let_go.set()
    with serving(server):
        yield server


@pytest.fixture
def published(site):
    """published(name -> bytes): the catalog row of a zip of these files, which the site serves."""

    def publish(files):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        content = buffer.getvalue()
        (site.folder / "small.zip").write_bytes(content)
        return {
            "address": f"{site.address}/small.zip",
            "size_bytes": len(content),
            "checksum": f"sha256:{hashlib.sha256(content).hexdigest()}",
            "photos": sum(not name.endswith("/") for name in files),
            "licence": "as you like it",
        }

    return publish


@pytest.fixture
def before(repository):
    """A photo that was there before, in DVC's care as it stands."""
    repository.paths.photos.mkdir(parents=True)
    (repository.paths.photos / "old.jpg").write_bytes(b"an old photo")
    return repository


def in_folders(tiles):
    return {"small/": b"", **{f"small/{name}": content for name, content in tiles.items()}}


def started(row):
    return subprocess.Popen([sys.executable, "-c", GET_SET, json.dumps(row)], stdout=subprocess.DEVNULL)


def waited_for(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it did not happen in half a minute")


def lying(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def facts(status):
    return status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns


def tracked_digest():
    return yaml.safe_load(Path("data.dvc").read_text())["outs"][0]["md5"]


def test_the_embedded_photos_arrive_and_are_versioned_the_same_every_time(repository):
    get.run(repository.paths, "embedded")
    first = tracked_digest()
    get.run(repository.paths, "embedded")
    assert tracked_digest() == first
    assert len(list(repository.paths.photos.iterdir())) == 105
    committed = yaml.safe_load((Path(__file__).parents[2] / "data.dvc").read_text())["outs"][0]["md5"]
    assert first == committed


def test_a_folder_is_copied_and_what_was_there_before_stays_in_the_cache(repository, tiles, tmp_path_factory):
    source = tmp_path_factory.mktemp("my photos")
    for name, content in tiles.items():
        (source / name).write_bytes(content)
    get.run(repository.paths, "embedded")
    before = tracked_digest()
    get.run(repository.paths, str(source))
    assert {path.name for path in repository.paths.photos.iterdir()} == set(tiles)
    assert {path.name for path in source.iterdir()} == set(tiles)
    assert tracked_digest() != before
    assert list(Path(".dvc/cache").rglob(before[2:]))


def test_what_cannot_be_copied_is_written_down(repository, tiles, tmp_path_factory):
    source = tmp_path_factory.mktemp("photos")
    (source / "good.jpg").write_bytes(tiles["coffee-tile00.jpg"])
    (source / "gone.jpg").symlink_to("nowhere")
    get.run(repository.paths, str(source))
    rejected = json.loads(repository.paths.rejected.read_text())["rejected"]
    assert [line["path"] for line in rejected] == ["gone.jpg"]
    assert "leads nowhere" in rejected[0]["error"]


@pytest.mark.parametrize("source", ["nowhere", "data", ".", "data/photos/.."])
def test_a_wrong_source_changes_nothing(repository, source):
    get.run(repository.paths, "embedded")
    before = tracked_digest()
    with pytest.raises(SetupError, match="name a folder"):
        get.run(repository.paths, source)
    assert tracked_digest() == before
    assert len(list(repository.paths.photos.iterdir())) == 105


def test_an_empty_source_changes_nothing(repository, tmp_path_factory):
    get.run(repository.paths, "embedded")
    with pytest.raises(SetupError, match="is empty: name a folder that holds photos"):
        get.run(repository.paths, str(tmp_path_factory.mktemp("empty")))
    assert len(list(repository.paths.photos.iterdir())) == 105
    assert not list(Path().glob(".*.part"))


def test_files_that_cannot_be_taken_at_all_change_nothing(before, tmp_path_factory):
    source = tmp_path_factory.mktemp("photos")
    (source / "gone.jpg").symlink_to("nowhere")
    with pytest.raises(SetupError, match=r"none of the 1 files of .* can be taken over; gone.jpg: .* leads nowhere"):
        get.run(before.paths, str(source))
    assert lying(before.paths.photos) == {"old.jpg": b"an old photo"}


def test_copies_are_files_of_their_own_and_links_share_the_originals(repository, tiles, tmp_path_factory):
    source = tmp_path_factory.mktemp("photos")
    for name, content in tiles.items():
        (source / name).write_bytes(content)
    (source / "linked.jpg").symlink_to(next(iter(tiles)))
    original = {path.name: path.stat() for path in source.iterdir()}
    for link in (True, False):
        get.run(repository.paths, str(source), link=link)
        photos = {path.name: path.stat() for path in repository.paths.photos.iterdir()}
        assert {name: photos[name].st_ino == original[name].st_ino for name in original} == dict.fromkeys(
            original, link
        )
        assert not (repository.paths.photos / "linked.jpg").is_symlink()
        assert not subprocess.run(["dvc", "status", "-q"], check=False).returncode
    now = {path.name: path.stat() for path in source.iterdir()}
    assert {name: facts(one) for name, one in now.items()} == {name: facts(one) for name, one in original.items()}


def test_links_to_another_disk_become_copies(repository, tiles):
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == Path().stat().st_dev:
        pytest.skip("no second disk here")
    source = elsewhere / f"dda-test-{os.getpid()}"
    source.mkdir()
    try:
        (source / "a.jpg").write_bytes(tiles["coffee-tile00.jpg"])
        get.run(repository.paths, str(source), link=True)
        assert (repository.paths.photos / "a.jpg").stat().st_nlink == 1
        assert lying(repository.paths.photos) == lying(source)
    finally:
        shutil.rmtree(source)


@pytest.mark.parametrize(
    ("source", "near"), [("coco-val2071", "coco-val2017"), ("coco-tain2017", "coco-train2017"), ("embeded", "embedded")]
)
def test_an_unknown_name_is_answered_with_the_nearest(source, near, repository):
    with pytest.raises(
        SetupError, match=f"no photo set or folder '{source}'. Did you mean '{near}'. Known: coco-train"
    ):
        get.run(repository.paths, source)


def test_options_that_do_not_fit_the_source_are_told(repository):
    for source in ("embedded", "coco-val2017", "s3://bucket"):
        with pytest.raises(SetupError, match="--link hard-links the files of a folder"):
            get.run(repository.paths, source, link=True)
    with pytest.raises(SetupError, match="--address names a mirror of a photo set"):
        get.run(repository.paths, "embedded", address="http://127.0.0.1/")


@pytest.mark.parametrize("name", catalog.table("photos"))
def test_a_photo_set_of_the_catalog_is_described_whole(name):
    row = catalog.get("photos", name)
    assert set(row) == {"address", "size_bytes", "checksum", "photos", "licence", "left_out"}
    algorithm, digest = row["checksum"].split(":")
    assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size
    assert row["size_bytes"] / row["photos"] > 100_000


def test_a_photo_set_is_fetched_verified_unpacked_and_versioned(before, tiles, published, capsys):
    get.get_set(before.paths, "small", published(in_folders(tiles)))
    assert lying(before.paths.photos) == {f"small/{name}": content for name, content in tiles.items()}
    assert json.loads(before.paths.rejected.read_text()) == {"rejected": []}
    assert not list(before.paths.downloads.iterdir())
    assert capsys.readouterr().out.splitlines() == [
        "small: as you like it",
        "small: 20 files found = 20 taken over into data/photos + 0 unreadable",
        "artifacts/downloads/small.zip was removed, since all its photos are taken over",
    ]
    assert "data.dvc" in subprocess.run(["git", "status", "-s"], capture_output=True, text=True, check=True).stdout
    assert not subprocess.run(["dvc", "status", "-q"], check=False).returncode


def test_a_mirror_is_asked_instead_of_the_address_of_the_catalog(before, tiles, published):
    row = published(in_folders(tiles))
    get.get_set(before.paths, "small", row | {"address": "http://nowhere.invalid/"}, row["address"])
    assert len(lying(before.paths.photos)) == 20


@pytest.mark.parametrize(
    "wrong",
    [
        ({"photos": 21}, "holds 20 files, not the 21 photos of small; nothing was changed"),
        ({"checksum": f"sha256:{'0' * 64}"}, "it was deleted, so the next run downloads it afresh"),
        ({"size_bytes": 10**15}, "not enough room for small, its zip and its photos: 3000000.0 GB are needed"),
        ({"address": "http://127.0.0.1:1/x.zip"}, "no connection to 127.0.0.1"),
    ],
)
def test_a_set_that_is_not_as_described_changes_nothing(wrong, before, tiles, published, monkeypatch):
    change, said = wrong
    row = published(in_folders(tiles)) | change
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with pytest.raises(SetupError, match=said):
        get.get_set(before.paths, "small", row)
    assert lying(before.paths.photos) == {"old.jpg": b"an old photo"}


@pytest.mark.parametrize("name", ["../evil.jpg", "/tmp/evil.jpg", "small/../../../evil.jpg"])
def test_a_zip_that_would_write_elsewhere_changes_nothing(name, before, tiles, published, tmp_path):
    with pytest.raises(SetupError, match="is refused as a whole, nothing was unpacked"):
        get.get_set(before.paths, "small", published(in_folders(tiles) | {name: b"evil"}))
    assert lying(before.paths.photos) == {"old.jpg": b"an old photo"}
    assert not list(tmp_path.parent.rglob("evil.jpg"))


def test_a_run_killed_while_it_fetches_changes_nothing_and_the_next_one_succeeds(before, site, tiles, published):
    row = published({"a.jpg": bytes(2 * 10**7), **tiles})
    site.let_go.clear()
    process = started(row)
    assert site.sent.wait(30)
    waited_for((before.paths.downloads / "small.zip.part").exists)
    process.kill()
    assert process.wait() == -9
    assert lying(before.paths.photos) == {"old.jpg": b"an old photo"}
    site.let_go.set()
    assert started(row).wait() == 0
    assert len(lying(before.paths.photos)) == 21


def test_a_run_killed_while_it_unpacks_changes_nothing_and_the_zip_is_used_again(before, site, published):
    row = published({f"small/{number}.jpg": b"%d" % number for number in range(10_000)})
    process = started(row)
    waited_for(lambda: any(Path(".data.arriving.part").glob("small/*.jpg")))
    process.kill()
    assert process.wait() == -9
    assert 0 < len(lying(Path(".data.arriving.part"))) < 10_000
    assert lying(before.paths.photos) == {"old.jpg": b"an old photo"}
    (site.folder / "small.zip").unlink()
    assert started(row).wait() == 0
    assert len(lying(before.paths.photos)) == 10_000
    assert not list(Path().glob(".*.part"))


def test_photos_that_a_killed_run_had_put_aside_come_back(before):
    before.paths.photos.rename(".data.leaving.part")
    with pytest.raises(SetupError, match="is empty"):
        get.take_over(before.paths, "nothing", lambda folder: [])
    assert lying(before.paths.photos) == {"old.jpg": b"an old photo"}


def test_a_full_disk_is_told_and_changes_nothing(tmp_path, project, tiles, tmp_path_factory):
    source = tmp_path_factory.mktemp("photos")
    for name, content in tiles.items():
        (source / name).write_bytes(content)
    with small_disk(tmp_path / "project") as folder:
        photos = folder / "data/photos"
        paths = project({}).paths.model_copy(update={"photos": photos, "rejected": folder / "data/rejected.json"})
        with pytest.raises(SetupError, match=r"not enough room for the photos of .* are needed on the disk"):
            get.run(paths, str(source))
        with pytest.raises(
            SetupError, match=r"the disk is full: taking over .* needs .* 0 bytes are free; .* as it was"
        ):
            get.take_over(paths, str(source), partial(get.copy_folder, source), 10**6)
        assert not list(folder.iterdir())


def test_a_second_run_at_once_is_refused(repository):
    with get.alone(Path.cwd()), pytest.raises(SetupError, match="another `dda get` is at work in"):
        get.run(repository.paths, "embedded")
    with get.alone(Path.cwd()):
        pass


def test_photos_come_from_a_bucket(before, tiles, monkeypatch, capsys):
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
        fill_bucket({"set/": b"", "set/../x.jpg": b"x"} | {f"set/{name}": content for name, content in tiles.items()})
        get.run(before.paths, "s3://photos/set")
    finally:
        server.stop()
    assert lying(before.paths.photos) == tiles
    assert json.loads(before.paths.rejected.read_text())["rejected"] == [
        {"path": "../x.jpg", "error": "an empty part, '.' or '..' in the name"}
    ]
    assert "s3://photos/set: 21 files found = 20 taken over into data/photos + 1 unreadable" in capsys.readouterr().out
    assert not list(before.paths.downloads.iterdir())


def fill_bucket(objects):
    from dda.io import s3

    client = s3.client()
    client.create_bucket(Bucket="photos")
    for key, content in objects.items():
        client.put_object(Bucket="photos", Key=key, Body=content)


@contextmanager
def small_disk(folder):
    """A disk of 200 kB, mounted on a new folder."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
