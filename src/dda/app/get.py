"""Take photos over into the project: the embedded ones, or copies of somebody's own.    dda get embedded | FOLDER"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from dda.core.errors import SetupError
from dda.io import atomic, photos, versioning
from dda.params import Paths

EMBEDDED = "embedded"


def run(paths: Paths, source: str) -> None:
    """Make `data/photos` hold exactly the source's files, list what could not be copied, and let DVC version it all.

    What lay there before goes into DVC's cache first, so nothing is lost. Until the new photos are complete they lie
    beside `data/`, and a killed run leaves the old ones as they were.
    """
    root = paths.photos.parent
    if source != EMBEDDED:
        check_source(Path(source), root)
    if root.is_dir():
        versioning.track(root)
    arriving = root.with_name(f".{root.name}.arriving.part")
    shutil.rmtree(arriving, ignore_errors=True)
    arriving.mkdir(parents=True)
    try:
        rejected = place_embedded(arriving) if source == EMBEDDED else list(copy_folder(Path(source), arriving))
        taken = sum(1 for _ in photos.find(arriving))
        if not taken + len(rejected):
            raise SetupError(f"the photo folder {source} is empty: name a folder that holds photos")
        shutil.rmtree(paths.photos, ignore_errors=True)
        root.mkdir(parents=True, exist_ok=True)
        arriving.rename(paths.photos)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    atomic.write_json(paths.rejected, {"rejected": rejected})
    versioning.track(root)
    found = taken + len(rejected)
    print(f"{source}: {found} files found = {taken} taken over into {paths.photos} + {len(rejected)} unreadable")


def check_source(source: Path, root: Path) -> None:
    """Raise SetupError where the source is no folder, or holds or lies in the place that is about to be replaced."""
    if not source.is_dir():
        raise SetupError(
            f"no photo folder at {source}: name a folder, or `{EMBEDDED}` for the photos inside the project"
        )
    inside, ours = source.resolve(), root.resolve()
    if inside == ours or ours in inside.parents or inside in ours.parents:
        raise SetupError(f"{source} holds, or lies in, {root}, which is about to be replaced: name a folder elsewhere")


def place_embedded(folder: Path) -> list[dict[str, str]]:
    """Write the embedded photographs' tiles; nothing can be rejected here."""
    from dda.embedded.photos import tiles

    for name, content in tiles():
        (folder / name).write_bytes(content)
    return []


def copy_folder(source: Path, folder: Path) -> Iterator[dict[str, str]]:
    """Copy every file below a folder, whatever it is; what cannot be copied comes back with its reason."""
    for path in photos.find(source):
        name = path.relative_to(source)
        try:
            photos.check_name(str(name))
            content = photos.read_bytes(path, may_be_empty=True)
        except photos.PhotoRejected as rejection:
            yield {"path": str(name).encode("utf-8", "backslashreplace").decode(), "error": str(rejection)}
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
