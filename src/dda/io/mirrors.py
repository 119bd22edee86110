"""Objects below a prefix of a store as files of a folder: whole, counted, and again from where a killed run stopped."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError
from dda.io import archives, atomic, s3
from dda.io.progress import tracked
from dda.io.s3 import Object, Place

# what is wrong with one object and not with the whole store
OBJECT_ERRORS = {
    "NoSuchKey": "disappeared while it was fetched",
    "404": "disappeared while it was fetched",
    "InvalidObjectState": "archived: the store must bring it back first",
    **dict.fromkeys(s3.FORBIDDEN, "not allowed to be read with these credentials"),
}

Rejected = dict[str, str]


def listing(source: Place) -> tuple[list[Object], list[Rejected]]:
    """The objects below a place, by name, and those that no folder could hold, with reasons.

    Markers that stand for a folder are neither. Raises SetupError where the store cannot be read or nothing is there.
    """
    with s3.told(source):
        pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.prefix)
        found = [_object(entry, source) for page in pages for entry in page.get("Contents", [])]
    objects = [one for one in found if one.n_bytes or not (one.name == "" or one.name.endswith("/"))]
    if not objects:
        raise SetupError(f"nothing lies under {source} at {s3.endpoint()}: name a bucket and prefix that hold photos")
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
    with s3.told(source), ThreadPoolExecutor(s3.WORKERS) as threads:
        outcomes = threads.map(partial(_fetch, s3.client(), source, folder), objects)
        failed = [outcome for _, outcome in zip(tracked(objects, str(source)), outcomes, strict=True)]
    return [outcome for outcome in failed if outcome]


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
    path = folder / wanted.name
    if _has_arrived(path, wanted):
        return None
    try:
        with atomic.whole(path) as temporary:
            s3.download(connection, source, wanted, temporary)
            os.utime(temporary, (wanted.written_s, wanted.written_s))
    except s3.Refused as refusal:
        if refusal.code not in OBJECT_ERRORS:
            raise
        return {"path": wanted.name, "error": OBJECT_ERRORS[refusal.code]}
    except s3.Changed:
        return {"path": wanted.name, "error": "changed while it was fetched"}
    return None
