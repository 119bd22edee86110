"""Photos come from a bucket as they are there: whole, by name, counted, and again from where a killed run stopped."""

import os
import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from dda.core.errors import SetupError
from dda.io import mirrors, s3


@pytest.fixture(scope="module")
def server():
    """The address of a store that speaks S3."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield "http://{}:{}".format(*running.get_host_and_port())
    running.stop()


@pytest.fixture
def store(server, monkeypatch):
    """A client of an empty store with the bucket `photos`, which the environment names."""
    ask(server, "reset")
    for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_EC2_METADATA_DISABLED"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    client = s3.client()
    client.create_bucket(Bucket="photos")
    return client


def ask(server, what, content=None):
    """Tell the store itself to do something."""
    kind = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{server}/moto-api/{what}", content, kind, method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def put(store, *keys, content=b"a photo"):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: store.put_object(Bucket="photos", Key=key, Body=content), keys))


def mirrored(address, folder):
    """What lies in the folder afterwards, and what was rejected, by name."""
    place = s3.place(address)
    objects, rejected = mirrors.listing(place)
    rejected += mirrors.mirror(place, objects, folder)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return files, {line["path"]: line["error"] for line in rejected}


def refusal(address="s3://photos/set"):
    with pytest.raises(SetupError) as refused:
        mirrors.listing(s3.place(address))
    assert "a-secret" not in str(refused.value)
    return str(refused.value)


def test_objects_below_a_prefix_become_files(store, tmp_path):
    put(store, "set/1.jpg", "set/deep/2.jpg", "set-of-others/3.jpg", "4.jpg")
    for address in ("s3://photos/set", "s3://photos/set/"):
        assert mirrored(address, tmp_path) == ({"1.jpg": b"a photo", "deep/2.jpg": b"a photo"}, {})
    assert len(mirrored("s3://photos", tmp_path)[0]) == 4


def test_more_objects_than_one_answer_lists_are_all_found(store, tmp_path):
    from moto.s3.models import s3_backends

    names = [f"{number:04}.jpg" for number in range(1100)]
    for name in names:  # past the server, which would take seconds
        s3_backends["123456789012"]["aws"].put_object("photos", f"set/{name}", b"x")
    place = s3.place("s3://photos/set")
    objects, rejected = mirrors.listing(place)
    assert ([one.name for one in objects], rejected) == (names, [])
    assert mirrors.mirror(place, objects[-150:], tmp_path) == []
    assert {path.name for path in tmp_path.iterdir()} == set(names[-150:])


def test_markers_of_folders_are_no_photos(store, tmp_path):
    put(store, "set/", "set/deep/", content=b"")
    put(store, "set/1.jpg")
    assert mirrored("s3://photos/set", tmp_path) == ({"1.jpg": b"a photo"}, {})


def test_keys_that_no_folder_holds_are_rejected_with_their_reason(store, tmp_path):
    put(store, "set/1.jpg", "set/a", "set/a/b.jpg", "set//etc/passwd", "set/x//y.jpg", "set/x/../../z.jpg", "set/x/")
    put(store, "set/back\\slash.jpg", f"set/{'long' * 70}.jpg", "set/A", "set/\u00e9 +&?#.jpg")
    files, rejected = mirrored("s3://photos/set", tmp_path / "in" / "here")
    assert set(files) == {"1.jpg", "a/b.jpg", "A", "\u00e9 +&?#.jpg"}
    assert {name[:14]: reason for name, reason in rejected.items()} == {
        "a": "also the folder of other keys",
        "/etc/passwd": "an absolute path",
        "x//y.jpg": "an empty part, '.' or '..' in the name",
        "x/../../z.jpg": "an empty part, '.' or '..' in the name",
        "x/": "an empty part, '.' or '..' in the name",
        "back\\slash.jpg": "a backslash in the name",
        "longlonglonglo": "a name of more than 240 bytes, or 1024 with its folders",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_has_arrived_is_kept_and_what_changed_or_vanished_is_not(store, tmp_path):
    put(store, "set/same.jpg", "set/changed.jpg", "set/gone/gone.jpg", "set/half.jpg")
    mirrored("s3://photos/set", tmp_path)
    kept = (tmp_path / "same.jpg").stat()
    (tmp_path / "half.jpg").write_bytes(b"a ph")
    (tmp_path / ".half.jpg.0.part").write_bytes(b"a")
    put(store, "set/changed.jpg", content=b"another photo")
    store.delete_object(Bucket="photos", Key="set/gone/gone.jpg")
    files, _ = mirrored("s3://photos/set", tmp_path)
    assert files == {"same.jpg": b"a photo", "changed.jpg": b"another photo", "half.jpg": b"a photo"}
    assert (tmp_path / "same.jpg").stat().st_ino == kept.st_ino
    assert not (tmp_path / "gone").exists()


def test_the_time_of_a_file_is_its_objects(store, tmp_path):
    put(store, "set/1.jpg")
    mirrored("s3://photos/set", tmp_path)
    written = store.head_object(Bucket="photos", Key="set/1.jpg")["LastModified"].timestamp()
    assert (tmp_path / "1.jpg").stat().st_mtime == int(written)


def test_an_object_that_goes_or_changes_between_listing_and_fetching_is_rejected(store, tmp_path):
    put(store, "set/gone.jpg", "set/changed.jpg", "set/fine.jpg")
    place = s3.place("s3://photos/set")
    objects, _ = mirrors.listing(place)
    store.delete_object(Bucket="photos", Key="set/gone.jpg")
    put(store, "set/changed.jpg", content=b"A photo")
    rejected = {line["path"]: line["error"] for line in mirrors.mirror(place, objects, tmp_path)}
    assert rejected == {
        "gone.jpg": "disappeared while it was fetched",
        "changed.jpg": "changed while it was fetched",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["fine.jpg"]


def test_how_much_is_missing_is_known_before(store, tmp_path):
    put(store, "set/1.jpg", "set/2.jpg")
    objects, _ = mirrors.listing(s3.place("s3://photos/set"))
    assert mirrors.missing_bytes(objects, tmp_path) == 14
    mirrors.mirror(s3.place("s3://photos/set"), objects[:1], tmp_path)
    assert mirrors.missing_bytes(objects, tmp_path) == 7


def test_a_prefix_with_nothing_below_it_is_told(store, server):
    put(store, "set-of-others/1.jpg")
    put(store, "set/", content=b"")
    assert refusal() == (
        f"nothing lies under s3://photos/set/ at {server[7:]}: name a bucket and prefix that hold photos"
    )


def test_a_bucket_that_is_not_there_is_told(store, server):
    said = f"no bucket 'fotos' at {server[7:]}: name another, or set AWS_ENDPOINT_URL to the store that has it"
    assert refusal("s3://fotos/set") == said


def test_a_name_that_no_bucket_can_have_is_told(store):
    assert refusal("s3://no bucket/set").startswith("s3://no bucket/set/ cannot be asked for: ")


def test_missing_credentials_are_told(store, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    said = "no S3 credentials for s3://photos/set/: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    assert refusal() == said


def test_a_profile_that_is_not_there_is_told(store, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "profile (nobody) could not be found" in refusal()


def test_a_wrong_key_is_told(store, server):
    ask(server, "reset-auth", b"0")
    try:
        assert "refuses the S3 credentials (InvalidAccessKeyId): check AWS_ACCESS_KEY_ID" in refusal()
    finally:
        ask(server, "reset-auth", b"inf")


def test_a_store_that_is_away_is_told_without_the_password_in_its_address(store, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:a-secret@127.0.0.1:1")
    said = refusal()
    assert said.startswith("no answer from 127.0.0.1:1 for s3://photos/set/ (EndpointConnectionError): ")
    assert said.endswith("check AWS_ENDPOINT_URL, run again")


def test_an_endpoint_that_is_no_address_is_told(store, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "storage")
    assert refusal() == "AWS_ENDPOINT_URL is no address of a store: write one such as http://host:port"


def test_a_store_that_goes_away_in_the_middle_fails_the_run_and_keeps_what_arrived(store, tmp_path, monkeypatch):
    put(store, "set/1.jpg", "set/2.jpg")
    place = s3.place("s3://photos/set")
    objects, _ = mirrors.listing(place)
    mirrors.mirror(place, objects[:1], tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(SetupError, match="what has arrived is kept"):
        mirrors.mirror(place, objects, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1.jpg"]


def test_an_object_that_is_cut_off_is_fetched_again(store, server, tmp_path, monkeypatch):
    """Through a gate that lets only the first bytes of the first answer with a photo through."""
    put(store, "set/1.jpg", content=bytes(10**6))
    place = s3.place("s3://photos/set")
    objects, _ = mirrors.listing(place)
    with socket.create_server(("127.0.0.1", 0)) as gate:
        threading.Thread(target=cut_once, args=(gate, server[7:].split(":")), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{gate.getsockname()[1]}")
        assert mirrors.mirror(place, objects, tmp_path) == []
    assert (tmp_path / "1.jpg").read_bytes() == bytes(10**6)


def cut_once(gate, store):
    for limit in (50_000, None):
        near, _ = gate.accept()
        with near, socket.create_connection(store) as far:
            far.sendall(near.recv(100_000).replace(b"Connection: keep-alive", b"Connection: close"))
            far.settimeout(1)
            passed = 0
            while (limit is None or passed < limit) and (content := received(far)):
                near.sendall(content)
                passed += len(content)


def received(connection):
    try:
        return connection.recv(10_000)
    except TimeoutError:
        return b""
