"""Everything that we write is encrypted as the settings say: put, in parts, and copied."""

import uuid

import pytest

from dda.core.errors import SetupError
from dda.io import encryption, releases, s3, uploads
from tests import stores

KEY = "arn:aws:kms:us-east-1:123456789012:key/a"


@pytest.fixture(scope="module")
def server():
    with stores.moto() as address:
        yield address


@pytest.fixture
def root(server, monkeypatch):
    monkeypatch.setattr(uploads, "PART_BYTES", 5 * 2**20)
    stores.use(monkeypatch, server)
    bucket = f"sets-{uuid.uuid4().hex}"
    s3.client().create_bucket(Bucket=bucket)
    return s3.place(f"s3://{bucket}/tiny")


@pytest.mark.parametrize(("kind", "key"), [("AES256", None), ("aws:kms", KEY)])
def test_whatever_is_written_is_encrypted_as_the_settings_say(root, tmp_path, monkeypatch, kind, key):
    monkeypatch.setenv("DDA_ENCRYPTION", kind)
    monkeypatch.setenv("DDA_KMS_KEY", key or "")
    connection = s3.client()
    for round_ in ("first", "second"):  # what did not change is copied from the first
        for name, content in (("pairs.parquet", round_.encode()), ("train-00000.tar", b"0" * (6 * 2**20))):
            (tmp_path / name).write_bytes(content)
        files = [uploads.examine(tmp_path / name) for name in ("pairs.parquet", "train-00000.tar")]
        _, outcomes = releases.publish(connection, root, "tiny", files)
    assert outcomes == {"uploaded": 1, "copied": 1}
    listed = connection.list_objects_v2(Bucket=root.bucket)["Contents"]
    assert len(listed) == 7
    for one in listed:
        there = connection.head_object(Bucket=root.bucket, Key=one["Key"])
        assert (there.get("ServerSideEncryption"), there.get("SSEKMSKeyId")) == (kind, key)


def test_without_settings_the_bucket_decides(monkeypatch):
    assert encryption.settings() == {}


@pytest.mark.parametrize(
    ("kind", "key", "said"),
    [
        (
            "AES265",
            "",
            "DDA_ENCRYPTION is 'AES265', which S3 does not know. Did you mean 'AES256'? Known: AES256, aws:kms.",
        ),
        ("aws:kms:other", "", "Did you mean 'aws:kms'"),
        ("", "key", "DDA_KMS_KEY names a key that nothing would use: set DDA_ENCRYPTION to aws:kms"),
        ("AES256", "key", "DDA_KMS_KEY names a key"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_asked(monkeypatch, kind, key, said):
    monkeypatch.setenv("DDA_ENCRYPTION", kind)
    monkeypatch.setenv("DDA_KMS_KEY", key)
    with pytest.raises(SetupError) as told:
        s3.client()
    assert said in str(told.value)
