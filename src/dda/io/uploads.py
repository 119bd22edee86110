"""Files into a store: nothing twice, large ones in parts, each checked by the store, on from where a killed run was."""

import base64
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dda.io import encryption, manifests, s3
from dda.io.s3 import Place

PART_BYTES = 16 * 2**20
MAX_PARTS = 10_000
DOING = "write to"
# stores, or rights, without which unfinished uploads cannot be found: those files begin again. rclone says NoSuchUpload
# where there is none
NO_LISTING = ("NoSuchUpload", "NotImplemented", "501", "MethodNotAllowed", *s3.FORBIDDEN)
KEPT, COPIED, UPLOADED = "kept", "copied", "uploaded"


@dataclass(frozen=True)
class Examined:
    """A file on the disk as it is about to be uploaded: its entry in the manifest, and digests of its parts."""

    path: Path
    file: manifests.File
    part_bytes: int
    md5: str
    part_md5s: tuple[str, ...]

    def part(self, number: int) -> bytes:
        """The bytes of a part; the first is number 1."""
        with self.path.open("rb") as file:
            file.seek((number - 1) * self.part_bytes)
            return file.read(self.part_bytes)

    @property
    def tags(self) -> set[str]:
        """Tags that a store gives these bytes: of the whole, and of its parts."""
        parts = hashlib.md5(bytes.fromhex("".join(self.part_md5s)), usedforsecurity=False).hexdigest()
        return {self.md5, f"{parts}-{len(self.part_md5s)}"}


@dataclass(frozen=True)
class Delivery:
    """Where files go: a place of a store, its unfinished uploads by name, threads for parts, whom to tell of bytes."""

    connection: Any
    target: Place
    unfinished: dict[str, list[str]]
    threads: ThreadPoolExecutor
    advance: Callable[[int], None]


def examine(path: Path) -> Examined:
    """Read a file once, and keep its digests."""
    size = path.stat().st_size
    part_bytes = max(PART_BYTES, -(-size // MAX_PARTS))
    sha256, md5, parts = hashlib.sha256(), hashlib.md5(usedforsecurity=False), []
    with path.open("rb") as file:
        while content := file.read(part_bytes):
            sha256.update(content)
            md5.update(content)
            parts.append(hashlib.md5(content, usedforsecurity=False).hexdigest())
    entry = manifests.File(path=path.name, size=size, sha256=sha256.hexdigest())
    return Examined(path, entry, part_bytes, md5.hexdigest(), tuple(parts))


def unfinished(connection: Any, target: Place) -> dict[str, list[str]]:
    """Uploads below a place that were begun and not ended: their ids, by the object's name."""
    found: dict[str, list[str]] = {}
    try:
        with s3.told(target, DOING):
            pages = connection.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=target.bucket, Prefix=target.prefix):
                for upload in page.get("Uploads", []):
                    found.setdefault(upload["Key"].removeprefix(target.prefix), []).append(upload["UploadId"])
    except s3.Refused as refusal:
        if refusal.code not in NO_LISTING:
            raise
    return found


def abort(connection: Any, target: Place, name: str, upload: str) -> None:
    """Let the store forget an unfinished upload; one that it does not know any more is no error."""
    with suppress(s3.Refused), s3.told(target, DOING):
        connection.abort_multipart_upload(**target.object(name), UploadId=upload)


def has_arrived(connection: Any, place: Place, name: str, wanted: Examined) -> bool:
    """Whether an object is these bytes: by its size and tag, or, where tags mean something else, what was noted."""
    there = s3.head(connection, place, name)
    if there is None or there["ContentLength"] != wanted.file.size:
        return False
    tag = there.get("ETag", "").strip('"')
    if tag in wanted.tags:
        return True
    encrypted = "kms" in there.get("ServerSideEncryption", "") or there.get("SSECustomerAlgorithm")
    if len(tag) == len(wanted.md5) and not encrypted:  # the MD5 of other bytes
        return False
    noted = {key.lower(): value for key, value in there.get("Metadata", {}).items()}
    return noted.get("sha256") == wanted.file.sha256


def deliver(delivery: Delivery, wanted: Examined, twin: tuple[Place, str] | None) -> str:
    """Make a file lie in the store, and say how: it was there, was copied from its twin, or uploaded."""
    connection, target, name = delivery.connection, delivery.target, wanted.file.path
    delivery.advance(0)  # nothing is begun when another file has failed
    if has_arrived(connection, target, name, wanted):
        outcome = KEPT
    elif twin and _copied(delivery, wanted, twin):
        outcome = COPIED
    else:
        (_upload_whole if len(wanted.part_md5s) < 2 else _upload_parts)(delivery, wanted)
        outcome = UPLOADED
    for leftover in delivery.unfinished.get(name, []):
        abort(connection, target, name, leftover)
    if outcome != UPLOADED:
        delivery.advance(wanted.file.size)
    return outcome


def _copied(delivery: Delivery, wanted: Examined, twin: tuple[Place, str]) -> bool:
    """Whether the store could copy the same bytes from where they lie in it."""
    place, name = twin
    if not has_arrived(delivery.connection, place, name, wanted):
        return False
    try:
        s3.copy(delivery.connection, place.object(name), delivery.target, wanted.file.path, _noted(wanted))
    except s3.Refused:
        return False
    return True


def _noted(wanted: Examined) -> dict[str, str]:
    return {"sha256": wanted.file.sha256}


def _header(md5: str) -> str:
    """A digest as Content-MD5: of the bytes that were examined, so that a file that changed since is refused."""
    return base64.b64encode(bytes.fromhex(md5)).decode()


def _upload_whole(delivery: Delivery, wanted: Examined) -> None:
    body = wanted.part(1)
    more = {"Metadata": _noted(wanted), "ContentMD5": _header(wanted.md5)}
    s3.put(delivery.connection, delivery.target, wanted.file.path, body, more)
    delivery.advance(len(body))


def _upload_parts(delivery: Delivery, wanted: Examined) -> None:
    """Continue the unfinished upload of these bytes, or begin one; parts that have arrived are not sent again."""
    connection, target, name = delivery.connection, delivery.target, wanted.file.path
    upload, there = _continued(delivery, wanted)
    if not upload:
        with s3.told(target, DOING):
            more = {"Metadata": _noted(wanted), **encryption.settings()}
            upload = connection.create_multipart_upload(**target.object(name), **more)["UploadId"]
    numbers = range(1, len(wanted.part_md5s) + 1)
    delivery.advance(sum(wanted.part_bytes for number in numbers if number in there))

    def send(number: int) -> tuple[int, str]:
        return number, there.get(number) or _upload_part(delivery, wanted, upload, number)

    parts = [{"PartNumber": number, "ETag": tag} for number, tag in delivery.threads.map(send, numbers)]
    try:
        with s3.told(target, DOING):
            connection.complete_multipart_upload(
                **target.object(name), UploadId=upload, MultipartUpload={"Parts": parts}
            )
    except s3.Refused:
        if not has_arrived(connection, target, name, wanted):  # else another publisher has completed the same upload
            raise


def _continued(delivery: Delivery, wanted: Examined) -> tuple[str, dict[int, str]]:
    """An unfinished upload of these very bytes, and tags of its parts by their numbers; else nothing."""
    waiting = delivery.unfinished.get(wanted.file.path, [])
    known = dict(enumerate(wanted.part_md5s, 1))
    for upload in waiting:
        there = _parts(delivery, wanted, upload)
        if there and all(known.get(number) == tag.strip('"') for number, tag in there.items()):
            waiting.remove(upload)
            return upload, there
    return "", {}


def _parts(delivery: Delivery, wanted: Examined, upload: str) -> dict[int, str]:
    """Tags of the parts of an unfinished upload; none where the store does not know or tell it any more."""
    try:
        with s3.told(delivery.target, DOING):
            pages = delivery.connection.get_paginator("list_parts")
            listed = pages.paginate(**delivery.target.object(wanted.file.path), UploadId=upload)
            return {part["PartNumber"]: part["ETag"] for page in listed for part in page.get("Parts", [])}
    except s3.Refused:
        return {}


def _upload_part(delivery: Delivery, wanted: Examined, upload: str, number: int) -> str:
    body = wanted.part(number)
    with s3.told(delivery.target, DOING):
        answer = delivery.connection.upload_part(
            **delivery.target.object(wanted.file.path),
            UploadId=upload,
            PartNumber=number,
            Body=body,
            ContentMD5=_header(wanted.part_md5s[number - 1]),
        )
    delivery.advance(len(body))
    return str(answer["ETag"])
