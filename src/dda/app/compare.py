"""Two detectors on the same images of every benchmark that both have judged.    dda compare A B"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from dda.core.comparison import compare
from dda.core.errors import SetupError, did_you_mean
from dda.core.judgements import Settings
from dda.io import predictions, tables
from dda.params import Params

LEFT_OUT = ("only_first", "only_second", "other_bytes", "unreadable_first", "unreadable_second", "unreadable_both")
COLUMNS = ("benchmark", "protocol", "images", "left out", "balanced accuracy", "AUROC", "right alone", "McNemar p")


def run(params: Params, first: str, second: str, as_json: bool) -> None:
    """Print a table with a line for each benchmark and protocol, or one JSON document with every number.

    Raises SetupError where a detector has no predictions, where both have none in common, or where their tables
    contradict each other.
    """
    found = {
        f"{benchmark}, {protocol}": {"benchmark": benchmark, "protocol": protocol, **compared}
        for (benchmark, protocol), compared in comparisons(params, first, second).items()
    }
    if as_json:
        print(json.dumps({"first": first, "second": second, "comparisons": list(found.values())}, indent=2))
        return
    console = Console(width=None if Console().is_terminal else 150)
    console.print(overview(first, second, found))


def comparisons(params: Params, first: str, second: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What core.comparison finds, by benchmark and protocol that both detectors have predictions of."""
    files = [files_of(params.paths.predictions, name) for name in (first, second)]
    settings = Settings(params.report.bootstrap_samples, params.report.seed)
    found = {}
    for benchmark in sorted(files[0].keys() & files[1].keys()):
        one, other = (tables.read(names[benchmark]) for names in files)
        for protocol in sorted(set(one["protocol"]) & set(other["protocol"])):
            first_rows, second_rows = (predictions.selected(table, protocol) for table in (one, other))
            found[benchmark, protocol] = compared(first_rows, second_rows, benchmark, settings)
    if not found:
        told = "; ".join(
            f"{name} has {', '.join(sorted(one))}" for name, one in zip((first, second), files, strict=True)
        )
        raise SetupError(f"no benchmark and protocol that both have judged: {told}. Run `dda evaluate` on one of them")
    return found


def compared(first: pd.DataFrame, second: pd.DataFrame, benchmark: str, settings: Settings) -> dict[str, Any]:
    """One benchmark in one protocol. Raises SetupError where the tables contradict each other."""
    try:
        return compare(first, second, settings)
    except ValueError as error:
        raise SetupError(f"predictions on {benchmark} cannot be compared: {error}. Evaluate both again") from error


def files_of(folder: Path, detector: str) -> dict[str, Path]:
    """A detector's tables of predictions by benchmark. Raises SetupError where there is none."""
    found = {path.stem: path for path in sorted((folder / detector).glob("*.parquet"))}
    if not found:
        known = {path.parent.name for path in folder.glob("*/*.parquet")}
        raise SetupError(f"no predictions of {detector!r} in {folder}. {did_you_mean(detector, known)}")
    return found


def overview(first: str, second: str, found: Mapping[str, dict[str, Any]]) -> Table:
    """A line a comparison: differences with their intervals, and on how many images just one of both is right."""
    title = f"{first} minus {second}, 95 % bootstrap intervals over clusters of the same images"
    table = Table(title=title, title_justify="left")
    for name in COLUMNS:
        table.add_column(name, no_wrap=name in ("benchmark", "protocol"))
    for one in found.values():
        counts, judged = one["counts"], one["mcnemar"]
        left_out = [f"{counts[name]} {name.replace('_', ' ')}" for name in LEFT_OUT if counts[name]]
        alone = f"{judged['only_first_right']} : {judged['only_second_right']}"
        numbers = [shown(one[name]) for name in ("balanced_accuracy", "auroc")]
        images = f"{counts['n_real']} real, {counts['n_fake']} fake"
        cells = (images, ", ".join(left_out) or "none", *numbers, alone, f"{judged['p_value']:.2g}")
        table.add_row(one["benchmark"], one["protocol"], *cells)
    return table


def shown(difference: dict[str, Any] | None) -> str:
    """A difference with its interval, signed, or a dash where there is none."""
    if difference is None:
        return "-"
    ends = "" if difference["low"] is None else f" \\[{difference['low']:+.3f}, {difference['high']:+.3f}]"
    return f"{difference['value']:+.3f}{ends}"
