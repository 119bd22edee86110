"""Benchmarks as Parquet files that hold the images themselves; only labels are read when they are listed."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError
from dda.io.cells import Cell
from dda.io.entries import columns_of, entry_of
from dda.io.images import LabelledImage, text

SHARD = re.compile(r"-[0-9]{5}-of-[0-9]{5}.*$")


def parquet(folder: Path, row: Mapping[str, Any]) -> Iterator[LabelledImage]:
    """A row for each image, file after file.

    Settings of the row: `files`, a pattern of paths below the folder; `columns`, which column is `image` (binary, or a
    struct with a field `bytes`), `label`, and perhaps `generator`, `source`, `cluster`; `labels`, the words for real
    and fake; `generator_is_file`, where a file holds one generator's images and its name says which.
    """
    if not folder.is_dir():
        raise SetupError(f"no benchmark folder at {folder}: put the benchmark there, then `dvc add data`")
    paths = sorted(path for path in folder.rglob(row["files"]) if ".cache" not in path.relative_to(folder).parts)
    for path in paths:
        yield from images_of(path, folder, row)


def images_of(path: Path, folder: Path, row: Mapping[str, Any]) -> Iterator[LabelledImage]:
    """The images of one file; an id is the file's path from `folder` and the number of the row, from 0.

    Raises SetupError where it is no Parquet file, or has not the columns that the row names.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield from _images(file, path, folder, row)
    except (OSError, pa.ArrowException) as error:
        raise SetupError(f"{path} cannot be read as Parquet: {error}; get the file again") from error


def _images(file: Any, path: Path, folder: Path, row: Mapping[str, Any]) -> Iterator[LabelledImage]:
    file_id, name = text(path.relative_to(folder).as_posix()), text(row.get("generator") or folder.name)
    columns = columns_of(row, dict.fromkeys(file.schema_arrow.names), path.name)
    image = columns.pop("image")
    _check_bytes(file.schema_arrow.field(image).type, image, path)
    names = _class_names(file.schema_arrow, columns["label"])
    told = {"generator": SHARD.sub("", path.stem)} if row.get("generator_is_file") else {}
    number = 0
    for group in range(file.num_row_groups):
        for place, cells in enumerate(_rows(file, group, columns)):
            cells["label"] = names.get(cells["label"], cells["label"])
            image_id = f"{file_id}#{number:06d}"
            facts = entry_of(cells | told, row, name, f"row {number} of {path.name}")
            cluster = facts.cluster or image_id
            cell = Cell(image, group, place)
            yield LabelledImage(image_id, cluster, facts.generator, facts.source, facts.label, path, cell)
            number += 1


def _rows(file: Any, group: int, columns: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The cells of each row of a row group, by what they mean."""
    for batch in file.iter_batches(1024, row_groups=[group], columns=sorted(set(columns.values()))):
        values = {meaning: batch.column(column).to_pylist() for meaning, column in columns.items()}
        for numbered in range(len(batch)):
            yield {meaning: value[numbered] for meaning, value in values.items()}


def _check_bytes(kind: Any, column: str, path: Path) -> None:
    import pyarrow as pa

    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise SetupError(f"column {column!r} of {path} is {kind}; expected bytes, or a struct with a field `bytes`")


def _class_names(schema: Any, column: str) -> dict[Any, str]:
    """The names of the numbers of a label, where `datasets` has written them into the file, else none."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return dict(enumerate(features[column]["names"]))
    except (KeyError, TypeError, ValueError):
        return {}
