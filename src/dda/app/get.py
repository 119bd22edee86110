"""Take photos over into the project.    dda get embedded | coco-val2017 | FOLDER | s3://bucket/prefix"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from dda import catalog
from dda.core.errors import SetupError, did_you_mean
from dda.io import archives, atomic, downloads, mirrors, photos, s3, versioning
from dda.params.sections import Paths

EMBEDDED = "embedded"
MAX_EXPANSION = 2  # photos hardly shrink in a zip: one that grows to more than twice its size is no set of photos

Rejected = dict[str, str]
Fill = Callable[[Path], Iterable[Rejected]]  # puts photos into a folder; gives what could not be taken, with reasons


def run(paths: Paths, source: str, link: bool = False, address: str | None = None) -> None:
    """Make `data/photos` hold exactly the source's photos, list what could not be taken, and let DVC version it all.

    The source is `embedded`, a photo set of the catalog, a folder, or `s3://bucket/prefix`, and is never changed.
    `link` hard-links a folder's files, so that editing an original in place changes data/photos too; `address` is a
    mirror of a photo set's zip. Raises SetupError, in a sentence, for all that is wrong with source, network or disk.
    """
    is_set, is_bucket = source in catalog.table("photos"), source.startswith(s3.SCHEME)
    if address and not is_set:
        raise SetupError(f"--address names a mirror of a photo set, and {source!r} is none of the catalog's")
    if link and (is_set or is_bucket or source == EMBEDDED):
        raise SetupError(f"--link hard-links the files of a folder, and {source!r} is no folder: leave it out")
    with alone(paths.photos.parent.absolute().parent):
        if source == EMBEDDED:
            take_over(paths, source, place_embedded)
        elif is_set:
            get_set(paths, source, catalog.get("photos", source), address)
        elif is_bucket:
            get_bucket(paths, source)
        else:
            get_folder(paths, source, link)


@contextmanager
def alone(folder: Path, command: str = "dda get") -> Iterator[None]:
    """Let the same command do nothing in this folder meanwhile; a killed one holds nothing. Raises SetupError else."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SetupError(f"another `{command}` is at work in {folder}: wait until it has ended") from error
        yield
    finally:
        os.close(handle)


def get_set(paths: Paths, name: str, row: Mapping[str, Any], address: str | None = None) -> None:
    """Take over the photos of a zip in the web (a row of catalog/photos.yaml), which is fetched, verified, unpacked."""
    print(f"{name}: {row['licence']}")
    archive = paths.downloads / f"{name}.zip"
    size = row["size_bytes"]
    rest = max(0, size - downloads.arrived_bytes(archive))
    downloads.check_free(f"{name}, its zip and its photos", [(archive, rest), *_room(paths, size)])
    downloads.fetch(row, archive, address)
    files = archives.members(archive, MAX_EXPANSION * size)
    if len(files) != row["photos"]:
        raise SetupError(
            f"{archive} holds {len(files)} files, not the {row['photos']} photos of {name}; nothing was changed"
        )

    def fill(folder: Path) -> list[Rejected]:
        archives.unpack(archive, files, folder)
        return []

    take_over(paths, name, fill, archives.unpacked_bytes(files))
    archive.unlink()
    print(f"{archive} was removed, since all its photos are taken over")


def get_bucket(paths: Paths, source: str) -> None:
    """Take over the photos below a prefix of a bucket; what has arrived when a run is killed is used again."""
    place = s3.place(source)
    objects, rejected = mirrors.listing(place)
    folder = paths.downloads / s3.digest(place)
    missing, n_bytes = mirrors.missing_bytes(objects, folder), sum(one.n_bytes for one in objects)
    downloads.check_free(f"the photos of {source}", [(folder, missing), *_room(paths, n_bytes, linked=True)])
    folder.mkdir(parents=True, exist_ok=True)
    with downloads.full_disk_told(source, folder, missing, "what has arrived is kept"):
        rejected += mirrors.mirror(place, objects, folder)

    def fill(arriving: Path) -> list[Rejected]:
        return [*rejected, *copy_folder(folder, arriving, link=True)]

    take_over(paths, source, fill, n_bytes, linked=True)
    shutil.rmtree(folder)


def get_folder(paths: Paths, source: str, link: bool) -> None:
    """Take over the files of a folder, as copies or hard links."""
    check_source(source, paths.photos.parent)
    folder = Path(source)
    n_bytes = sum(_n_bytes(path) for path in photos.find(folder))
    downloads.check_free(f"the photos of {source}", _room(paths, n_bytes, linked=link))
    take_over(paths, source, partial(copy_folder, folder, link=link), n_bytes, linked=link)


def _room(paths: Paths, n_bytes: int, linked: bool = False) -> list[tuple[Path, int]]:
    """Where photos that are taken over need room: in data/photos unless they are links, and in DVC's cache."""
    root = paths.photos.parent
    return [(root, 0 if linked else n_bytes), (root.with_name(".dvc") / "cache", n_bytes)]


def _n_bytes(path: Path) -> int:
    with suppress(OSError):  # what cannot be read is rejected, with its reason, when its turn comes
        return path.stat().st_size
    return 0


def check_source(source: str, root: Path) -> None:
    """Raise SetupError where the source is no folder, or holds or lies in the place that is about to be replaced."""
    folder = Path(source)
    if not folder.is_dir():
        known = did_you_mean(source, [EMBEDDED, *catalog.table("photos")])
        raise SetupError(f"no photo set or folder {source!r}. {known} Or name a folder, or s3://bucket/prefix.")
    inside, ours = folder.resolve(), root.resolve()
    if inside == ours or ours in inside.parents or inside in ours.parents:
        raise SetupError(f"{source} holds, or lies in, {root}, which is about to be replaced: name a folder elsewhere")


def take_over(paths: Paths, source: str, fill: Fill, n_bytes: int = 0, linked: bool = False) -> None:
    """Replace `data/photos` by what `fill` brings (about `n_bytes`), list the rejected, and let DVC version it.

    What lay there before goes into DVC's cache first, so nothing is lost. Until the new photos are complete they lie
    beside `data/`, and a killed run leaves the old ones as they were.
    """
    root = paths.photos.parent
    arriving, leaving = (root.with_name(f".{root.name}.{word}.part") for word in ("arriving", "leaving"))
    if leaving.exists() and not paths.photos.exists():  # killed between the two renames below
        leaving.rename(paths.photos)
    for leftover in (arriving, leaving):
        shutil.rmtree(leftover, ignore_errors=True)
    if root.is_dir():
        versioning.track(root)
    arriving.mkdir(parents=True)
    disk = root.absolute().parent
    try:
        with downloads.full_disk_told(f"taking over {source}", disk, n_bytes, f"{paths.photos} is as it was"):
            rejected = list(fill(arriving))
        taken = sum(1 for _ in photos.find(arriving))
        _check_taken(source, taken, rejected)
        root.mkdir(parents=True, exist_ok=True)
        if paths.photos.exists():
            paths.photos.rename(leaving)
        arriving.rename(paths.photos)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    shutil.rmtree(leaving, ignore_errors=True)
    atomic.write_json(paths.rejected, {"rejected": rejected})
    versioning.track(root, linked)
    found = taken + len(rejected)
    print(f"{source}: {found} files found = {taken} taken over into {paths.photos} + {len(rejected)} unreadable")


def _check_taken(source: str, taken: int, rejected: list[Rejected]) -> None:
    if not taken + len(rejected):
        raise SetupError(f"the photo folder {source} is empty: name a folder that holds photos")
    if not taken:
        path, reason = rejected[0]["path"], rejected[0]["error"]
        raise SetupError(f"none of the {len(rejected)} files of {source} can be taken over; {path}: {reason}")


def place_embedded(folder: Path) -> list[Rejected]:
    """Write the embedded photographs' tiles; nothing can be rejected here."""
    from dda.embedded.photos import tiles

    for name, content in tiles():
        (folder / name).write_bytes(content)
    return []


def copy_folder(source: Path, folder: Path, link: bool = False) -> Iterator[Rejected]:
    """Copy or hard-link every file below a folder, whatever it is; what cannot be comes back with its reason."""
    for path in photos.find(source):
        name = path.relative_to(source)
        target = folder / name
        try:
            photos.check_name(str(name))
            content = None if link and _is_readable(path) else photos.read_bytes(path, may_be_empty=True)
        except photos.PhotoRejected as rejection:
            yield {"path": str(name).encode("utf-8", "backslashreplace").decode(), "error": str(rejection)}
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            _link(path, target)
        else:
            target.write_bytes(content)


def _is_readable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK)


def _link(path: Path, target: Path) -> None:
    """Hard-link a file (what it leads to, where it is a symbolic link), or copy it where that cannot be."""
    try:
        os.link(path.resolve(), target)
    except OSError:  # another file system, one without hard links, or a file of somebody else
        shutil.copyfile(path, target)
