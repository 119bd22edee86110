"""Facts about things we did not make, as tables: a row is enough to add one with a known shape."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from itertools import combinations
from typing import Any

import yaml

from dda.core.errors import SetupError, did_you_mean

SINGULAR = {
    "vaes": "VAE",
    "detectors": "detector",
    "benchmarks": "benchmark",
    "photos": "photo set",
    "generators": "generator",
    "published": "published detector",
}


@cache
def table(name: str) -> dict[str, dict[str, Any]]:
    """All rows of a table (`vaes`, `detectors`, `benchmarks`, `generators`) by their names."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((files(__package__) / f"{name}.yaml").read_text("utf-8"))
    return loaded


def get(name: str, row: str) -> dict[str, Any]:
    """One row. Raises SetupError with the nearest known name where there is none."""
    if row not in table(name):
        raise SetupError(f"no {SINGULAR[name]} {row!r} in the catalog. {did_you_mean(row, table(name))}")
    return table(name)[row]


def overlaps(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of these benchmarks that hold some of the same images, in the order of the names; unknown names have none.

    Their scores are not independent: no average may take them as if they were.
    """
    given, known = list(dict.fromkeys(names)), table("benchmarks")
    shared = {frozenset((one, other)) for one, row in known.items() for other in row["overlaps"]}
    return [pair for pair in combinations(given, 2) if frozenset(pair) in shared]
