"""What a published version is: the names, sizes and digests of its files, and the name that follows from them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from dda.core.errors import SetupError
from dda.io import archives

NAME = "manifest.json"
LATEST = "latest.json"
TABLE = "pairs.parquet"
FORMAT: Literal[1] = 1
MAX_BYTES = 64 * 2**20
MAX_FILES = 100_000
MAX_FILE_BYTES = 5 * 10**12  # the largest object of Amazon's store

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class File(_Record):
    """One file of a set: its name, its size in bytes, its digest."""

    path: str
    size: Annotated[int, Field(ge=0, le=MAX_FILE_BYTES)]
    sha256: Digest

    @model_validator(mode="after")
    def _plain(self) -> Self:
        reason = archives.why_unsafe(self.path)
        if reason or "/" in self.path or self.path.startswith(".") or self.path in (NAME, LATEST):
            raise ValueError(f"{self.path!a:.120} is no name for a file of a set: {reason or 'kept for other things'}")
        return self


class Manifest(_Record):
    """A version of a set. Its name is the digest of its files, so that a manifest cannot say one and hold another."""

    format: Literal[1]
    name: Name
    version: Digest
    files: Annotated[list[File], Field(min_length=1, max_length=MAX_FILES)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wrong = archives.collisions(file.path for file in self.files)
        if wrong:
            raise ValueError("; ".join(f"{name!a:.120}: {reason}" for name, reason in list(wrong.items())[:3]))
        if TABLE not in {file.path for file in self.files}:
            raise ValueError(f"it names no {TABLE}")
        if version_of(self.files) != self.version:
            raise ValueError("its version is not the digest of the files that it names")
        return self

    @property
    def n_bytes(self) -> int:
        """The size of all files."""
        return sum(file.size for file in self.files)


class Latest(_Record):
    """Which version is the latest one."""

    format: Literal[1]
    name: Name
    version: Digest


Record = TypeVar("Record", Manifest, Latest)


def version_of(files: Iterable[File]) -> str:
    """The digest of the sorted names, digests and sizes of all files, 64 hex digits."""
    lines = sorted(f"{file.path}\0{file.sha256}\0{file.size}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def manifest(name: str, files: Iterable[File]) -> Manifest:
    """The manifest of these files."""
    listed = sorted(files, key=lambda file: file.path)
    return Manifest(format=FORMAT, name=name, version=version_of(listed), files=listed)


def content(record: Manifest | Latest) -> bytes:
    """A record as JSON that people can read, the same for the same record."""
    return record.model_dump_json(indent=2).encode() + b"\n"


def parse(kind: type[Record], text: bytes, where: str) -> Record:
    """A record of others. Raises SetupError where anything in it is not as it must be."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        told = f"{place}: {first['msg']}" if place else first["msg"]
        newer = "; a newer dda may have made it" if place == "format" else ""
        raise SetupError(f"{where} is refused: {told!s:.300}{newer}") from error


def of_folder(folder: Path) -> Manifest | None:
    """The manifest that a fetched set carries; None where there is none. Raises SetupError where it is damaged."""
    path = folder / NAME
    if not path.is_file():
        return None
    if path.stat().st_size > MAX_BYTES:
        raise SetupError(f"{path} is refused: it is larger than {MAX_BYTES} bytes")
    return parse(Manifest, path.read_bytes(), str(path))
