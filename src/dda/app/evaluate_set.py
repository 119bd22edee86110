"""A detector judged on a set of one's own.    dda evaluate DETECTOR --data DIR --output DIR"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dda.core import protocols, scores
from dda.core.errors import SetupError
from dda.io import atomic, inference, judges, layouts, predictions, tables
from dda.io.detectors import described
from dda.io.page import shown as number
from dda.io.progress import shown

MAX_PIXELS = 200_000_000
BATCH = 32
SHOWN = ("accuracy_real", "accuracy_fake", "balanced_accuracy", "auroc")


@dataclass(frozen=True)
class Settings:
    """How a set is judged; `samples` are those of the bootstrap."""

    protocols: tuple[str, ...]
    views: str
    precision: str
    seed: int
    samples: int


def run(folder: Path, data: Path, output: Path, settings: Settings) -> None:
    """Write predictions.parquet and metrics.json to a folder; what is there of an earlier run is not asked again.

    Raises SetupError for a set that is none, a folder without a detector, or a protocol that is not known.
    """
    asked = _question(settings)
    images = list(layouts.own(data))
    judge = judges.load(folder, settings.precision)
    path = output / "predictions.parquet"
    parts = predictions.Parts(output / "unfinished", path)
    with shown(f"evaluate {folder.name} on {data.name}", len(images) * len(asked.protocols), "images") as advance:
        counts = judges.run(judge, asked, images, parts, advance)
    print(counts.told(f"{folder.name} on {data}", len(images), len(asked.protocols)))
    calibration = described(folder)["calibration"]
    chosen = scores.Settings(settings.samples, settings.seed, calibration["temperature"], calibration["thresholds"])
    table = tables.read(path)
    found = {name: scores.numbers(predictions.selected(table, name), chosen) for name in settings.protocols}
    digest = predictions.data_digest(predictions.selected(table, settings.protocols[0]))
    facts = {"detector": str(folder), "detector_digest": judge.digest, "data": str(data), "data_digest": digest}
    atomic.write_json(output / "metrics.json", {**facts, "seed": settings.seed, "protocols": found})
    Console(width=None if Console().is_terminal else 130).print(_shown(found))
    print(f"{path}\n{output / 'metrics.json'}")


def _question(settings: Settings) -> inference.Question:
    try:
        asked = tuple(map(protocols.parse, dict.fromkeys(settings.protocols)))
    except ValueError as error:
        raise SetupError(str(error)) from error
    return inference.Question(asked, settings.views, settings.seed, MAX_PIXELS, BATCH)


def _shown(found: dict[str, dict[str, Any]]) -> Table:
    """The numbers that people ask for first; metrics.json has all."""
    table = Table(title="95 % bootstrap intervals over clusters of images", title_justify="left")
    for name in ("protocol", "real", "fake", "not judged", *(name.replace("_", " ") for name in SHOWN)):
        table.add_column(name)
    for name, numbers in found.items():
        counted = (str(numbers[key]) for key in ("n_real", "n_fake", "failed"))
        table.add_row(name, *counted, *(escape(number(numbers[key])) for key in SHOWN))
    return table
