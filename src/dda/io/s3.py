"""S3 and stores that speak like it, by boto3: endpoint from AWS_ENDPOINT_URL, credentials from boto3's usual places."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dda.core.errors import SetupError
from dda.io import archives, atomic
from dda.io.progress import tracked

SCHEME = "s3://"
WORKERS = 16
TRIES = 3
READ_BYTES = 2**20
NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError")
WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthFailure")
FORBIDDEN = ("AccessDenied", "403", "Forbidden")
# what is wrong with one object and not with the whole store
OBJECT_ERRORS = {
    "NoSuchKey": "disappeared while it was fetched",
    "404": "disappeared while it was fetched",
    "InvalidObjectState": "archived: the store must bring it back first",
    **dict.fromkeys(FORBIDDEN, "not allowed to be read with these credentials"),
}

Rejected = dict[str, str]


@dataclass(frozen=True)
class Place:
    """A folder of a bucket; the prefix is empty or ends with a slash."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}"


@dataclass(frozen=True)
class Object:
    """An object below a place: its name there, its size in bytes, when it was written (seconds since 1970), its tag."""

    name: str
    n_bytes: int
    written_s: int
    tag: str


class _Changed(Exception):
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


def client() -> Any:
    """A client that gives up after three tries; may be used by several threads."""
    import boto3
    from botocore.config import Config

    retries: Any = {"mode": "standard", "total_max_attempts": TRIES}
    config = Config(connect_timeout=10, read_timeout=60, max_pool_connections=WORKERS, retries=retries)
    return boto3.Session().client("s3", config=config)


def listing(source: Place) -> tuple[list[Object], list[Rejected]]:
    """The objects below a place, by name, and those that no folder could hold, with reasons.

    Markers that stand for a folder are neither. Raises SetupError where the store cannot be read or nothing is there.
    """
    with told(source):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.prefix)
        found = [_object(entry, source) for page in pages for entry in page.get("Contents", [])]
    objects = [one for one in found if one.n_bytes or not (one.name == "" or one.name.endswith("/"))]
    if not objects:
        raise SetupError(f"nothing lies under {source} at {endpoint()}: name a bucket and prefix that hold photos")
    wrong = {one.name: reason for one in objects if (reason := archives.why_unsafe(one.name))}
    wrong |= _folders_too([one.name for one in objects if one.name not in wrong])
    rejected = [{"path": _printable(name), "error": reason} for name, reason in sorted(wrong.items())]
    return [one for one in objects if one.name not in wrong], rejected


def missing_bytes(objects: list[Object], folder: Path) -> int:
    """How much has not arrived in a folder yet."""
    return sum(one.n_bytes for one in objects if not _has_arrived(folder / one.name, one))


def mirror(source: Place, objects: list[Object], folder: Path) -> list[Rejected]:
    """Make a folder hold exactly these objects; those that could not be read, with reasons.

    A file that has arrived before is kept where its size and time are the object's, so that a killed run goes on.
    Raises SetupError where the store fails as a whole.
    """
    _remove_others(folder, {folder / one.name for one in objects})
    with told(source), ThreadPoolExecutor(WORKERS) as threads:
        outcomes = threads.map(partial(_fetch, client(), source, folder), objects)
        failed = [outcome for _, outcome in zip(tracked(objects, str(source)), outcomes, strict=True)]
    return [outcome for outcome in failed if outcome]


@contextmanager
def told(source: Place) -> Iterator[None]:
    """Turn what boto3 raises into a SetupError in a sentence, without any secret."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise SetupError(_refusal(error, source)) from error
    except BotoCoreError as error:
        raise SetupError(_failure(error, source)) from error
    except ValueError as error:
        if "endpoint" not in str(error):
            raise
        raise SetupError("AWS_ENDPOINT_URL is no address of a store: write one such as http://host:port") from error


def _refusal(error: Any, source: Place) -> str:
    """What the store answered."""
    code, where = _code(error), endpoint()
    if code in WRONG_KEY:
        return f"{where} refuses the S3 credentials ({code}): check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if code in FORBIDDEN:
        return f"{where} does not allow these credentials to read {source} ({code}): ask its owner, or use other ones"
    if code == "NoSuchBucket":
        return f"no bucket {source.bucket!r} at {where}: name another, or set AWS_ENDPOINT_URL to the store that has it"
    return f"{where} answers {code} for {source}: {error.response['Error'].get('Message', 'no reason given')}"


def _failure(error: Any, source: Place) -> str:
    """What went wrong before the store could answer."""
    kind, where = type(error).__name__, endpoint()
    if kind in NO_CREDENTIALS:
        return f"no S3 credentials for {source}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if kind in ("ParamValidationError", "ProfileNotFound", "InvalidRegionError"):
        return f"{source} cannot be asked for: {error}"
    return f"no answer from {where} for {source} ({kind}): what has arrived is kept; check AWS_ENDPOINT_URL, run again"


def _code(error: Any) -> str:
    return str(error.response["Error"].get("Code", "an error"))


def _object(entry: dict[str, Any], source: Place) -> Object:
    name = entry["Key"].removeprefix(source.prefix)
    return Object(name, entry["Size"], int(entry["LastModified"].timestamp()), entry.get("ETag", ""))


def _folders_too(names: list[str]) -> dict[str, str]:
    """Keys that are also the folder of another key; case and accents are told apart, as a store does."""
    folders = {name[:end] for name in names for end, letter in enumerate(name) if letter == "/"}
    return {name: "also the folder of other keys" for name in names if name in folders}


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _has_arrived(path: Path, wanted: Object) -> bool:
    if not path.is_file():
        return False
    there = path.stat()
    return (there.st_size, int(there.st_mtime)) == (wanted.n_bytes, wanted.written_s)


def _remove_others(folder: Path, wanted: set[Path]) -> None:
    """Delete what is not wanted, leftovers of a killed run too, and folders that are empty then."""
    for root, folders, files in os.walk(folder, topdown=False):
        for path in (Path(root, name) for name in files):
            if path not in wanted:
                path.unlink()
        for path in (Path(root, name) for name in folders):
            if not any(path.iterdir()):
                path.rmdir()


def _fetch(connection: Any, source: Place, folder: Path, wanted: Object) -> Rejected | None:
    """Make one object lie in the folder, whole or not at all; what is wrong with it."""
    from botocore.exceptions import ClientError

    path = folder / wanted.name
    if _has_arrived(path, wanted):
        return None
    try:
        with atomic.whole(path) as temporary:
            _write(connection, source, wanted, temporary)
            os.utime(temporary, (wanted.written_s, wanted.written_s))
    except ClientError as error:
        if _code(error) not in OBJECT_ERRORS:
            raise
        return {"path": wanted.name, "error": OBJECT_ERRORS[_code(error)]}
    except _Changed:
        return {"path": wanted.name, "error": "changed while it was fetched"}
    return None


def _write(connection: Any, source: Place, wanted: Object, path: Path) -> None:
    """Write an object's bytes; a stream that breaks is begun again."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    for tries_left in reversed(range(TRIES)):
        try:
            answer = connection.get_object(Bucket=source.bucket, Key=source.prefix + wanted.name)
            if (answer["ContentLength"], answer.get("ETag", "")) != (wanted.n_bytes, wanted.tag):
                raise _Changed
            with path.open("wb") as file:
                for content in answer["Body"].iter_chunks(READ_BYTES):
                    file.write(content)
            return
        except (HTTPClientError, IncompleteReadError):
            if not tries_left:
                raise
