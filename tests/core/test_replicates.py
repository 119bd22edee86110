"""Every bootstrap replicate equals scikit-learn's number of the rows that were drawn, repeated as often as drawn."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics
from sklearn.calibration import calibration_curve

from dda.core import draws as draws_module
from dda.core.draws import draws, numbered
from dda.core.judgements import Judged, Settings
from dda.core.replicates import replicates, shares_right
from tests import judged

SETTINGS = Settings(samples=40, seed=3, temperature=0.7, thresholds={"0.01": 1.5, "0.05": 0.5})


def equal_error_rate(fpr, tpr):
    """The crossing by halving the way along the curve, which is straight between its corners."""
    low, high = 0.0, 1.0
    place = np.linspace(0, 1, len(fpr))
    for _ in range(200):
        middle = (low + high) / 2
        excess = np.interp(middle, place, fpr) + np.interp(middle, place, tpr) - 1
        low, high = (low, middle) if excess >= 0 else (middle, high)
    return np.interp(high, place, fpr)


def expected_calibration_error(labels, fake):
    """From scikit-learn's curve, and how many images each of its bins holds."""
    true, told = calibration_curve(labels, fake, n_bins=15)
    counts = np.bincount(np.searchsorted(np.linspace(0, 1, 16)[1:-1], fake), minlength=15)
    return np.sum(counts[counts > 0] * np.abs(true - told)) / len(labels)


def by_scikit_learn(labels, logits, settings):
    """All numbers of rows, each by the plainest call there is."""
    fake, called = expit(logits / settings.temperature), logits > 0
    fpr, tpr, _ = metrics.roc_curve(labels, logits, drop_intermediate=False)
    found = {
        "accuracy_real": metrics.recall_score(labels, called, pos_label=0),
        "accuracy_fake": metrics.recall_score(labels, called, pos_label=1),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, called),
        "auroc": metrics.roc_auc_score(labels, logits),
        "average_precision": metrics.average_precision_score(labels, logits),
        "eer": equal_error_rate(fpr, tpr),
        "ece": expected_calibration_error(labels, fake),
        "brier": metrics.brier_score_loss(labels, fake),
        "log_loss": metrics.log_loss(labels, fake, labels=[0, 1]),
    }
    for rate, threshold in settings.thresholds.items():
        found[f"balanced_accuracy_at_fpr_{rate}"] = metrics.balanced_accuracy_score(labels, logits > threshold)
        found[f"accuracy_real_at_fpr_{rate}"] = metrics.recall_score(labels, logits > threshold, pos_label=0)
        found[f"accuracy_fake_at_fpr_{rate}"] = metrics.recall_score(labels, logits > threshold)
        found[f"tpr_at_fpr_{rate}"] = tpr[fpr <= float(rate) + 1e-12].max()
    return found


def drawn_rows(table, settings):
    """The labels and logits of each draw, whole clusters as often as they were drawn."""
    labels, logits = table["label"].to_numpy(int), table["logit"].to_numpy(float)
    clusters = numbered(table["cluster"].to_numpy(str))
    for counts in draws(clusters, labels, settings.samples, settings.seed):
        for count in counts:
            rows = np.repeat(np.arange(len(labels)), count[clusters].astype(int))
            yield labels[rows], logits[rows]


@pytest.mark.parametrize("step", [None, 0.5, 2.0, 100.0], ids=["distinct", "some ties", "many ties", "all equal"])
@pytest.mark.parametrize("n_pairs", [4, 150])
def test_each_replicate_equals_scikit_learn_on_the_repeated_rows(n_pairs, step):
    table = judged.table(n_pairs, seed=n_pairs, step=step)
    found = replicates(Judged.of(table), {"all": np.ones(len(table), bool)}, SETTINGS)["all"]
    expected = [by_scikit_learn(labels, logits, SETTINGS) for labels, logits in drawn_rows(table, SETTINGS)]
    assert found.keys() == expected[0].keys()
    for name, values in found.items():
        assert values.shape == (SETTINGS.samples,)
        np.testing.assert_allclose(values, [one[name] for one in expected], rtol=0, atol=1e-12, err_msg=name)


def test_replicates_also_equal_scikit_learn_with_the_counts_as_weights():
    table = judged.table(80, step=0.25).sample(frac=0.8, random_state=1)
    one = Judged.of(table)
    found = replicates(one, {"all": np.ones(len(table), bool)}, SETTINGS)["all"]
    counts = np.concatenate(list(one.draws(SETTINGS)))[:, one.clusters]
    for place, weights in enumerate(counts):
        area = metrics.roc_auc_score(one.labels, one.logits, sample_weight=weights)
        precision = metrics.average_precision_score(one.labels, one.logits, sample_weight=weights)
        assert found["auroc"][place] == pytest.approx(area, abs=1e-12)
        assert found["average_precision"][place] == pytest.approx(precision, abs=1e-12)


def test_sets_of_rows_have_the_numbers_of_their_rows_alone_in_the_same_draws():
    table = judged.table(60, step=0.5)
    part = (table["cluster"].str[-1].isin(list("13579"))).to_numpy(bool)
    found = replicates(Judged.of(table), {"part": part}, SETTINGS)["part"]
    clusters = numbered(table["cluster"].to_numpy(str))
    labels, logits = table["label"].to_numpy(int), table["logit"].to_numpy(float)
    counts = np.concatenate(list(draws(clusters, labels, SETTINGS.samples, SETTINGS.seed)))
    expected = [
        metrics.average_precision_score(labels[part], logits[part], sample_weight=count[clusters][part])
        for count in counts
    ]
    np.testing.assert_allclose(found["average_precision"], expected, rtol=0, atol=1e-12)


def test_draws_do_not_depend_on_how_many_are_computed_at_once(monkeypatch):
    table = judged.table(25)
    masks = {"all": np.ones(len(table), bool)}
    at_once = replicates(Judged.of(table), masks, SETTINGS)["all"]
    monkeypatch.setattr(draws_module, "CHUNK_ELEMENTS", 150)
    in_threes = replicates(Judged.of(table), masks, SETTINGS)["all"]
    for name, values in at_once.items():
        np.testing.assert_allclose(in_threes[name], values, rtol=0, atol=1e-13)


def test_draws_of_one_class_are_drawn_again():
    clusters, labels = np.array([0, 1]), np.array([0, 1])
    counts = np.concatenate(list(draws(clusters, labels, 50, 0)))
    assert counts.tolist() == [[1, 1]] * 50


def test_as_many_clusters_are_drawn_as_there_are_each_equally_often():
    counts = np.concatenate(list(draws(np.arange(20), np.zeros(20, int), 2000, 0)))
    assert (counts.sum(axis=1) == 20).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(20), abs=0.12)
    assert counts.var() == pytest.approx(0.95, abs=0.03)


def test_a_set_that_a_draw_misses_has_no_number_there():
    table = judged.table(10)
    rare = (table["cluster"] == "pair-3").to_numpy(bool)
    found = replicates(Judged.of(table), {"rare": rare}, SETTINGS)["rare"]
    missed = np.isnan(found["auroc"])
    assert 0 < missed.sum() < SETTINGS.samples
    for name in ("accuracy_fake", "average_precision", "tpr_at_fpr_0.01", "eer", "ece", "log_loss"):
        assert (np.isnan(found[name]) == missed).all()


def test_shares_on_the_right_side_are_the_accuracies_of_the_same_draws():
    table = judged.table(40)
    one, fakes = Judged.of(table), (table["label"] == 1).to_numpy(bool)
    shares = shares_right(one, {"real": ~fakes, "fake": fakes}, SETTINGS)
    found = replicates(one, {"all": np.ones(len(table), bool)}, SETTINGS)["all"]
    for name, values in shares.items():
        np.testing.assert_allclose(values, found[f"accuracy_{name}"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_probabilities_of_zero_and_one_cost_what_scikit_learn_says(scale):
    table = judged.table(20)
    table["logit"] = table["logit"] * scale
    found = replicates(Judged.of(table), {"all": np.ones(len(table), bool)}, SETTINGS)["all"]
    expected = [by_scikit_learn(labels, logits, SETTINGS) for labels, logits in drawn_rows(table, SETTINGS)]
    for name in ("log_loss", "brier", "ece"):
        np.testing.assert_allclose(found[name], [one[name] for one in expected], rtol=0, atol=1e-12)
