"""Shards: tar files whose bytes depend on their content only, written whole, read at an offset."""

import ast
import hashlib
import json
import tarfile
from collections.abc import Iterable
from inspect import getsource
from io import BytesIO
from pathlib import Path
from typing import Any

from dda.io.atomic import read_json, whole, write_text

Place = tuple[int, int]
"""Where a member's bytes lie inside its shard: offset and size, in bytes."""


def path_of(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{number:05d}.tar"


def remove_others(folder: Path, numbers: Iterable[int]) -> None:
    """Delete shards of an earlier plan: DVC keeps this folder between runs, so that a killed run can go on."""
    wanted = {path_of(folder, number) for number in numbers}
    for shard in folder.glob("shard-*.tar"):
        if shard not in wanted:
            fingerprint_path(shard).unlink(missing_ok=True)
            shard.unlink()


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


def code_digest(*parts: Any) -> str:
    """A digest of what modules, classes or functions do: their code without comments, docstrings and layout.

    What they make is made anew when they change.
    """
    return hashlib.sha256("\0".join(_plain(getsource(part)) for part in parts).encode()).hexdigest()


def _plain(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    return ast.unparse(tree)


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a docstring, of whatever."""
    return isinstance(statement, ast.Expr) and isinstance(getattr(statement.value, "value", None), str)


def fingerprint_path(shard: Path) -> Path:
    """The small file beside a shard that holds its fingerprint and its rows; written last, so it means finished."""
    return shard.with_suffix(".json")


def finished_rows(shard: Path, expected: str) -> list[dict[str, Any]] | None:
    """The rows of a shard that is finished under this very fingerprint, else None; also where one file is damaged."""
    written = read_json(fingerprint_path(shard))
    same = shard.is_file() and written.get("fingerprint") == expected and written.get("bytes") == shard.stat().st_size
    return written.get("rows") if same else None


def finish(shard: Path, expected: str, rows: list[dict[str, Any]]) -> None:
    """Declare a shard finished."""
    facts = {"fingerprint": expected, "bytes": shard.stat().st_size, "rows": rows}
    write_text(fingerprint_path(shard), json.dumps(facts) + "\n")
