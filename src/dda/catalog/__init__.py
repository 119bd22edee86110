"""Facts about things we did not make, as tables: a row is enough to add one with a known shape."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from dda.core.errors import SetupError, did_you_mean

SINGULAR = {
    "vaes": "VAE",
    "detectors": "detector",
    "benchmarks": "benchmark",
    "photos": "photo set",
    "published": "published detector",
}


@cache
def table(name: str) -> dict[str, dict[str, Any]]:
    """All rows of a table (`vaes`, `detectors`, `benchmarks`) by their names."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((files(__package__) / f"{name}.yaml").read_text("utf-8"))
    return loaded


def get(name: str, row: str) -> dict[str, Any]:
    """One row. Raises SetupError with the nearest known name where there is none."""
    if row not in table(name):
        raise SetupError(f"no {SINGULAR[name]} {row!r} in the catalog. {did_you_mean(row, table(name))}")
    return table(name)[row]
