"""Temperatures and thresholds of logits whose truth is known."""

import numpy as np
import pytest
from scipy.special import expit

from dda.core.calibration import TEMPERATURES, temperature, threshold
from dda.core.metrics import log_loss

RNG = np.random.default_rng(0)


def drawn(true_temperature, n=20_000):
    """Labels drawn with the probabilities that logits mean at a temperature."""
    logits = RNG.normal(0, 3, n)
    return (RNG.random(n) < expit(logits / true_temperature)).astype(int), logits


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(true_temperature):
    assert temperature(*drawn(true_temperature)) == pytest.approx(true_temperature, rel=0.06)


def test_no_other_temperature_has_a_smaller_log_loss():
    labels, logits = drawn(2.0, 500)
    best = temperature(labels, logits)
    losses = {factor: log_loss(labels, logits / (best * factor)) for factor in (0.9, 0.97, 1.0, 1.03, 1.1)}
    assert min(losses, key=losses.get) == 1.0


def test_a_perfect_and_a_useless_detector_have_a_finite_temperature():
    labels = np.array([0, 1] * 20)
    assert temperature(labels, np.where(labels, 0.5, -0.5)) == pytest.approx(TEMPERATURES[0], abs=0.01)
    assert temperature(labels, np.where(labels, -0.5, 0.5)) == TEMPERATURES[1]


@pytest.mark.parametrize("max_fpr", [0.01, 0.05, 0.2])
def test_at_most_the_asked_share_of_the_reals_lies_above_the_threshold(max_fpr):
    labels, logits = drawn(1.0, 3001)
    reals = logits[labels == 0]
    found = threshold(labels, logits, max_fpr)
    assert np.mean(reals > found) <= max_fpr
    lower = np.max(reals[reals < found])
    assert np.mean(reals > lower) > max_fpr


def test_few_reals_give_the_highest_of_them():
    labels = np.array([0, 0, 0, 1, 1])
    assert threshold(labels, np.array([-3.0, 0.7, -1.0, 2.0, 9.0]), 0.05) == 0.7


def test_equal_logits_do_not_break_the_promise():
    labels, logits = np.zeros(100, int), np.repeat([0.0, 1.0], 50)
    assert np.mean(logits > threshold(labels, logits, 0.05)) <= 0.05
