"""Shards: tar files whose bytes depend on their content only, written whole, read at an offset."""

import hashlib
import json
import tarfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

from dda.io.atomic import whole, write_text

Place = tuple[int, int]
"""Where a member's bytes lie inside its shard: offset and size, in bytes."""


def write_shard(path: Path, members: Iterable[tuple[str, bytes]]) -> dict[str, Place]:
    """Write (name, bytes) members in the given order; where each one lies. Same members, same bytes of the file."""
    places: dict[str, Place] = {}
    with (
        whole(path) as temporary,
        tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in members:
            if name in places:
                raise ValueError(f"{path.name} would hold two members named {name}")
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            start = tar.offset
            tar.addfile(member, BytesIO(content))
            header = tar.offset - start - _padded(len(content))
            places[name] = (start + header, len(content))
    return places


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def read_at(path: Path, offset: int, size: int) -> bytes:
    """One member's bytes, by its place. Raises ValueError where the shard is shorter than that."""
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(size)
    if len(content) != size:
        raise ValueError(f"{path} ends before byte {offset + size}: the shard is damaged, make it again")
    return content


def fingerprint(*facts: Any) -> str:
    """A digest of everything that makes a shard: configuration, inputs, version of the code."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def code_digest(*modules: ModuleType) -> str:
    """A digest of the source text of modules: what they make is made anew when they change."""
    sources = [Path(module.__file__ or "").read_bytes() for module in modules]
    return hashlib.sha256(b"\0".join(sources)).hexdigest()


def fingerprint_path(shard: Path) -> Path:
    """The small file beside a shard that holds its fingerprint and its rows; written last, so it means finished."""
    return shard.with_suffix(".json")


def finished_rows(shard: Path, expected: str) -> list[dict[str, Any]] | None:
    """The rows of a shard that is finished under this very fingerprint, else None."""
    if not (shard.is_file() and fingerprint_path(shard).is_file()):
        return None
    written = json.loads(fingerprint_path(shard).read_text())
    return written["rows"] if written["fingerprint"] == expected else None


def finish(shard: Path, expected: str, rows: list[dict[str, Any]]) -> None:
    """Declare a shard finished."""
    write_text(
        fingerprint_path(shard),
        json.dumps({"fingerprint": expected, "rows": rows}) + "\n",
    )
