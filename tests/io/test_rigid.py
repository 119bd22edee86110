"""RIGID on a tiny network of random weights: repeatable, with its threshold at 5 % of the validation reals."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dda import params as parameters
from dda.core.labels import REAL
from dda.io import judges, pairs, photos, rigid
from dda.stages import train
from tests import sets
from tests.judging import SEEN, ask, placed, some

ROOT = Path(__file__).parents[2]
ROW = {
    "kind": "rigid",
    "backbone": "vit_tiny_patch16_224",
    "options": {"img_size": 32, "depth": 2},
    "pretrained": False,
    "noise": 0.05,
    "preprocessing": SEEN,
}


@pytest.fixture(scope="module")
def pair_set(tiles, tmp_path_factory):
    return sets.write_set(tmp_path_factory.mktemp("project") / "artifacts/aligned/tiny", tiles, side_px=200)


@pytest.fixture(scope="module")
def folder(pair_set, tmp_path_factory, one_thread):
    torch.manual_seed(0)
    return placed(tmp_path_factory.mktemp("rigid") / "mine", {"tiny": pair_set}, **ROW)


def test_logits_repeat_whatever_the_batch(folder, tmp_path):
    images = some(tmp_path / "set")
    first, again, whole = (
        ask(folder, images, tmp_path / str(number), batch=batch)[0] for number, batch in enumerate((2, 2, 6))
    )
    assert first.equals(again)
    assert whole["logit"].to_list() == pytest.approx(first["logit"].to_list(), abs=1e-2)
    assert first["logit"].nunique() == 6


def test_at_most_5_percent_of_the_validation_reals_are_called_fake(folder, pair_set):
    judge = judges.load(folder, "float32")
    found = pairs.load(pair_set, "val")
    windows = [judge.windows(found.pixels(row, "real"), "centre")[0] for row in found.rows]
    logits = np.array(judge.scores(windows))
    assert np.sum(logits > 1e-3) <= 0.05 * len(windows)
    assert logits.max() == pytest.approx(0, abs=1e-2)
    described = json.loads((folder / "detector.json").read_text())
    assert described["calibration"]["thresholds"]["0.05"] == pytest.approx(0)
    n_images = {"real": len(windows), "fake": len(windows)}
    assert described["calibration"]["fitted_on"] == {"split": "val", "vaes": ["tiny"], **n_images}
    assert described["calibration"]["temperature"] > 0


def test_the_threshold_leaves_5_percent_of_many_reals_below(tmp_path, monkeypatch):
    similarities = np.linspace(0.5, 0.9, 200)
    labels = np.repeat([REAL, 1 - REAL], 100)
    monkeypatch.setattr(rigid, "_similarities", lambda judge, sets: (labels, similarities))
    described = json.loads((placed(tmp_path / "mine", **ROW) / "detector.json").read_text())
    assert np.sum(similarities[:100] < described["similarity"]["threshold"]) == 5
    reals = described["similarity"]["scale"] * (described["similarity"]["threshold"] - similarities[:100])
    assert np.std(reals) == pytest.approx(1)


def test_more_noise_makes_features_less_alike(folder, tmp_path):
    window = photos.decode_any(some(tmp_path / "set", 1)[0].read(), 10**6)[:32, :32]
    described = json.loads((folder / "detector.json").read_text())
    found = []
    for noise in (0.01, 0.05, 0.5):
        row = {**described["row"], "noise": noise}
        found += rigid.load(folder, {**described, "row": row}, "float32").similarities([window])
    assert 1 > found[0] > found[1] > found[2]


def test_the_network_is_kept_without_its_head_and_guarded_by_its_digest(folder):
    judge = judges.load(folder, "float32")
    assert not any(weight.any() for weight in judge.network.get_classifier().parameters())
    assert judge.digest != judges.load(folder, "bfloat16").digest


def test_train_puts_a_detector_of_a_kind_in_place_and_says_so(pair_set, monkeypatch, capsys):
    monkeypatch.chdir(pair_set.parents[2])
    monkeypatch.setitem(train.catalog.table("detectors"), "mine", {**ROW, "licence": "MIT"})
    train.run(parameters.load(ROOT / "params.yaml"), "mine")
    assert "mine: of kind rigid, put into artifacts/detectors/mine; nothing was learnt" in capsys.readouterr().out
    card = Path("artifacts/detectors/mine/card.md").read_text()
    assert "RIGID" in card
    assert "- noise: 0.05" in card
    assert "threshold of the logit" in card
