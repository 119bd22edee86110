"""Metrics of labels and logits, and their bootstrap intervals over whole clusters."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dda.core.labels import FAKE, REAL
from dda.core.metrics import Estimate, auroc, balanced_accuracy, bootstrap

logits = st.lists(st.integers(-5, 5), min_size=1, max_size=8)


def pairs(real_logits, fake_logits):
    """A table of pairs, typed as predictions are: each cluster holds a real and its fake."""
    rows = [
        {"cluster": f"pair-{number}", "label": label, "logit": logit}
        for label, side in ((REAL, real_logits), (FAKE, fake_logits))
        for number, logit in enumerate(side)
    ]
    return pd.DataFrame(rows).astype({"label": "Int64", "logit": "Float64"})


def noisy_pairs(n_pairs=40, seed=0):
    rng = np.random.default_rng(seed)
    return pairs(rng.normal(-0.5, 1, n_pairs), rng.normal(0.5, 1, n_pairs))


@settings(max_examples=40, deadline=None)
@given(logits, logits)
def test_auroc_is_how_often_a_fake_scores_above_a_real_and_ties_count_half(reals, fakes):
    wins = [(fake > real) + 0.5 * (fake == real) for fake in fakes for real in reals]
    table = pairs(reals, fakes)
    assert auroc(table["label"], table["logit"]) == pytest.approx(np.mean(wins))


@settings(max_examples=40, deadline=None)
@given(logits, logits)
def test_balanced_accuracy_is_the_mean_over_both_classes_however_many_they_are(reals, fakes):
    table = pairs(reals, fakes)
    expected = (np.mean(np.array(reals) <= 0) + np.mean(np.array(fakes) > 0)) / 2
    assert balanced_accuracy(table["label"], table["logit"]) == pytest.approx(expected)


def accuracy(labels, logits):
    """A metric of images of one class, too."""
    return float(np.mean((logits > 0) == (labels == FAKE)))


def test_a_logit_of_zero_is_called_real():
    assert balanced_accuracy(np.array([REAL, FAKE]), np.array([0.0, 1.0])) == 1.0
    assert balanced_accuracy(np.array([REAL, FAKE]), np.array([0.0, 0.0])) == 0.5


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    table = noisy_pairs()
    first, again, other = (bootstrap(auroc, table, 100, seed) for seed in (1, 1, 2))
    assert first == again
    assert first.value == other.value
    assert (first.low, first.high) != (other.low, other.high)


def test_an_interval_holds_its_value_and_shrinks_with_more_pairs():
    few, many = (bootstrap(auroc, noisy_pairs(n_pairs), 200, 0) for n_pairs in (20, 500))
    assert few.low < few.value < few.high
    assert many.low < many.value < many.high
    assert many.high - many.low < few.high - few.low


def test_a_perfect_detector_has_no_spread():
    table = pairs([-1] * 5, [1] * 5)
    assert bootstrap(auroc, table, 50, 0) == Estimate(1.0, 1.0, 1.0)


def test_whole_pairs_are_drawn():
    """Each pair is half right, so that its whole draws all have the same accuracy, but single images have not."""
    table = pairs([1] * 10, [1] * 10)
    alone = table.assign(cluster=[f"image-{number}" for number in range(20)])
    assert bootstrap(accuracy, table, 100, 0) == Estimate(0.5, 0.5, 0.5)
    assert bootstrap(accuracy, alone, 100, 0).low < 0.5 < bootstrap(accuracy, alone, 100, 0).high


def test_an_interval_is_as_wide_as_theory_says_for_single_images():
    right = np.arange(100) % 2
    table = pd.DataFrame(
        {"label": FAKE, "logit": 2.0 * right - 1, "cluster": [f"image-{number}" for number in range(100)]}
    )
    estimate = bootstrap(accuracy, table, 500, 0)
    assert estimate.value == 0.5
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * 0.05, abs=0.03)


def test_the_order_of_the_rows_changes_nothing():
    table = noisy_pairs()
    shuffled = table.sample(frac=1, random_state=0)
    assert bootstrap(auroc, shuffled, 100, 0) == bootstrap(auroc, table, 100, 0)


def test_draws_of_one_class_are_drawn_again():
    table = pairs([-1], [1]).assign(cluster=["a", "b"])
    assert bootstrap(auroc, table, 30, 0) == Estimate(1.0, 1.0, 1.0)


def test_an_estimate_reads_as_a_value_and_its_interval():
    assert str(Estimate(0.91234, 0.9, 1.0)) == "0.912 [0.900, 1.000]"
