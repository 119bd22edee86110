"""One image to be judged, wherever it lies: a file, a piece of a tar, a cell of a Parquet file."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dda.io import cells, photos, shards
from dda.io.photos import PhotoRejected

SERVES_ALL = "real"
GENERATED = "generated"
# A benchmark's own lists, notes, archives and labels, and what systems leave behind; any other file counts as an image.
NO_IMAGES = {
    *(".cls", ".csv", ".dvc", ".html", ".json", ".jsonl", ".log", ".md", ".md5", ".parquet", ".pdf", ".py"),
    *(".sh", ".sha256", ".tsv", ".txt", ".yaml", ".yml", ".7z", ".gz", ".rar", ".tar", ".zip"),
}
LEFT_BEHIND = {"thumbs.db", "desktop.ini", "license", "readme", "__macosx"}


@dataclass(frozen=True)
class LabelledImage:
    """One image to be judged.

    `cluster` is what must stay together when intervals are drawn: the pair, the group, or the image itself.
    `generator` of a real is the one whose fakes it is judged against, or "real" where it serves all. `source` is where
    a real is from, or the platform where either was found; that of any other fake is "generated". `place` says where in
    `path` the bytes lie: offset and size in a tar, or a cell of a Parquet file; None for a file of its own. `digest`
    is what the benchmark says of the bytes, as `md5:` or `sha256:` and hex digits.
    """

    image_id: str
    cluster: str
    generator: str
    source: str
    label: int
    path: Path
    place: tuple[int, int] | cells.Cell | None = None
    digest: str | None = None

    def read(self) -> bytes:
        """The image file's bytes. Raises PhotoRejected where they are not there, or not those of the benchmark."""
        content = self._content()
        if self.digest:
            kind, _, wanted = self.digest.partition(":")
            if (found := hexdigest(content, kind)) != wanted:
                raise PhotoRejected(f"its {kind} is {found}, and the benchmark says {wanted}")
        return content

    def _content(self) -> bytes:
        if isinstance(self.place, cells.Cell):
            return cells.read(self.path, self.place)
        if self.place:
            return _piece(self.path, *self.place)
        if not self.path.exists() and not self.path.is_symlink():
            raise PhotoRejected(f"not found: there is no file {text(self.path.name)}")
        return photos.read_bytes(self.path)


def _piece(path: Path, offset: int, size: int) -> bytes:
    try:
        content = shards.read_at(path, offset, size)
    except (OSError, ValueError) as error:
        raise PhotoRejected(f"cannot be read: {error}") from error
    if not content:
        raise PhotoRejected("empty file")
    return content


def is_image(name: str) -> bool:
    """Whether what bears this name, with `/` between its parts, counts as an image: whatever is not known as none."""
    parts = name.split("/")
    if any(part.startswith(".") or part.lower() in LEFT_BEHIND for part in parts):
        return False
    return PurePosixPath(parts[-1]).suffix.lower() not in NO_IMAGES


def text(name: str) -> str:
    """A file's name as a table can hold it."""
    return name.encode("utf-8", "backslashreplace").decode()


def hexdigest(content: bytes, kind: str) -> str:
    """The `md5` or `sha256` of bytes; the former only because benchmarks ship it."""
    return (hashlib.md5(content, usedforsecurity=False) if kind == "md5" else hashlib.sha256(content)).hexdigest()


def digest_of_set(lines: Iterable[tuple[str, int, str, str]]) -> str:
    """A digest of a set: of image_id, label, generator, and sha256 (or why there is none) of each. 32 hex digits."""
    told = "\n".join(f"{label} {generator!a} {image_id!a} {content}" for image_id, label, generator, content in lines)
    return hashlib.sha256(told.encode()).hexdigest()[:32]
