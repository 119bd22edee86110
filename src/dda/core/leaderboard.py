"""Detectors by benchmarks: averages that say what they average."""

from collections.abc import Iterable, Mapping
from typing import Any

Scores = Mapping[str, Mapping[str, float]]
"""By detector and benchmark, in one unit: balanced accuracies, and accuracies on fake of sets without reals."""


def rows(scores: Scores, fakes_only: Iterable[str], overlaps: Mapping[str, Iterable[str]]) -> list[dict[str, Any]]:
    """A row for each detector, in the given order.

    `average` and `minimum` are over all its benchmarks, `average_of_both_classes` leaves out those of `fakes_only`,
    whose number is no balanced accuracy: one that calls everything fake gets all of them right. Averages compare only
    where `missing` is empty: benchmarks that another detector has. `warnings` has a sentence for each two benchmarks
    of a row that share images (`overlaps`, by either name), since an average counts those twice.
    """
    alone = set(fakes_only)
    known = list(dict.fromkeys(benchmark for found in scores.values() for benchmark in found))
    return [
        {
            "detector": detector,
            "scores": dict(found),
            "average": mean(found.values()),
            "average_of_both_classes": mean(value for name, value in found.items() if name not in alone),
            "minimum": min(found.values(), default=None),
            "minimum_of": min(found, key=lambda name: found[name], default=None),
            "missing": [name for name in known if name not in found],
            "warnings": warnings(found, overlaps),
        }
        for detector, found in scores.items()
    ]


def mean(values: Iterable[float]) -> float | None:
    """Their mean; None of nothing."""
    found = list(values)
    return sum(found) / len(found) if found else None


def warnings(benchmarks: Iterable[str], overlaps: Mapping[str, Iterable[str]]) -> list[str]:
    """A sentence for each two of these benchmarks that share images, each two once."""
    names = list(benchmarks)
    paired = {frozenset((name, other)) for name, others in overlaps.items() for other in others if name != other}
    return [
        f"{first} and {second} share images: an average counts those twice, and they are no independent evidence"
        for place, first in enumerate(names)
        for second in names[place + 1 :]
        if frozenset((first, second)) in paired
    ]
