"""The points behind a report's plots as small CSV files, which `dvc plots` draws and compares."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from dda.core.findings import Findings
from dda.io.atomic import write_text

COLUMNS = {
    "roc": ("series", "fpr", "tpr"),
    "scores": ("series", "class", "logit", "images"),
    "reliability": ("series", "probability", "share_fake", "images"),
    "robustness": ("series", "protocol", "family", "strength", "metric", "value", "low", "high"),
}


def write(folder: Path, found: Iterable[Findings]) -> None:
    """`roc.csv`, `scores.csv`, `reliability.csv` and `robustness.csv`, each with all detectors and benchmarks."""
    rows: dict[str, list[Mapping[str, Any]]] = {name: [] for name in COLUMNS}
    for one in found:
        curves = one.curves()
        for name in ("roc", "reliability"):
            rows[name] += _rows(one.name, curves.get(name, {}))
        rows["scores"] += _scores(one.name, curves.get("scores", {}))
        points = one.robustness()
        rows["robustness"] += [
            {"series": f"{one.name}, {point['family']}, {point['metric']}", **point} for point in points
        ]
    for name, columns in COLUMNS.items():
        write_text(folder / f"{name}.csv", _text(columns, rows[name]))


def _rows(series: str, columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Columns of equal length as rows."""
    for values in zip(*columns.values(), strict=True):
        yield {"series": series, **dict(zip(columns, values, strict=True))}


def _scores(series: str, columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each class and bin, by the middle of the bin."""
    for row in _rows(series, columns):
        middle = (row["low"] + row["high"]) / 2
        for name in ("real", "fake"):
            yield {"series": f"{series}, {name}", "class": name, "logit": middle, "images": row[name]}


def _text(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _short(value) for name, value in row.items()})
    return text.getvalue()


def _short(value: Any) -> Any:
    """Six digits of a fraction: what a plot shows."""
    return f"{value:.6g}" if isinstance(value, float) else value
