import pytest

from dda import catalog
from dda.core import standings
from dda.core.standings import Origin

SCORE = {"value": 0.8, "low": 0.7, "high": 0.9, "spread": 0.05, "generators": 2, "measure": "balanced_accuracy"}
PUBLISHED, BENCHMARKS = catalog.table("published"), catalog.table("benchmarks")


def origin(benchmark="genimage", protocol="fakes-q96", images=100_000, unreadable=0, **score):
    return Origin("mine", benchmark, protocol, 0, 1000, "d" * 32, "w" * 64, images, unreadable, SCORE | score)


def own_cell(one):
    """The cell of a detector that was judged on this alone, and the words of its footnotes."""
    table = standings.table(PUBLISHED, BENCHMARKS, {"mine": [one]})
    (row,) = table["groups"][0]["rows"]
    (cell,) = [cell for cell in row["cells"] if cell]
    return cell, " ".join(table["footnotes"][number - 1] for number in cell["notes"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_printed_numbers_appear_unchanged_each_in_its_column(name):
    table = standings.table(PUBLISHED, BENCHMARKS, {})
    row = next(row for row in table["groups"][1]["rows"] if row["name"] == name)
    found = {column["name"]: cell for column, cell in zip(table["columns"], row["cells"], strict=True) if cell}
    assert {key: cell["value"] for key, cell in found.items()} == PUBLISHED[name]["scores"]
    assert {key: cell["spread"] for key, cell in found.items() if cell["spread"]} == PUBLISHED[name]["spreads"]
    assert {key for key, cell in found.items() if cell["notes"]} == set(PUBLISHED[name]["footnotes"])
    assert (row["average"], row["minimum"]) == (PUBLISHED[name]["average"], PUBLISHED[name]["minimum"])


def test_a_number_of_the_whole_benchmark_by_the_papers_protocol_needs_no_word():
    cell, words = own_cell(origin())
    assert [round(cell[key], 9) for key in ("value", "low", "high", "spread")] == [80, 70, 90, 5]
    assert words == ""
    assert cell["origin"].data_digest == "d" * 32


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (origin(protocol="native"), "Judged native, where the paper saves fakes again"),
        (origin(images=112), "part of the benchmark"),
        (origin(unreadable=3), "unreadable"),
        (origin(measure="accuracy_fake"), "Without reals"),
        (origin("forensynths", images=110), "Nobody has verified"),
    ],
)
def test_whatever_qualifies_a_number_is_a_footnote(one, word):
    assert word in own_cell(one)[1]


def test_what_nobody_judged_stays_empty_and_averages_say_over_how_many():
    table = standings.table(PUBLISHED, BENCHMARKS, {"mine": [origin()], "new": []})
    mine, new = table["groups"][0]["rows"]
    assert (sum(cell is None for cell in mine["cells"]), mine["n_benchmarks"]) == (10, 1)
    assert set(map(str, new["cells"])) == {"None"}
    assert new["average"] is new["minimum"] is None


def test_a_benchmark_that_the_paper_has_not_gets_a_column_of_its_own():
    table = standings.table(PUBLISHED, BENCHMARKS, {"mine": [origin("mnw", "native")]})
    assert [column["name"] for column in table["columns"]][-1] == "mnw"
    assert any(line.startswith("GenImage and AIGCDetectBenchmark share images") for line in table["warnings"])
