"""Versions in a store that enforces conditions: two publishers at once; stores that know or allow less than others."""

import json
import uuid
from concurrent.futures import CancelledError

import pytest
from botocore.awsrequest import AWSResponse

from dda.core.errors import SetupError
from dda.io import manifests, releases, s3, uploads
from tests import stores


@pytest.fixture(scope="module")
def server():
    with stores.moto() as address:
        yield address


@pytest.fixture
def root(server, monkeypatch):
    """An empty place of a bucket."""
    stores.use(monkeypatch, server)
    bucket = f"sets-{uuid.uuid4().hex}"
    s3.client().create_bucket(Bucket=bucket)
    return s3.place(f"s3://{bucket}/of mine/tiny")


@pytest.fixture
def files(tmp_path):
    """Two files of a set, as they are about to be published; files("word") are others."""

    def written(word="first"):
        folder = tmp_path / word
        folder.mkdir(exist_ok=True)
        for name, content in (("pairs.parquet", "table"), ("train-00000.tar", f"shard {word}")):
            (folder / name).write_text(content)
        return [uploads.examine(folder / name) for name in ("pairs.parquet", "train-00000.tar")]

    return written


class Answering:
    """A body of an answer."""

    def __init__(self, text):
        self.text = text

    def stream(self, **_):
        yield self.text

    def read(self, *_):
        return self.text


def answers(client, condition, status, code):
    """Let a client's requests that fulfil the condition get an error of the store's."""
    text = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    def answer(request, **_):
        return AWSResponse(request.url, status, {}, Answering(text)) if condition(request) else None

    client.meta.events.register("before-send.s3", answer)
    return client


def latest(root):
    return json.loads(s3.read(s3.client(), root, "latest.json", 10**6)[0])["version"]


@pytest.mark.parametrize("before", [[], ["before"]])
def test_the_first_version_of_two_publishers_at_once_stays_the_latest(root, files, monkeypatch, before):
    connection, point = s3.client(), releases._point
    for word in before:
        releases.publish(connection, root, "tiny", files(word))

    def overtaken(*arguments):
        monkeypatch.setattr(releases, "_point", point)
        releases.publish(connection, root, "tiny", files("theirs"))
        point(*arguments)

    monkeypatch.setattr(releases, "_point", overtaken)
    with pytest.raises(SetupError, match="which is complete: publish again to make it the latest"):
        releases.publish(connection, root, "tiny", files("ours"))
    assert latest(root) == manifests.version_of(file.file for file in files("theirs"))
    releases.publish(connection, root, "tiny", files("ours"))
    assert latest(root) == manifests.version_of(file.file for file in files("ours"))


def test_two_publishers_of_one_set_are_no_trouble(root, files, monkeypatch):
    connection, put = s3.client(), releases._put

    def after_another(*arguments, **condition):
        monkeypatch.setattr(releases, "_put", put)
        releases.publish(connection, root, "tiny", files())
        put(*arguments, **condition)

    monkeypatch.setattr(releases, "_put", after_another)
    with pytest.raises(SetupError, match="publish again to make it the latest"):
        releases.publish(connection, root, "tiny", files())
    _, how = releases.publish(connection, root, "tiny", files())
    assert how == {uploads.KEPT: 2}


def test_a_store_without_conditions_is_written_to_all_the_same(root, files):
    conditions = ("If-None-Match", "If-Match")
    connection = answers(
        s3.client(), lambda request: any(name in request.headers for name in conditions), 501, "NotImplemented"
    )
    for word in ("first", "second"):
        manifest, _ = releases.publish(connection, root, "tiny", files(word))
        assert latest(root) == manifest.version


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (501, "NotImplemented")])
def test_a_store_that_lists_no_unfinished_uploads_is_written_to_all_the_same(root, files, status, code):
    connection = answers(s3.client(), lambda request: "?uploads&" in request.url, status, code)
    _, how = releases.publish(connection, root, "tiny", files())
    assert how == {uploads.UPLOADED: 2}


def test_a_store_that_does_not_copy_gets_the_bytes_again(root, files):
    releases.publish(s3.client(), root, "tiny", files())
    connection = answers(s3.client(), lambda request: "x-amz-copy-source" in request.headers, 501, "NotImplemented")
    _, how = releases.publish(connection, root, "tiny", files("second"))
    assert how == {uploads.UPLOADED: 2}
    _, how = releases.publish(s3.client(), root, "tiny", files("third"))
    assert how == {uploads.UPLOADED: 1, uploads.COPIED: 1}


@pytest.mark.parametrize("word", ["latest.json", "manifest.json", "train-00000.tar"])
def test_a_store_that_may_be_read_only_is_told_and_keeps_its_latest_version(root, files, word):
    before, _ = releases.publish(s3.client(), root, "tiny", files())
    connection = answers(
        s3.client(), lambda request: request.method == "PUT" and word in request.url, 403, "AccessDenied"
    )
    with pytest.raises(SetupError, match="does not allow these credentials to write to s3://"):
        releases.publish(connection, root, "tiny", files("second"))
    assert latest(root) == before.version


def test_bytes_that_change_on_the_way_are_refused_by_the_store(rclone_store, files, monkeypatch):
    stores.use(monkeypatch, rclone_store.address)
    changed = files()
    changed[1].path.write_text("shard other")
    root = s3.place(f"s3://{stores.BUCKET}/{uuid.uuid4().hex}")
    with pytest.raises(SetupError, match="received other bytes than were sent to"):
        releases.publish(s3.client(), root, "tiny", changed)
    assert s3.read(s3.client(), root, "latest.json", 10**6) is None


def test_an_unfinished_upload_is_continued_if_its_parts_are_those_of_the_file(rclone_store, tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "PART_BYTES", 2**16)
    path = tmp_path / "pairs.parquet"
    path.write_bytes(bytes(2**16) + b"1" * 2**16 + b"end")
    with stores.gate(rclone_store.address) as gate:
        stores.use(monkeypatch, gate.address)
        connection, root = s3.client(), s3.place(f"s3://{stores.BUCKET}/{uuid.uuid4().hex}")
        one = uploads.examine(path)
        key = root.below(manifests.version_of([one.file])).object("pairs.parquet")
        for second, sent in ((b"2", ["1", "2", "3"]), (b"1", ["3"])):
            upload = connection.create_multipart_upload(**key)["UploadId"]
            for number, content in ((1, bytes(2**16)), (2, second * 2**16)):
                connection.upload_part(**key, UploadId=upload, PartNumber=number, Body=content)
            before = len(gate.sent())
            releases.publish(connection, root, "tiny", [one])
            again = [path.split("partNumber=")[-1] for path in gate.sent()[before:] if "partNumber" in path]
            assert sorted(again) == sent
            assert connection.get_object(**key)["Body"].read() == path.read_bytes()
            connection.delete_object(**key)
        assert uploads.unfinished(connection, root) == {}


def test_other_unfinished_uploads_of_a_file_are_ended(root, files):
    connection, wanted = s3.client(), files()
    place = root.below(manifests.version_of(file.file for file in wanted))
    for _ in range(2):
        connection.create_multipart_upload(**place.object("train-00000.tar"))
    releases.publish(connection, root, "tiny", wanted)
    assert uploads.unfinished(connection, place) == {}


def test_an_object_that_the_store_encrypts_is_known_by_what_was_noted(root, tmp_path):
    """Its tag is no MD5 then."""
    path = tmp_path / "x"
    path.write_text("content")
    one, connection = uploads.examine(path), s3.client()
    for noted, expected in (({"sha256": one.file.sha256}, True), ({"sha256": "0" * 64}, False), ({}, False)):
        connection.put_object(**root.object("x"), Body=b"CONTENT", Metadata=noted, ServerSideEncryption="aws:kms")
        assert uploads.has_arrived(connection, root, "x", one) is expected
    connection.put_object(**root.object("x"), Body=b"CONTENT", Metadata={"sha256": one.file.sha256})
    assert not uploads.has_arrived(connection, root, "x", one)


def test_threads_are_stopped_when_one_of_them_fails():
    told = []

    def fail():
        with releases.shown_bytes("fetch", 10**7) as advance:
            told.append(advance)
            raise SetupError("damaged")

    with pytest.raises(SetupError):
        fail()
    with pytest.raises(CancelledError):
        told[0](1)
