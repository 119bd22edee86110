"""Detectors of a registry or a store, fetched once into a folder of this user.

A registered version carries the code that judges, but not this: it names the folder that lies in it.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError
from dda.io import downloads, releases, s3, tracking
from dda.io.detectors import CARD, DESCRIPTION, WEIGHTS

HOW = "name one as models:/NAME@ALIAS, such as models:/dda-detector@champion, or as models:/NAME/VERSION"
PICKLED = (".pkl", ".pickle", ".joblib", ".pth", ".pt", ".bin", ".npy", ".npz")
MEGABYTE, GIGABYTE = 10**6, 10**9
LIMITS = {
    **dict.fromkeys((DESCRIPTION, CARD), MEGABYTE),
    **dict.fromkeys((WEIGHTS, "model.onnx", "model.onnx.data"), 20 * GIGABYTE),
}
"""The files that are fetched from a store, and how large each may be in bytes."""
NEEDED = (DESCRIPTION, WEIGHTS)


def cache() -> Path:
    """DDA_CACHE, else `dda` below XDG_CACHE_HOME, else ~/.cache/dda."""
    if chosen := os.environ.get("DDA_CACHE"):
        return Path(chosen)
    above = os.environ.get("XDG_CACHE_HOME")
    return (Path(above) if above else Path.home() / ".cache") / "dda"


def of_registry(name: str) -> tuple[Path, str]:
    """The detector of `NAME@ALIAS` or `NAME/VERSION`: its folder, and `NAME/VERSION`.

    Raises SetupError where there is no such version, or the store is away.
    """
    from dda.io.registry import DETECTOR, Registry

    model, mark, word = name.partition("@" if "@" in name else "/")
    if not (model and mark and word) or "/" in model + word:
        raise SetupError(f"models:/{name} names no version of a model: {HOW}")
    registry = Registry.open(model)
    version = registry.version(word)
    key = key_of("registry", tracking.store_uri(), model, version.digest or f"version {version.number}")

    def fetch(folder: Path) -> None:
        found = registry.fetch(version, DETECTOR, folder / "fetched")
        for path in sorted(found.rglob("*")):
            if path.suffix in PICKLED:
                raise SetupError(f"models:/{name} holds {path.name}, which is or may be a pickle, and is not loaded")
        for path in found.iterdir():
            path.rename(folder / path.name)
        shutil.rmtree(folder / "fetched")

    return kept(key, fetch), f"{model}/{version.number}"


def of_store(address: str) -> Path:
    """The folder of the detector that lies at `s3://bucket/prefix`, fetched anew where the store has another one.

    Raises SetupError where there is none, or the store is away.
    """
    place = s3.place(address)
    connection = s3.client()
    objects = {name: found for name in LIMITS if (found := s3.head(connection, place, name)) is not None}
    if missing := [name for name in NEEDED if name not in objects]:
        raise SetupError(f"no detector at {place}: there is no {missing[0]}; name the folder that holds {DESCRIPTION}")
    wanted = [_checked(place, name, found) for name, found in objects.items()]
    key = key_of("store", s3.endpoint(), str(place), *(f"{one.name} {one.tag} {one.n_bytes}" for one in wanted))

    def fetch(folder: Path) -> None:
        n_bytes = sum(one.n_bytes for one in wanted)
        downloads.check_free(f"the detector at {place}", [(folder, n_bytes)])
        with releases.shown_bytes(f"fetch {place}", n_bytes) as advance:
            for one in wanted:
                _download(connection, place, one, folder / one.name, advance)

    return kept(key, fetch)


def _checked(place: s3.Place, name: str, found: dict[str, Any]) -> s3.Object:
    """An object of a detector. Raises SetupError where it is too large to be one."""
    size = int(found["ContentLength"])
    if size > LIMITS[name]:
        raise SetupError(f"{place}{name} has {size} bytes, more than the {LIMITS[name]} that it may have")
    return s3.Object(name, size, tag=str(found.get("ETag", "")))


def _download(connection: Any, place: s3.Place, wanted: s3.Object, path: Path, advance: Callable[[int], None]) -> None:
    try:
        s3.download(connection, place, wanted, path, advance)
    except s3.Changed as error:
        raise SetupError(f"{place}{wanted.name} changed while it was fetched: run this again") from error


def key_of(*words: str) -> str:
    """A folder's name for what these words say."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]


def kept(key: str, fetch: Callable[[Path], None]) -> Path:
    """The folder of a key below `cache`, which `fetch` fills where it is not there yet: whole or not at all."""
    target = cache() / "detectors" / key
    if not (target / DESCRIPTION).is_file():
        with _room(target) as folder:
            fetch(folder)
            if not (folder / DESCRIPTION).is_file():
                raise SetupError(f"what was fetched holds no {DESCRIPTION}: it is no detector")
            _take_place(folder, target)
    return target


@contextmanager
def _room(target: Path) -> Iterator[Path]:
    """A temporary folder beside a target. Raises SetupError where none can be made."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.mkdtemp(prefix=".", suffix=".part", dir=target.parent)
    except OSError as error:
        raise SetupError(
            f"cannot keep a detector in {target.parent}: {error.strerror}: set DDA_CACHE to a folder of yours"
        ) from error
    try:
        yield Path(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _take_place(folder: Path, target: Path) -> None:
    """Give a finished folder its name; another process may have been faster, with the same content."""
    try:
        folder.rename(target)
    except OSError:
        if not (target / DESCRIPTION).is_file():
            raise
