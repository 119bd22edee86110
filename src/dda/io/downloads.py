"""Large files from the web: resumed where they stopped, also after a killed process, and used only once verified."""

import errno
import hashlib
import io
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from dda.core.errors import SetupError
from dda.io import progress

READ_BYTES = 16 * 2**20
# gzip on the way would make ranges mean something else
HEADERS = {"Accept-Encoding": "identity"}


def fetch(row: Mapping[str, Any], target: Path, address: str | None = None) -> None:
    """Make the file of a row (address, size_bytes, checksum) lie at `target`, verified; what has arrived is used again.

    Until it is complete and verified the file is called `<target>.part`. Raises SetupError, in a sentence, for an
    address that does not answer, a full disk, and a wrong size or checksum; a wrong file is deleted.
    """
    if target.exists():
        return verify(target, row, target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target)
    if arrived_bytes(target) > row["size_bytes"]:
        part.unlink()
    _download(address or row["address"], part, row["size_bytes"])
    verify(part, row, target.name)
    os.replace(part, target)
    return None


def part_of(target: Path) -> Path:
    """Where a file lies until it is complete."""
    return target.with_name(f"{target.name}.part")


def arrived_bytes(target: Path) -> int:
    """How much of a file has arrived already."""
    lying = [path.stat().st_size for path in (target, part_of(target)) if path.exists()]
    return lying[0] if lying else 0


def verify(path: Path, row: Mapping[str, Any], name: str) -> None:
    """Raise SetupError, and delete the file, where its size or checksum (`sha256:...`) is not the row's."""
    size = path.stat().st_size
    if size != row["size_bytes"]:
        raise _damaged(path, f"{name} is {size} bytes long, not {row['size_bytes']}")
    algorithm, wanted = row["checksum"].split(":")
    found = _digest(path, algorithm, f"checking {name}")
    if found != wanted:
        raise _damaged(path, f"{name} is damaged or another file: its {algorithm} is {found}, not {wanted}")


def amount(n_bytes: int) -> str:
    """`19.3 GB`, for people."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"


def check_free(what: str, needs: list[tuple[Path, int]]) -> None:
    """Raise SetupError where a disk has not as many bytes free as will be written below these paths."""
    disks: dict[int, tuple[Path, int]] = {}
    for path, n_bytes in needs:
        place = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
        device = place.stat().st_dev
        first, before = disks.get(device, (place, 0))
        disks[device] = (first, before + n_bytes)
    for place, n_bytes in disks.values():
        free = shutil.disk_usage(place).free
        if free < n_bytes:
            raise SetupError(
                f"not enough room for {what}: {amount(n_bytes)} are needed on the disk that holds {place}, "
                f"{amount(free)} are free; nothing was changed"
            )


@contextmanager
def full_disk_told(what: str, folder: Path, n_bytes: int, kept: str) -> Iterator[None]:
    """Turn the error of a full disk into a SetupError: what was written, bytes needed and free, and what is kept."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = amount(shutil.disk_usage(folder).free)
        raise SetupError(
            f"the disk is full: {what} needs {amount(n_bytes)} in {folder}, {free} are free; {kept}"
        ) from error


class _Growing(io.FileIO):
    """The file that arrives: without a buffer, so that a killed process loses nothing, and never beyond its size."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        path.touch()
        super().__init__(path, "r+")
        self.seek(0, os.SEEK_END)
        self.size_bytes = size_bytes

    def write(self, content: Any) -> int:
        if self.tell() + len(content) > self.size_bytes:
            raise _damaged(Path(str(self.name)), f"the server sends more than the {self.size_bytes} bytes expected")
        left = memoryview(content)
        while left:  # a nearly full disk takes a piece without an error
            left = left[super().write(left) :]
        return len(content)


class _Lines:
    """In place of tqdm's bar: a line every ten seconds, for a log."""

    def __init__(self, desc: str, total: int | None, initial: int = 0, **_: Any) -> None:
        self.name, self.total, self.done, self.arrived = desc, total, initial, 0
        self.started = self.last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to close."""

    def update(self, n_bytes: int) -> None:
        """Count bytes; negative where a server starts over."""
        self.done, self.arrived = self.done + n_bytes, self.arrived + n_bytes
        now = time.monotonic()
        if now - self.last >= progress.LOG_INTERVAL_S:
            self.last = now
            speed = max(self.arrived, 1) / (now - self.started)
            left = f", {(self.total - self.done) / speed:.0f} s left" if self.total else ""
            total = amount(self.total) if self.total else "?"
            line = f"{self.name}: {amount(self.done)} of {total}, {amount(int(speed))} a second{left}"
            print(line, file=sys.stderr, flush=True)


def _download(address: str, part: Path, size_bytes: int) -> None:
    """Let the part grow until the server has no more."""
    host = _checked(address).hostname
    with _Growing(part, size_bytes) as growing:
        if growing.tell():
            print(f"{part.name}: {amount(growing.tell())} of {amount(size_bytes)} have arrived before", file=sys.stderr)
        while growing.tell() < size_bytes:
            before = growing.tell()
            with _told(address, part), full_disk_told(part.stem, part.parent, size_bytes, "what has arrived is kept"):
                if _grew_to_the_end(address, growing):
                    return
            if growing.tell() == before:
                kept = f"; the {amount(before)} that have arrived are kept in {part}" if before else ""
                raise SetupError(f"no connection to {host}: run this again later, or name a mirror by --address{kept}")


def _grew_to_the_end(address: str, growing: _Growing) -> bool:
    """Whether the server has sent all it has; False for a connection that was lost more often than http_get resumes."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError
    from huggingface_hub.file_download import http_get

    bar: Any = None if sys.stderr.isatty() else _Lines
    name = Path(str(growing.name)).stem
    try:
        http_get(
            address,
            growing,
            resume_size=growing.tell(),
            headers=dict(HEADERS),
            displayed_filename=name,
            tqdm_class=bar,
        )
    except HfHubHTTPError:
        raise
    except HTTPError:
        return False
    return True


@contextmanager
def _told(address: str, part: Path) -> Iterator[None]:
    """Turn what a server answers, or nobody is allowed to ask, into a SetupError."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled as error:
        raise SetupError(
            f"{address} is not asked, since HF_HUB_OFFLINE is set: unset it, or name a folder of photos"
        ) from error
    except HfHubHTTPError as error:
        status, reason = error.response.status_code, error.response.reason_phrase
        if status == 416:
            raise _damaged(part, f"{address} is shorter than what has arrived, so it is another file") from error
        raise SetupError(
            f"{address} answers {status} {reason}: run this again later, or name a mirror by --address"
        ) from error


def _checked(address: str) -> SplitResult:
    """The parts of a web address. Raises SetupError where it is none, or holds a password, which would reach logs."""
    try:
        split = urlsplit(address)
        usable = split.scheme in ("http", "https") and split.hostname and split.port != 0
    except ValueError:  # a port that is no number, brackets that do not close
        usable = False
    if not usable:
        raise SetupError(f"{address!r} is no address of a zip: name one such as https://example.org/photos.zip")
    if split.username or split.password:
        raise SetupError(f"the address on {split.hostname} holds a password, which would reach logs: name one without")
    return split


def _digest(path: Path, algorithm: str, name: str) -> str:
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        for _ in progress.tracked(range(-(-path.stat().st_size // READ_BYTES)), name):
            digest.update(file.read(READ_BYTES))
    return digest.hexdigest()


def _damaged(path: Path, what: str) -> SetupError:
    """Delete a wrong file; the error that says so."""
    path.unlink()
    return SetupError(f"{what}; it was deleted, so the next run downloads it afresh")
