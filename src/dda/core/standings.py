"""The leaderboard's table: our detectors beside printed numbers, in percent, with what qualifies each number."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dda.core import leaderboard
from dda.core.cases import PAPER_SAVES_AGAIN

Row = Mapping[str, Any]
ALL_ALONE = "Fakes alone: the number is the share of fakes found, which a detector that calls everything fake wins"


@dataclass(frozen=True)
class Origin:
    """Where one of our numbers is from; `score` is that of core.scores.benchmark_score, as a share."""

    detector: str
    benchmark: str
    protocol: str
    seed: int
    samples: int
    data_digest: str
    detector_digest: str
    images: int
    unreadable: int
    score: Mapping[str, Any]


@dataclass
class Notes:
    """Footnotes, numbered as they come; the same words have the same number."""

    texts: list[str] = field(default_factory=list)

    def number(self, text: str) -> int:
        """The number of a footnote, from 1."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def table(published: Mapping[str, Row], benchmarks: Mapping[str, Row], ours: Mapping[str, Sequence[Origin]]) -> Any:
    """Everything that a leaderboard says: `columns`, `groups` of rows, `footnotes`, `warnings`, `origins`.

    `published` and `benchmarks` are rows of the catalog; `ours` has a list for every detector, empty where it was
    judged on nothing. A cell is None where there is no number. Printed averages and minima stay as they are printed.
    """
    notes = Notes()
    judged = {origin.benchmark for found in ours.values() for origin in found}
    columns = [_column(name, benchmarks[name], notes) for name in _names(published, judged, benchmarks)]
    by_name = {column["name"]: column for column in columns}
    mine = {name: {one.benchmark: one for one in found} for name, found in ours.items()}
    scores = {name: {key: 100 * one.score["value"] for key, one in found.items()} for name, found in mine.items()}
    printed = {name: row["scores"] for name, row in published.items()}
    averages = {
        **{("ours", row["detector"]): row for row in _averaged(scores, by_name, benchmarks)},
        **{("published", row["detector"]): row for row in _averaged(printed, by_name, benchmarks)},
    }
    own_rows = [_own_row(name, found, averages["ours", name], by_name, notes) for name, found in mine.items()]
    ranked = sorted(published.items(), key=lambda item: -item[1]["average"])
    theirs = [_printed_row(name, row, averages["published", name], by_name, notes) for name, row in ranked]
    warned = [line for row in averages.values() for line in row["warnings"]]
    return {
        "columns": columns,
        "groups": [{"title": "Ours", "rows": own_rows}, {"title": "Published", "rows": theirs}],
        "footnotes": notes.texts,
        "warnings": list(dict.fromkeys(warned)),
        "origins": [origin for found in ours.values() for origin in found],
    }


def _names(published: Mapping[str, Row], judged: Iterable[str], benchmarks: Mapping[str, Row]) -> list[str]:
    """Benchmarks with a number: printed ones in their order, then ours in the catalog's."""
    printed = [benchmark for row in published.values() for benchmark in row["scores"]]
    return list(dict.fromkeys([*printed, *(name for name in benchmarks if name in set(judged))]))


def _column(name: str, row: Row, notes: Notes) -> dict[str, Any]:
    sides = [row["expected"].get(side) for side in ("real", "fake")]
    return {
        "name": name,
        "title": short(row["title"]),
        "protocol": row["protocol"],
        "saves_again": row["protocol"] == PAPER_SAVES_AGAIN,
        "fakes_only": row["fakes_only"],
        "expected": None if None in sides else sum(sides),
        "notes": [notes.number(ALL_ALONE)] if row["fakes_only"] else [],
    }


def short(title: str) -> str:
    """A title without what it says in brackets."""
    return title.partition(" (")[0]


def _averaged(scores: leaderboard.Scores, columns: Mapping[str, Row], benchmarks: Mapping[str, Row]) -> list[Any]:
    """Rows of core.leaderboard, by the titles of benchmarks."""
    title = {name: column["title"] for name, column in columns.items()}
    alone = [column["title"] for column in columns.values() if column["fakes_only"]]
    overlaps = {title[name]: [title.get(one, one) for one in benchmarks[name]["overlaps"]] for name in title}
    titled = {name: {title[key]: value for key, value in found.items()} for name, found in scores.items()}
    return leaderboard.rows(titled, alone, overlaps)


def _own_row(name: str, found: Mapping[str, Origin], averages: Row, columns: Mapping[str, Row], notes: Notes) -> Any:
    cells = [_own_cell(found[key], column, notes) if key in found else None for key, column in columns.items()]
    return {"title": name, "source": None, "cells": cells, **_ends(averages, len(found))}


def _own_cell(origin: Origin, column: Row, notes: Notes) -> dict[str, Any]:
    score = origin.score
    value, low, high, spread = (
        None if score[key] is None else 100 * score[key] for key in ("value", "low", "high", "spread")
    )
    wanted, marks = column["protocol"], []
    if column["saves_again"] and origin.protocol != PAPER_SAVES_AGAIN:
        marks.append(notes.number(f"Judged {origin.protocol}, where the paper saves fakes again as JPEG ({wanted})"))
    if column["expected"] and origin.images != column["expected"]:
        marks.append(notes.number("Judged on a part of the benchmark; the table of origins says on how many images"))
    if not column["expected"]:
        marks.append(notes.number("Nobody has verified how many images the whole benchmark has"))
    if origin.unreadable:
        marks.append(notes.number("Some images were unreadable and are in no number: the benchmark's page lists them"))
    if not column["fakes_only"] and score["measure"] == "accuracy_fake":
        marks.append(notes.number("Without reals, the share of fakes found instead of a balanced accuracy"))
    return {"value": value, "low": low, "high": high, "spread": spread, "notes": marks, "origin": origin}


def _printed_row(name: str, row: Row, averages: Row, columns: Mapping[str, Row], notes: Notes) -> Any:
    cells = []
    for key in columns:
        note = row["footnotes"].get(key)
        marks = [notes.number(f"{row['title']} on {columns[key]['title']}: {note['text']}")] if note else []
        spread = row["spreads"].get(key)
        value = row["scores"].get(key)
        cell = {"value": value, "low": None, "high": None, "spread": spread, "notes": marks, "origin": None}
        cells.append(None if value is None else cell)
    ends = _ends(averages, len(row["scores"])) | {"average": row["average"], "minimum": row["minimum"]}
    return {"title": row["title"], "name": name, "source": row["source"], "cells": cells, **ends}


def _ends(averages: Row, n_benchmarks: int) -> dict[str, Any]:
    names = ("average", "average_of_both_classes", "minimum", "minimum_of")
    return {**{name: averages[name] for name in names}, "n_benchmarks": n_benchmarks}
