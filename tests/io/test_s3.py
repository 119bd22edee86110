"""What publishing, fetching and mirroring ask of a store: small objects, copies, streams that break."""

import os
import uuid

import pytest

from dda.core.errors import SetupError
from dda.io import s3
from tests import stores


@pytest.fixture
def root(store):
    """A place that no other test uses, behind a gate."""
    return s3.place(f"s3://{stores.BUCKET}/{uuid.uuid4().hex}")


@pytest.mark.parametrize("address", ["s3://", "s3:///set", "photos/set"])
def test_an_address_without_a_bucket_is_told(address):
    with pytest.raises(SetupError, match="names no bucket: write s3://bucket or s3://bucket/prefix"):
        s3.place(address)


def test_a_small_object_is_read_whole_or_not_at_all(root):
    connection = s3.client()
    assert s3.read(connection, root, "x", 3) is None
    s3.put(connection, root, "x", b"123", {})
    assert s3.read(connection, root, "x", 3)[0] == b"123"
    with pytest.raises(SetupError, match="x is larger than the 2 bytes that it may have"):
        s3.read(connection, root, "x", 2)


def test_a_large_object_is_copied_in_parts(monkeypatch, tmp_path):
    monkeypatch.setattr(s3, "COPY_BYTES", 6 * 2**20)
    with stores.moto() as address:
        stores.use(monkeypatch, address)
        connection = s3.client()
        connection.create_bucket(Bucket="sets")
        root, content = s3.place("s3://sets/x"), os.urandom(9 * 2**20)
        s3.put(connection, root, "from", content, {})
        s3.copy(connection, root.object("from"), root.below("deep"), "to", {"sha256": "noted"})
        there = connection.get_object(**root.object("deep/to"))
    assert there["Metadata"] == {"sha256": "noted"}
    assert there["ETag"].endswith('-2"')
    assert there["Body"].read() == content


def test_a_download_goes_on_where_the_file_ends(root, store, tmp_path):
    content, path, told = os.urandom(300_000), tmp_path / "x", []
    s3.put(s3.client(), root, "x", content, {})
    path.write_bytes(content[:100_000])
    s3.download(s3.client(), root, s3.Object("x", len(content)), path, told.append)
    assert path.read_bytes() == content
    assert "bytes=100000-" in store.ranges
    assert sum(told) == 200_000
    s3.download(s3.client(), root, s3.Object("x", len(content)), path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("size", [299_999, 300_001])
def test_an_object_of_another_size_is_not_downloaded(root, tmp_path, size):
    s3.put(s3.client(), root, "x", bytes(300_000), {})
    with pytest.raises(s3.Changed):
        s3.download(s3.client(), root, s3.Object("x", size), tmp_path / "x")
