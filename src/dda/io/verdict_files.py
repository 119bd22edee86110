"""Verdicts for programs: CSV and Parquet files of rows, and one JSON document."""

import csv
import errno
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from dda.core.errors import SetupError
from dda.core.verdicts import COLUMNS
from dda.io import atomic

STDOUT = "-"
NUMBERS = dict.fromkeys(("probability", "logit", "threshold", "uncertain_from", "uncertain_to", "seen"), "Float64")
KINDS = {**NUMBERS, "calibrated": "boolean", "width": "Int64", "height": "Int64"}
Row = Mapping[str, Any]


class Csv:
    """Writes rows as they come: to standard output at once, to a file whole at the end."""

    def __init__(self, file: IO[str], more: Sequence[str] = ()) -> None:
        self.file = file
        self.writer = csv.DictWriter(file, [*COLUMNS, *more], extrasaction="ignore", lineterminator="\n")
        self.writer.writeheader()

    def add(self, row: Row) -> None:
        """Write a row; a reader of a pipe sees it now."""
        self.writer.writerow(flat(row))
        self.file.flush()


def write_csv(path: Path, rows: Sequence[Row], more: Sequence[str]) -> None:
    """All rows as a CSV file, UTF-8."""
    with atomic.whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = Csv(file, more)
        for row in rows:
            table.writer.writerow(flat(row))


def write_parquet(path: Path, rows: Sequence[Row], more: Sequence[str]) -> None:
    """All rows as a Parquet file."""
    from dda.io import tables

    names = [*COLUMNS, *more]
    kinds = {name: KINDS.get(name, "string") for name in names}
    tables.write(path, [{name: value for name, value in flat(row).items() if name in names} for row in rows], kinds)


def flat(row: Row) -> dict[str, Any]:
    """A row whose values are words and numbers: notes and facts as sentences, one after the other."""
    told = dict(row, notes="; ".join(row["notes"]))
    if facts := row.get("facts"):
        told["facts"] = " ".join(facts.get("sentences", []))
    return told


def check_writable(path: Path) -> None:
    """Raise SetupError where no file can be written at a path: before the work that would be lost, not after."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror}: name another place") from error
