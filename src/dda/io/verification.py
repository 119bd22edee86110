"""Every byte of an aligned set checked: files against a manifest, shards as tars, images against pairs.parquet."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dda.core.errors import SetupError
from dda.io import manifests, pairs, photos, shards, tables, tars
from dda.io.manifests import TABLE, Manifest
from dda.io.progress import tracked

MAX_SHOWN = 20  # of one shard: a set that was cut in two needs no sentence for each of its images
SIDE_COLUMNS = ("name", "offset", "size", "sha256")
COLUMNS = ["image_id", "split", "shard", "error", *(f"{side}_{name}" for side in pairs.SIDES for name in SIDE_COLUMNS)]
Row = dict[str, Any]


def problems(folder: Path, manifest: Manifest | None) -> list[str]:
    """What is wrong with a set, a sentence each; without a manifest only the shards are known, by pairs.parquet.

    Raises SetupError where there is no set at all.
    """
    if not (folder / TABLE).is_file() and not manifest:
        raise SetupError(f"{folder} holds no aligned set: there is no {TABLE} in it; name a folder that has one")
    found = [reason for _, reason in differing(folder, manifest)] if manifest else []
    try:
        rows = rows_of(folder)
    except SetupError as error:
        return [*found, str(error)]
    used = sorted({str(row["shard"]) for row in rows})
    listed = {file.path for file in manifest.files} if manifest else {TABLE, *used}
    found += _others(folder, listed)
    check = partial(shard_differs, folder, by_shard(rows))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _, wrong in zip(tracked(used, f"images of {folder.name}"), threads.map(check, used), strict=True):
            found += wrong
    return found


def rows_of(folder: Path) -> list[Row]:
    """All rows of a set's table. Raises SetupError where it is none that can be read."""
    try:
        frame = tables.read(folder / TABLE)
    except (pa.ArrowException, OSError) as error:
        raise SetupError(f"{TABLE} cannot be read: {error!s:.200}") from error
    if missing := [name for name in COLUMNS if name not in frame.columns]:
        raise SetupError(f"{TABLE} has no column {missing[0]!r}: it is no table of pairs")
    return tables.records(frame)


def kinds_of_columns(folder: Path) -> dict[str, str]:
    """What each column of a set's table holds: `text`, `integer`, `number` or `truth`."""
    kinds = ((pa.types.is_boolean, "truth"), (pa.types.is_integer, "integer"), (pa.types.is_floating, "number"))
    schema = pq.read_schema(folder / TABLE)
    return {field.name: next((word for is_a, word in kinds if is_a(field.type)), "text") for field in schema}


def by_shard(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The good pairs of each shard, by its name."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["error"] is None:
            found.setdefault(str(row["shard"]), []).append(row)
    return found


def shard_differs(folder: Path, rows: dict[str, list[Row]], shard: str) -> list[str]:
    """What is wrong inside one shard: members and images."""
    mine = rows.get(shard, [])
    try:
        wrong = pairs.misplaced(folder, shard, mine) or [*_damaged(folder, shard, mine)]
        wrong += _not_named(folder / shard, mine) if pairs.SHARD_NAME.fullmatch(shard) else []
    except SetupError as error:
        return [str(error)]
    return wrong[:MAX_SHOWN] + ([f"and {len(wrong) - MAX_SHOWN} more of {shard}"] if len(wrong) > MAX_SHOWN else [])


def _damaged(folder: Path, shard: str, rows: list[Row]) -> Iterator[str]:
    for row in rows:
        for side in pairs.SIDES:
            content = shards.read_at(folder / shard, row[f"{side}_offset"], row[f"{side}_size"])
            if photos.sha256(content) != row[f"{side}_sha256"]:
                yield f"{row[f'{side}_name']} in {shard} is damaged: its sha256 is not that of {TABLE}"


def _not_named(shard: Path, rows: list[Row]) -> list[str]:
    named = {row[f"{side}_name"] for row in rows for side in pairs.SIDES} | {f"{row['image_id']}.json" for row in rows}
    others = [member.name for member in tars.members(shard) if member.name not in named]
    return [f"{name!a:.120} in {shard.name} belongs to no pair of {TABLE}" for name in others]


def differing(folder: Path, manifest: Manifest) -> list[tuple[manifests.File, str]]:
    """Files of the manifest that are missing in a folder or not what was published, each with a sentence for it."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        reasons = threads.map(lambda file: why_differs(folder / file.path, file), manifest.files)
        told = zip(tracked(manifest.files, f"files of {folder.name}"), reasons, strict=True)
        return [(file, reason) for file, reason in told if reason]


def why_differs(path: Path, file: manifests.File) -> str | None:
    """What is wrong with a file of a set, in a sentence; None where every byte is right."""
    if path.is_symlink() or not path.is_file():
        return f"{file.path} is missing"
    size = path.stat().st_size
    if size != file.size:
        return f"{file.path} has {size} bytes, not {file.size}"
    found = sha256(path)
    return None if found == file.sha256 else f"{file.path} is damaged: its sha256 is {found}, not {file.sha256}"


def sha256(path: Path) -> str:
    """The digest of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _others(folder: Path, listed: set[str]) -> list[str]:
    names = sorted(path.name for path in folder.iterdir())
    return [f"{name!a:.120} does not belong to the set" for name in names if name not in listed | {manifests.NAME}]
