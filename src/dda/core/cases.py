"""What a number of the report is of: a detector on a benchmark under a protocol."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

NATIVE = "native"
PAPER_SAVES_AGAIN = "fakes-q96"


class Case(NamedTuple):
    """A detector on a benchmark under a protocol; it reads as `embedded on genimage, fakes-q96`."""

    detector: str
    benchmark: str
    protocol: str

    def __str__(self) -> str:
        named = f"{self.detector} on {self.benchmark}"
        return named if self.protocol == NATIVE else f"{named}, {self.protocol}"


def ordered(found: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """Protocols in the order in which they are wanted, `native` before all; those that nobody wanted last, by name."""
    places = {name: place for place, name in enumerate([NATIVE, *(name for name in wanted if name != NATIVE)])}
    return sorted(set(found), key=lambda name: (places.get(name, len(places)), name))


def compared_with_paper(protocol_of_row: str, found: Iterable[str]) -> str | None:
    """Of the protocols found, the one whose number stands beside the paper's: the paper's own, else `native`."""
    known = set(found)
    wanted = PAPER_SAVES_AGAIN if protocol_of_row == PAPER_SAVES_AGAIN else NATIVE
    return next((name for name in (wanted, NATIVE) if name in known), None)


def nested(summaries: Mapping[Case, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Summaries by detector, then benchmark, then protocol."""
    tree: dict[str, dict[str, dict[str, Any]]] = {}
    for case, summary in summaries.items():
        tree.setdefault(case.detector, {}).setdefault(case.benchmark, {})[case.protocol] = summary
    return tree


def flat(summaries: Mapping[Case, Mapping[str, Any]], detector: str) -> Iterator[tuple[str, float]]:
    """A detector's numbers as `genimage/native/auroc`, and the ends of their intervals as `..._low` and `..._high`."""
    for case, summary in summaries.items():
        if case.detector == detector:
            for name, found in summary.items():
                yield from _named(f"{case.benchmark}/{case.protocol}/{name}", found)


def _named(name: str, found: Any) -> Iterator[tuple[str, float]]:
    if isinstance(found, (int, float)):
        yield name, found
    elif isinstance(found, Mapping) and "value" in found:
        ends = {name: found["value"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
        yield from ((key, value) for key, value in ends.items() if value is not None)
