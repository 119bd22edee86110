"""The comparison of alignments says what its predictions say, and aligns in ways that the parameters know."""

import contextlib

import numpy as np
import pytest
from pydantic import TypeAdapter

from bench import learn
from dda.io import tables
from dda.params.steps import Steps

COLUMNS = {**dict.fromkeys(("set", "protocol", "way", "cluster"), "str"), **learn.NUMBERS}


def predictions(way, seed, apart, labels):
    """Logits of 40 pairs whose fakes lie so far above their reals."""
    rng = np.random.default_rng(seed)
    return [
        {"set": "pairs", "protocol": "native", "way": way, "seed": seed, "cluster": f"p{number}", "label": label}
        | {"logit": float(rng.normal() + apart * label - apart / 2)}
        for number in range(40)
        for label in labels
    ]


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setattr(learn, "SAMPLES", 100)
    with contextlib.chdir(tmp_path):
        yield tmp_path


def rows(capsys):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()[2:]]


def test_the_table_has_a_row_for_each_way_with_every_seed_and_its_mean(work, capsys):
    for way, apart in {"raw": 0.0, "recommended": 3.0}.items():
        for seed in range(3):
            tables.write(work / f"{way}/{seed}/predictions.parquet", predictions(way, seed, apart, (0, 1)), COLUMNS)
    learn.conclude()
    found = {row[2]: row for row in rows(capsys)}
    assert found.keys() == {"raw", "recommended"}
    for row in found.values():
        seeds = [float(value) for value in row[4].split()]
        assert len(seeds) == 3
        assert float(row[3].split()[0]) == pytest.approx(np.mean(seeds), abs=0.001)
    assert float(found["recommended"][3].split()[0]) > 0.95
    low, high = (float(value.strip("[],")) for value in found["raw"][3].split()[1:])
    assert low < 0.5 < high


def test_a_set_without_reals_has_its_accuracy_on_fakes(work, capsys):
    tables.write(work / "raw/0/predictions.parquet", predictions("raw", 0, 20.0, (1,)), COLUMNS)
    learn.conclude()
    assert rows(capsys)[0][-1] == "accuracy on fake 1.000"


@pytest.mark.parametrize("way", ["raw", "paper", "recommended"])
def test_the_steps_of_every_way_are_steps_of_the_parameters(way):
    for steps in learn.ways(0.16)[way]:
        assert len(TypeAdapter(Steps).validate_python(steps)) == len(steps)
