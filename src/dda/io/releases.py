"""Published versions of a set in a store: PLACE/<version>/ with its files, and PLACE/latest.json.

A version is named by the digest of its content and never changes. Its manifest.json is written after all its files, and
latest.json after that: what either names is complete, whatever is killed when.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any

from dda.core.errors import SetupError
from dda.io import manifests, progress, s3, uploads
from dda.io.manifests import LATEST, NAME, Latest, Manifest
from dda.io.s3 import Place
from dda.io.uploads import Delivery, Examined

FILES_AT_ONCE = 4
PARTS_AT_ONCE = 8
MAX_LATEST_BYTES = 65536
MEGABYTE = 10**6
MEANWHILE = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")
NO_CONDITIONS = ("NotImplemented", "501")


def latest(connection: Any, root: Place) -> tuple[Latest | None, str]:
    """What latest.json says, and its tag; None and an empty tag where nothing was published."""
    found = s3.read(connection, root, LATEST, MAX_LATEST_BYTES)
    if found is None:
        return None, ""
    return manifests.parse(Latest, found[0], f"{root}{LATEST}"), found[1]


def manifest_of(connection: Any, root: Place, version: str) -> Manifest | None:
    """The manifest of a version; None where it is not there, so where that version was never completed."""
    place = root.below(version)
    found = s3.read(connection, place, NAME, manifests.MAX_BYTES)
    if found is None:
        return None
    manifest = manifests.parse(Manifest, found[0], f"{place}{NAME}")
    if manifest.version != version:
        raise SetupError(f"{place}{NAME} is refused: it is that of another version, {manifest.version}")
    return manifest


def publish(connection: Any, root: Place, name: str, files: Sequence[Examined]) -> tuple[Manifest, Counter[str]]:
    """Make the files lie in the store as a version, and this version the latest one; how many files came there how.

    Raises SetupError where the store refuses or goes away: what has arrived stays, and the next run goes on from there.
    """
    manifest = manifests.manifest(name, [file.file for file in files])
    before, tag = latest(connection, root)
    twins = _twins(connection, root, before, manifest)
    target = root.below(manifest.version)
    unfinished = uploads.unfinished(connection, target)
    with (
        ThreadPoolExecutor(PARTS_AT_ONCE) as parts,
        ThreadPoolExecutor(FILES_AT_ONCE) as threads,
        shown_bytes(f"publish {name}", manifest.n_bytes) as advance,
    ):
        delivery = Delivery(connection, target, unfinished, parts, advance)
        twin = [twins.get((file.file.sha256, file.file.size)) for file in files]
        started = [threads.submit(uploads.deliver, delivery, *pair) for pair in zip(files, twin, strict=True)]
        outcomes = Counter(future.result() for future in as_completed(started))
    _write_once(connection, target, NAME, manifests.content(manifest))
    if before is None or before.version != manifest.version:
        _point(connection, root, manifest, tag)
    return manifest, outcomes


@contextmanager
def shown_bytes(name: str, n_bytes: int) -> Iterator[Callable[[int], None]]:
    """A function to call, from any thread, with how many more bytes are done.

    When the block fails, also by Ctrl-C, the function raises CancelledError, so that threads that work on end soon.
    """
    lock, stopped, done = Lock(), Event(), 0
    with progress.shown(name, -(-n_bytes // MEGABYTE), "MB") as advance:

        def count(more: int) -> None:
            nonlocal done
            if stopped.is_set():
                raise CancelledError
            with lock:
                before, done = done, min(n_bytes, done + more)
                if steps := -(-done // MEGABYTE) - -(-before // MEGABYTE):
                    advance(steps)

        try:
            yield count
        except BaseException:
            stopped.set()
            raise


def _twins(
    connection: Any, root: Place, before: Latest | None, manifest: Manifest
) -> dict[tuple[str, int], tuple[Place, str]]:
    """Where the bytes of files lie in the latest version, by digest and size: the store can copy them."""
    if before is None or before.version == manifest.version:
        return {}
    previous = manifest_of(connection, root, before.version)
    place = root.below(before.version)
    return {(file.sha256, file.size): (place, file.path) for file in previous.files} if previous else {}


def _write_once(connection: Any, place: Place, name: str, content: bytes) -> None:
    """Write what never changes. Raises SetupError where something else lies there already."""
    there = s3.read(connection, place, name, manifests.MAX_BYTES)
    if there is None:
        try:
            return _put(connection, place, name, content, IfNoneMatch="*")
        except s3.Refused as refusal:
            if refusal.code not in MEANWHILE:
                raise
        there = s3.read(connection, place, name, manifests.MAX_BYTES)
    if there is None or there[0] != content:
        raise SetupError(f"{place}{name} is not what belongs there, and a version never changes: delete it, run again")
    return None


def _point(connection: Any, root: Place, manifest: Manifest, tag: str) -> None:
    """Make a complete version the latest one, unless another one became that since we looked."""
    content = manifests.content(Latest(format=manifests.FORMAT, name=manifest.name, version=manifest.version))
    condition = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
    try:
        _put(connection, root, LATEST, content, **condition)
    except s3.Refused as refusal:
        if refusal.code not in MEANWHILE:
            raise
        raise SetupError(
            f"another version of {root} became the latest one while {manifest.version} was published, which is "
            "complete: publish again to make it the latest"
        ) from refusal


def _put(connection: Any, place: Place, name: str, content: bytes, **condition: str) -> None:
    """Write a small object on a condition; stores that know none of these write it all the same."""
    try:
        s3.put(connection, place, name, content, condition)
    except s3.Refused as refusal:
        if refusal.code not in NO_CONDITIONS:
            raise
        s3.put(connection, place, name, content, {})
