import numpy as np
import pytest
from sklearn.metrics import auc, roc_auc_score

from dda.core import curves, scores
from tests import judged


@pytest.fixture(scope="module")
def table():
    return judged.table(n_pairs=4000)


def of(table):
    return table["label"].to_numpy(int), table["logit"].to_numpy(float)


def test_a_thinned_roc_keeps_its_ends_and_its_area(table):
    found = curves.roc(*of(table))
    assert len(found["fpr"]) <= curves.MAX_ROC_POINTS
    assert (found["fpr"][0], found["tpr"][0], found["fpr"][-1], found["tpr"][-1]) == (0, 0, 1, 1)
    assert auc(found["fpr"], found["tpr"]) == pytest.approx(roc_auc_score(*of(table)), abs=2e-3)


def test_a_roc_of_few_images_keeps_every_corner():
    found = curves.roc(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert list(zip(found["fpr"], found["tpr"], strict=True)) == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]


def test_every_image_is_in_one_bar_of_the_histogram_and_one_bin_of_reliability(table):
    bars = curves.histogram(*of(table))
    assert (bars["real"].sum(), bars["fake"].sum()) == (4000, 4000)
    assert curves.reliability(*of(table), 1.0)["images"].sum() == 8000


def test_the_gaps_of_the_reliability_curve_are_the_ece(table):
    found = curves.reliability(*of(table), 0.7)
    gaps = np.abs(found["probability"] - found["share_fake"]) * found["images"]
    summary = scores.summarise(table, scores.Settings(samples=100, temperature=0.7))
    assert gaps.sum() / found["images"].sum() == pytest.approx(summary["ece"]["value"])


def test_robustness_has_rising_strengths_and_numbers_chains():
    summary = scores.summarise(judged.table(), scores.Settings(samples=100))
    found = curves.robustness(dict.fromkeys(("native", "jpeg-90", "jpeg-50", "social-1080"), summary))
    auroc = [(one["family"], one["strength"], one["protocol"]) for one in found if one["metric"] == "auroc"]
    assert auroc == [
        ("jpeg", 50, "jpeg-50"),
        ("jpeg", 90, "jpeg-90"),
        ("chain", 0, "native"),
        ("chain", 1, "social-1080"),
    ]
    assert found[0]["low"] <= found[0]["value"] <= found[0]["high"]


def test_of_fakes_alone_the_share_found_is_drawn():
    fakes = judged.table()[lambda table: table["label"] == 1]
    found = curves.robustness({"native": scores.summarise(fakes, scores.Settings(samples=100))})
    assert [one["metric"] for one in found] == ["accuracy_fake"]
