"""Files that appear whole or not at all, whatever is killed when."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well, and vanishes when it does not.

    Raises SetupError where the disk is full.
    """
    with _full_disk_told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())  # else, after a loss of power, the name could stand over nothing
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _full_disk_told(path: Path) -> Iterator[None]:
    """Turn the error of a full disk, or of a quota, into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = os.strerror(error.errno)
        place = next(folder for folder in path.absolute().parents if folder.exists())
        free_mb = shutil.disk_usage(place).free / 1e6
        told = f"cannot write {path}: {reason}, {free_mb:.1f} MB are free on its disk"
        raise SetupError(f"{told}: make room and run again, what is finished is kept") from error


@contextmanager
def tidy(folder: Path) -> Iterator[None]:
    """A block in which other processes write into a folder: no temporary file of lost ones is there before or after."""
    remove_leftovers(folder)
    try:
        yield
    finally:
        remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed process left in a folder."""
    for path in folder.glob(".*.part"):
        with suppress(FileNotFoundError):
            path.unlink()


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a file that can be made again: empty where there is none, or what is there is damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON that people can read and that is the same for the same value."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
