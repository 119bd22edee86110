"""`dda compare`: every benchmark and protocol that both detectors have judged."""

import json
import subprocess

import pandas as pd
import pytest

from dda.app import compare as verb
from dda.core.errors import SetupError
from tests import judged


@pytest.fixture
def params(project):
    """A project with predictions of two detectors: `own` in two protocols, `chameleon` of one of them alone."""
    made = project({})
    table = judged.table(30)
    for name, shift in (("old", 0.0), ("new", 0.6)):
        folder = made.paths.predictions / name
        folder.mkdir(parents=True)
        better = table.assign(logit=table["logit"] + (2 * table["label"] - 1) * shift)
        better.loc[0, "logit"] = pd.NA if name == "old" else 0.5
        pd.concat([better, better.assign(protocol="all-q96")]).to_parquet(folder / "own.parquet")
    better.to_parquet(made.paths.predictions / "new/chameleon.parquet")
    return made


def test_every_benchmark_and_protocol_that_both_have_is_compared(params, capsys):
    verb.run(params, "new", "old", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["first"], found["second"]) == ("new", "old")
    assert [(one["benchmark"], one["protocol"]) for one in found["comparisons"]] == [
        ("own", "all-q96"),
        ("own", "native"),
    ]
    one = found["comparisons"][1]
    assert one["auroc"]["value"] > 0
    assert (one["counts"]["images"], one["counts"]["unreadable_second"]) == (59, 1)


def test_the_table_shows_differences_and_what_was_left_out(params):
    command = ["dda", "compare", "new", "old"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "new minus old" in out
    assert "1 unreadable second" in out
    assert out.count("29 real, 30 fake") == 2
    assert out.count(" [+") >= 2


def test_a_detector_without_predictions_is_answered_with_the_nearest(params):
    with pytest.raises(SetupError, match=r"no predictions of 'newer' in .*Did you mean 'new'\? Known: new, old"):
        verb.run(params, "newer", "old", as_json=False)


def test_nothing_in_common_is_told_with_what_each_has(params):
    (params.paths.predictions / "old/own.parquet").rename(params.paths.predictions / "old/genimage.parquet")
    with pytest.raises(SetupError, match=r"new has chameleon, own; old has genimage"):
        verb.run(params, "new", "old", as_json=False)


def test_tables_that_contradict_each_other_are_a_sentence(params):
    path = params.paths.predictions / "old/own.parquet"
    table = pd.read_parquet(path)
    table.assign(label=1 - table["label"]).to_parquet(path)
    with pytest.raises(
        SetupError, match=r"predictions on own cannot be compared: .*another label.*Evaluate both again"
    ):
        verb.run(params, "new", "old", as_json=False)
