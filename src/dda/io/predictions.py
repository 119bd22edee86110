"""The table of predictions: a row per image and protocol, made in parts that an interrupted run finds again."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from dda.io import tables
from dda.io.atomic import remove_leftovers, whole
from dda.io.images import digest_of_set

COLUMNS = {
    "image_id": "str",
    "cluster": "str",
    "generator": "str",
    "source": "str",
    "label": "Int64",
    "protocol": "str",
    "views": "str",
    "logit": "Float64",
    "width": "Int64",
    "height": "Int64",
    "error": "str",
    "sha256": "str",
    "inference": "str",
}
"""`sha256` is that of the image's file; `inference` stands for all else that decides the logit."""
Row = dict[str, Any]
Known = dict[tuple[str, str], tuple[float, int, int]]
"""Logit, width and height by an image's sha256 and the inference that gave the logit."""


def path_of(folder: Path, detector: str, benchmark: str) -> Path:
    """Where the predictions of a detector on a benchmark lie."""
    return folder / detector / f"{benchmark}.parquet"


class Parts:
    """A table in the making, in a folder of its own: finished rows are there again after an interruption."""

    def __init__(self, folder: Path, path: Path) -> None:
        """`folder` holds the parts, `path` will be the whole table, and may be an earlier one that is added to."""
        self.folder, self.path = folder, path
        self.added: list[Path] = []
        remove_leftovers(folder)
        self._earlier = sorted(folder.glob("*.parquet"))

    def known(self, wanted: Iterable[str]) -> Known:
        """What earlier runs found by these inferences, whether they finished or not."""
        found: Known = {}
        for path in [self.path, *self._earlier]:
            if path.is_file():
                found |= _known(path, set(wanted))
        return found

    def add(self, rows: list[Row]) -> None:
        """Keep the next rows of the table, beside what an interrupted run has left."""
        path = self.folder / f"{len(self._earlier) + len(self.added):06d}.parquet"
        tables.write(path, rows, COLUMNS)
        self.added.append(path)

    def finish(self) -> None:
        """Put together what was added, in its order, in place of an earlier table."""
        from pyarrow import parquet

        schema = parquet.read_schema(self.added[0])
        with whole(self.path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
            for path in self.added:
                writer.write_table(parquet.read_table(path, schema=schema))
        shutil.rmtree(self.folder)


def _known(path: Path, wanted: set[str]) -> Known:
    """What a table holds by these inferences; nothing where it is no such table."""
    from pyarrow import ArrowException

    names = ["sha256", "inference", "logit", "width", "height"]
    try:
        table = pd.read_parquet(path, columns=names)
    except (OSError, ValueError, ArrowException):
        return {}  # of an earlier project, or damaged: made anew
    table = table[table["inference"].isin(wanted)].dropna()
    sha256, inference, logit, width, height = (table[name].to_list() for name in names)
    keys = zip(sha256, inference, strict=True)
    return dict(zip(keys, zip(logit, width, height, strict=True), strict=True))


def data_digest(table: pd.DataFrame) -> str:
    """Stands for the images of a table of one protocol; the same as `dda benchmarks check` prints."""
    columns = ["image_id", "label", "generator", "sha256", "error"]
    return digest_of_set(
        (row["image_id"], row["label"], row["generator"], row["sha256"] or f"unreadable: {row['error']}")
        for row in tables.records(table[columns])
    )


def selected(table: pd.DataFrame, protocol: str) -> pd.DataFrame:
    """The rows of one protocol."""
    return table[table["protocol"] == protocol]
