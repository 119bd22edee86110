"""How files were compressed, and the grid that their pixels show.    dda jpeg-info PATH... [--tables] [--json]"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dda.core.bands import BLOCK_PX
from dda.core.errors import SetupError
from dda.core.grids import GridPhase, grid_and_earlier
from dda.core.jpeg import Tables
from dda.io import examination, photos, progress

MAX_PIXELS = 200_000_000
COLUMNS = ("path", "format", "size", "mode", "quality", "chroma", "scans", "tables", "grid phase", "note")
ABSENT = "-"


@dataclass(frozen=True)
class Report:
    """What one file is, or in `error` why it cannot be read; `earlier`: a JPEG's second grid, of a JPEG before it."""

    path: str
    error: str | None = None
    image: examination.Examined | None = None
    grid: GridPhase | None = None
    earlier: GridPhase | None = None


def run(paths: Sequence[Path], tables: bool, as_json: bool) -> int:
    """Print a line for each file, in folders too, or one JSON document; gives back how many could not be read.

    `tables` also prints the quantisation tables, each set once. Raises SetupError where a path is not there, or where
    there are no files.
    """
    reports = examined(files_of(paths))
    return print_json(reports) if as_json else print_table(reports, tables)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and everything below folders; each once. Raises SetupError where nothing is."""
    for path in paths:
        if not os.path.lexists(path):
            raise SetupError(f"{printable(str(path))} is not there, or cannot be reached: name files and folders")
    files = [file for path in paths for file in (photos.find(path) if path.is_dir() else (path,))]
    if not files:
        raise SetupError(f"no files in {', '.join(printable(str(path)) for path in paths)}: name others")
    return list(dict.fromkeys(files))


def examined(files: Sequence[Path]) -> Iterator[Report]:
    """What each file is, one at a time, with progress on standard error."""
    for file in progress.tracked(files, "jpeg-info"):
        try:
            image = examination.examine(photos.read_bytes(file), MAX_PIXELS)
        except photos.PhotoRejected as rejection:
            yield Report(str(file), str(rejection))
        else:
            grid, earlier = grid_and_earlier(image.luminance)
            yield Report(str(file), None, image, grid, earlier if image.jpeg else None)


def print_json(reports: Iterable[Report]) -> int:
    """One document on standard output, a line for each file, written while files are read."""
    failed, before = 0, "[\n"
    for report in reports:
        failed += report.error is not None
        print(before + json.dumps(facts(report)), end="")
        before = ",\n"
    print("\n]")
    return failed


def facts(report: Report) -> dict[str, Any]:
    """Every fact of a file, None where it has none; tables are 64 divisors each, row by row."""
    image = report.image
    jpeg = image.jpeg if image else None
    return {
        "path": report.path,
        "error": report.error,
        "format": image.format if image else None,
        "width": image.luminance.shape[1] if image else None,
        "height": image.luminance.shape[0] if image else None,
        "mode": image.mode if image else None,
        "quality": jpeg.quality if jpeg else None,
        "quality_exact": jpeg.quality_exact if jpeg else None,
        "subsampling": jpeg.subsampling if jpeg else None,
        "progressive": jpeg.progressive if jpeg else None,
        "tables_digest": jpeg.tables_digest if jpeg else None,
        "tables": jpeg.tables if jpeg else None,
        "grid": place(report.grid),
        "earlier_grid": place(report.earlier),
    }


def place(grid: GridPhase | None) -> dict[str, float] | None:
    """A grid as the document has it."""
    return {"x": grid.x, "y": grid.y, "strength": round(grid.strength, 2)} if grid else None


def print_table(reports: Iterable[Report], tables: bool) -> int:
    """A line for each file and, if asked for, the tables below; a pipe gets lines that are as long as they need be."""
    lines, sets, files_with, failed = [], dict[str, Tables](), Counter[str](), 0
    for report in reports:
        lines.append(cells(report))
        failed += report.error is not None
        if tables and report.image and report.image.jpeg:
            jpeg = report.image.jpeg
            sets[jpeg.tables_digest] = jpeg.tables
            files_with[jpeg.tables_digest] += 1
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=room(lines))
    console.print(overview(lines))
    for digest, divisors in sets.items():
        print(f"\ntables {digest}, files: {files_with[digest]}\n" + "\n\n".join(matrix(table) for table in divisors))
    return failed


def cells(report: Report) -> list[str]:
    """The words of a file's line, fit for a terminal."""
    image = report.image
    if image is None:
        words = [report.path, *[ABSENT] * 8, report.error or ""]
        return [printable(word) for word in words]
    height, width = image.luminance.shape
    compression = [ABSENT] * 4
    if jpeg := image.jpeg:
        mark = "exact" if jpeg.quality_exact else "nearest"
        scans = "progressive" if jpeg.progressive else "baseline"
        compression = [f"{jpeg.quality} {mark}", jpeg.subsampling, scans, jpeg.tables_digest]
    phase = in_words(report.grid) if report.grid else "none found"
    return [printable(report.path), image.format, f"{width}x{height}", image.mode, *compression, phase, note(report)]


def note(report: Report) -> str:
    """What a grid tells of the file's past; a JPEG's own begins in its upper left corner."""
    if report.image and report.image.jpeg is None:
        return "was a JPEG before" if report.grid else ""
    return f"was another JPEG before, grid {in_words(report.earlier)}" if report.earlier else ""


def in_words(grid: GridPhase) -> str:
    """A grid as the table has it: left and upper edge of its first block, and the strength."""
    return f"{grid.x},{grid.y} ({grid.strength:.1f})"


def overview(lines: Sequence[Sequence[str]]) -> Table:
    """A line for each file; long names are folded, nothing is cut off."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    for line in lines:
        table.add_row(*(Text(word) for word in line))
    return table


def room(lines: Sequence[Sequence[str]]) -> int:
    """The width at which no line is folded."""
    widths = [max(map(cell_len, column)) for column in zip(COLUMNS, *lines, strict=True)]
    return sum(widths) + len(widths)


def matrix(table: Sequence[int]) -> str:
    """64 divisors as 8 rows of 8."""
    rows = (table[start : start + BLOCK_PX] for start in range(0, len(table), BLOCK_PX))
    return "\n".join(" ".join(f"{divisor:3d}" for divisor in row) for row in rows)


def printable(text: str) -> str:
    """Text in which whatever could steer a terminal, or is not UTF-8, is written as an escape."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
