"""The benchmarks of the catalog: what they are, and how much of each is here.    dda benchmarks"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dda import catalog
from dda.core.errors import SetupError
from dda.core.labels import FAKE

WIDTH_OF_A_FILE = 100
ABSENT = "absent"


def run(folder: Path, as_json: bool) -> None:
    """Print the catalog's benchmarks as a table, or as one JSON document that has every fact. Images are not opened."""
    rows = {name: {**row, "state": state(row, folder / name)} for name, row in catalog.table("benchmarks").items()}
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    Console(width=None if Console().is_terminal else WIDTH_OF_A_FILE).print(overview(rows))


def state(row: Mapping[str, Any], folder: Path) -> str:
    """How much of a benchmark is in its folder, in words; a folder that is not what the row says is told so."""
    if not folder.is_dir():
        return ABSENT
    from dda.io import layouts

    try:
        labels = [image.label for image in layouts.labelled(row, folder) if image.path.exists()]
    except SetupError as error:
        return f"wrong: {error}"
    return compared(row["expected"], len(labels), labels.count(FAKE))


def compared(expected: Mapping[str, Any], n_images: int, n_fakes: int) -> str:
    """What these numbers are beside those that a row expects."""
    wanted, noun = n_expected(expected), ""
    if wanted is None and expected["fake"] is not None:
        wanted, n_images, noun = expected["fake"], n_fakes, " fakes"
    if wanted is None:
        return f"present, {n_images:,} image{'' if n_images == 1 else 's'}"
    if n_images == wanted:
        return "complete"
    return f"{'partial' if n_images < wanted else 'more'}: {n_images:,} of {wanted:,}{noun}"


def n_expected(expected: Mapping[str, Any]) -> int | None:
    """How many images a benchmark should have; None where nobody has verified it."""
    if "images" in expected:
        return int(expected["images"])
    return None if None in (expected["real"], expected["fake"]) else int(expected["real"] + expected["fake"])


def overview(rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """One line a benchmark; of a narrow terminal, states fold into the lines below."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    table.add_column("layout", no_wrap=True)
    table.add_column("images", no_wrap=True, justify="right")
    table.add_column("protocol", overflow="fold")
    table.add_column("state", overflow="fold")
    for name, row in rows.items():
        wanted = n_expected(row["expected"])
        table.add_row(name, row["layout"], "?" if wanted is None else f"{wanted:,}", row["protocol"], row["state"])
    return table
