"""S3 and stores that speak like it, by boto3: endpoint from AWS_ENDPOINT_URL, credentials from boto3's usual places."""

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dda.core.errors import SetupError
from dda.io import encryption
from dda.io.progress import Advance

SCHEME = "s3://"
WORKERS = 16
TRIES = 3
READ_BYTES = 2**20
COPY_BYTES = 5 * 2**30  # a larger object is copied in parts
SET_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError")
WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthFailure")
FORBIDDEN = ("AccessDenied", "403", "Forbidden")
NOT_THERE = ("NoSuchKey", "404")


@dataclass(frozen=True)
class Place:
    """A folder of a bucket; the prefix is empty or ends with a slash."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}"

    def below(self, name: str) -> "Place":
        """A folder in this one."""
        return Place(self.bucket, f"{self.prefix}{name}/")

    def object(self, name: str) -> dict[str, str]:
        """What boto3 wants to know of an object in this folder."""
        return {"Bucket": self.bucket, "Key": self.prefix + name}


@dataclass(frozen=True)
class Object:
    """An object below a place: its name there, its size in bytes, when it was written (seconds since 1970), its tag.

    An empty tag stands for any.
    """

    name: str
    n_bytes: int
    written_s: int = 0
    tag: str = ""


class Refused(SetupError):
    """The store answered, but not with what was asked for; `code` is its word for that."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class NoCredentials(SetupError):
    """Nothing says who we are."""


class Changed(Exception):
    """The object is not the one that was listed."""


def place(address: str) -> Place:
    """`s3://bucket/some/prefix` as a place. Raises SetupError where no bucket is named."""
    bucket, _, prefix = address.removeprefix(SCHEME).partition("/")
    if not address.startswith(SCHEME) or not bucket:
        raise SetupError(f"{address!r} names no bucket: write s3://bucket or s3://bucket/prefix")
    prefix = prefix.rstrip("/")
    return Place(bucket, f"{prefix}/" if prefix else "")


def digest(source: Place) -> str:
    """A short name for what lies at a place of the present endpoint."""
    return hashlib.sha256(f"{endpoint()} {source}".encode()).hexdigest()[:16]


def endpoint() -> str:
    """Host and port of the store, without a password that the address may hold."""
    address = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return urlsplit(address).netloc.rpartition("@")[2] or "Amazon S3"


def client(anonymous: bool = False) -> Any:
    """A client that gives up after three tries; may be used by several threads. Anonymous: it signs nothing.

    Raises SetupError where the settings of encryption are wrong: before anything is read, not after.
    """
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    encryption.settings()
    retries: Any = {"mode": "standard", "total_max_attempts": TRIES}
    # Content-MD5, which every store checks, is sent by the caller; newer checksums are not known everywhere
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=WORKERS,
        retries=retries,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        signature_version=UNSIGNED if anonymous else None,
    )
    return boto3.Session().client("s3", config=config)


def read(connection: Any, source: Place, name: str, max_bytes: int) -> tuple[bytes, str] | None:
    """A small object's content and tag; None where there is no such object. Raises SetupError where it is larger."""
    with told(source):
        try:
            answer = connection.get_object(**source.object(name))
        except connection.exceptions.NoSuchKey:
            return None
        content: bytes = answer["Body"].read(max_bytes + 1)
    if len(content) > max_bytes:
        raise SetupError(f"{source}{name} is larger than the {max_bytes} bytes that it may have: it is none of dda's")
    return content, answer.get("ETag", "")


def head(connection: Any, source: Place, name: str) -> dict[str, Any] | None:
    """What the store tells about an object; None where there is none."""
    try:
        with told(source):
            answer: dict[str, Any] = connection.head_object(**source.object(name))
            return answer
    except Refused as refusal:
        if refusal.code in NOT_THERE:
            return None
        raise


def put(connection: Any, target: Place, name: str, content: bytes, more: dict[str, Any]) -> None:
    """Write a small object, which the store checks by its MD5; `more` is what boto3 is told besides, or instead."""
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    with told(target, "write to"):
        connection.put_object(
            **target.object(name), Body=content, **{"ContentMD5": md5, **encryption.settings(), **more}
        )


def copy(connection: Any, source: dict[str, str], target: Place, name: str, noted: dict[str, str]) -> None:
    """Let the store copy an object, whatever its size; `noted` becomes its metadata."""
    from boto3.s3.transfer import TransferConfig

    more = {"Metadata": noted, "MetadataDirective": "REPLACE", **encryption.settings()}
    with told(target, "write to"):
        connection.copy(source, **target.object(name), ExtraArgs=more, Config=TransferConfig(COPY_BYTES))


def download(connection: Any, source: Place, wanted: Object, path: Path, advance: Advance | None = None) -> None:
    """Append to a file what it has not of an object yet; a stream that breaks goes on where it broke.

    `advance` is told of bytes that have arrived.
    Raises Changed where the object is not the wanted one, Refused, or SetupError where the store is away.
    """
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    tries = TRIES
    with told(source), path.open("ab") as file:
        while True:
            before = file.tell()
            try:
                return _append(connection, source, wanted, file, advance)
            except (HTTPClientError, IncompleteReadError):
                tries = TRIES if file.tell() > before else tries - 1
                if not tries:
                    raise


def _append(connection: Any, source: Place, wanted: Object, file: Any, advance: Advance | None) -> None:
    start = file.tell()
    if start and start == wanted.n_bytes:
        return
    part = {"Range": f"bytes={start}-"} if start else {}
    answer = connection.get_object(**source.object(wanted.name), **part)
    if answer["ContentLength"] != wanted.n_bytes - start or (wanted.tag and answer.get("ETag", "") != wanted.tag):
        raise Changed
    for content in answer["Body"].iter_chunks(READ_BYTES):
        file.write(content)
        if advance:
            advance(len(content))


@contextmanager
def told(source: Place, doing: str = "read") -> Iterator[None]:
    """Turn what boto3 raises into a SetupError in a sentence, without any secret; `doing` is what may be forbidden."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response["Error"].get("Code", "an error"))
        raise Refused(_refusal(error, code, source, doing), code) from error
    except BotoCoreError as error:
        if type(error).__name__ in NO_CREDENTIALS:
            raise NoCredentials(f"no S3 credentials for {source}: {SET_CREDENTIALS}") from error
        raise SetupError(_failure(error, source)) from error
    except ValueError as error:
        if "endpoint" not in str(error):
            raise
        raise SetupError("AWS_ENDPOINT_URL is no address of a store: write one such as http://host:port") from error


def _refusal(error: Any, code: str, source: Place, doing: str) -> str:
    """What the store answered."""
    where = endpoint()
    if code in WRONG_KEY:
        return f"{where} refuses the S3 credentials ({code}): check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if code in FORBIDDEN:
        return f"{where} does not allow these credentials to {doing} {source} ({code}): ask its owner, or use others"
    if code == "NoSuchBucket":
        return f"no bucket {source.bucket!r} at {where}: name another, or set AWS_ENDPOINT_URL to the store that has it"
    if code == "BadDigest":
        return f"{where} received other bytes than were sent to {source}: if no file was changed meanwhile, run again"
    return f"{where} answers {code} for {source}: {error.response['Error'].get('Message', 'no reason given')}"


def _failure(error: Any, source: Place) -> str:
    """What went wrong before the store could answer."""
    kind, where = type(error).__name__, endpoint()
    if kind in ("ParamValidationError", "ProfileNotFound", "InvalidRegionError"):
        return f"{source} cannot be asked for: {error}"
    return f"no answer from {where} for {source} ({kind}): what has arrived is kept; check AWS_ENDPOINT_URL, run again"
