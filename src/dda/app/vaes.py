"""The VAEs of the catalog: what they are, and whether their weights are here.    dda vaes"""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from dda import catalog
from dda.io import vaes

PREFIX = "Autoencoder"
WIDTH_OF_FULL_NAMES = 105


def run(as_json: bool) -> None:
    """Print the catalog's VAEs as a table, or as one JSON document that has every fact. Asks the hub nothing."""
    rows = {name: {**row, "state": vaes.state(row)} for name, row in catalog.table("vaes").items()}
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    console = Console(width=None if Console().is_terminal else 130)
    console.print(overview(rows, full=console.width >= WIDTH_OF_FULL_NAMES))


def overview(rows: dict[str, dict[str, Any]], full: bool) -> Table:
    """One line a VAE. Without room for full names, the first word of most classes moves into the column's name."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("name", "class" if full else PREFIX):
        table.add_column(name, no_wrap=True)
    for name in ("stride", "latent"):
        table.add_column(name, justify="right")
    for name in ("licence", "gated", "state", "revision"):
        table.add_column(name, no_wrap=name in ("state", "revision"))
    for name, row in rows.items():
        kind = row["class"] if full else row["class"].removeprefix(PREFIX)
        table.add_row(name, kind, str(row["stride"]), str(row["latent_channels"]), *facts(row))
    return table


def facts(row: dict[str, Any]) -> list[str]:
    """Licence, whether it is gated, state, and the first digits of the revision, as the table shows them."""
    pinned = row.get("revision", "main")[:8] if "source" in row else "-"
    return [row["licence"], "yes" if row.get("gated") else "no", row["state"], pinned]
