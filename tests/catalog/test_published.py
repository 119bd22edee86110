"""Printed numbers: means and minima follow from their columns, or a footnote says that they do not."""

import statistics

import pytest

from dda import catalog
from dda.core import leaderboard

ROWS = catalog.table("published")
ROUNDING = 0.05 + 1e-9  # of a printed mean; its terms are rounded as well, evenly to both sides
BY_GENERATOR = [(name, benchmark) for name, row in ROWS.items() for benchmark in row["generators"]]


def agrees(row, benchmark, recomputed, rounding=ROUNDING):
    """Whether a printed score is what its columns say, or is footnoted with what they say."""
    note = row["footnotes"].get(benchmark, {})
    return abs(row["scores"][benchmark] - recomputed) <= rounding or note.get("recomputed") == round(recomputed, 1)


@pytest.mark.parametrize("name", ROWS)
def test_printed_averages_and_minima_follow_from_the_printed_scores(name):
    (row,) = leaderboard.rows({name: ROWS[name]["scores"]}, ROWS[name]["measures"], {})
    assert abs(row["average"] - ROWS[name]["average"]) <= ROUNDING
    assert row["minimum"] == ROWS[name]["minimum"]


@pytest.mark.parametrize(("name", "benchmark"), BY_GENERATOR)
def test_a_printed_score_and_spread_follow_from_its_generators(name, benchmark):
    row = ROWS[name]
    values = list(row["generators"][benchmark].values())
    assert agrees(row, benchmark, statistics.mean(values))
    if benchmark in row["spreads"]:
        assert abs(row["spreads"][benchmark] - statistics.stdev(values)) <= ROUNDING


def test_balanced_accuracies_follow_from_printed_accuracies_on_real_and_fake():
    row = ROWS["dda"]
    printed = row["accuracies"]["dda-coco"]
    values = [(printed["real"] + fake) / 2 for fake in printed["fake"].values()]
    assert agrees(row, "dda-coco", statistics.mean(values))
    assert abs(row["spreads"]["dda-coco"] - statistics.stdev(values)) <= ROUNDING


@pytest.mark.parametrize("name", ROWS)
def test_a_footnote_is_about_a_printed_score_and_names_both_numbers(name):
    for benchmark, note in ROWS[name]["footnotes"].items():
        other = note.get("recomputed", note.get("elsewhere"))
        assert note["printed"] == ROWS[name]["scores"][benchmark] != other
        assert f"{note['printed']}" in note["text"]
        assert f"{other}" in note["text"]


def test_the_known_contradictions_of_the_paper_are_footnoted():
    notes = {name: {key: one.get("recomputed") for key, one in row["footnotes"].items()} for name, row in ROWS.items()}
    assert notes["drct"] == {"synthbuster": 81.3}
    assert notes["aide"] == {"synthwildx": 54.7}
    assert set(notes["dda"]) == {"evalgen"}


def test_every_detector_is_printed_on_the_same_eleven_benchmarks_in_percent():
    assert len({tuple(row["scores"]) for row in ROWS.values()}) == 1
    for row in ROWS.values():
        assert len(row["scores"]) == 11
        assert all(0 < value <= 100 for value in row["scores"].values())
        assert row["source"]
        assert row["measures"] == {"evalgen": "accuracy_fake"}
        assert {*row["protocols"], *row["spreads"], *row["generators"], *row["footnotes"]} <= row["scores"].keys()
