from dda.core import leaderboard

SCORES = {"ours": {"genimage": 0.9, "evalgen": 0.99, "forensynths": 0.6}, "theirs": {"genimage": 0.8, "evalgen": 0.1}}
OVERLAPS = {"genimage": ["aigcdetectbenchmark"], "aigcdetectbenchmark": ["genimage", "forensynths"]}


def test_averages_are_given_with_and_without_sets_of_fakes_alone():
    ours, theirs = leaderboard.rows(SCORES, ["evalgen"], {})
    assert (round(ours["average"], 12), round(ours["average_of_both_classes"], 12)) == (0.83, 0.75)
    assert (theirs["average"], theirs["average_of_both_classes"]) == (0.45, 0.8)
    assert (ours["minimum"], ours["minimum_of"]) == (0.6, "forensynths")


def test_a_row_says_which_benchmarks_its_average_lacks():
    assert [row["missing"] for row in leaderboard.rows(SCORES, [], {})] == [[], ["forensynths"]]


def test_overlapping_benchmarks_are_never_averaged_without_a_word():
    found = {"ours": {"genimage": 0.9, "forensynths": 0.6, "aigcdetectbenchmark": 0.8}}
    (row,) = leaderboard.rows(found, [], OVERLAPS)
    assert [warning.partition(" share ")[0] for warning in row["warnings"]] == [
        "genimage and aigcdetectbenchmark",
        "forensynths and aigcdetectbenchmark",
    ]
    assert leaderboard.rows(SCORES, [], OVERLAPS)[0]["warnings"] == []


def test_a_detector_without_scores_has_no_averages():
    (row,) = leaderboard.rows({"new": {}}, [], {})
    assert row["average"] is row["average_of_both_classes"] is row["minimum"] is row["minimum_of"] is None
