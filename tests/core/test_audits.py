"""Findings: verdicts against limits, the facts behind them in words, gaps by ring."""

import numpy as np
import pytest

from dda.core import audits
from dda.core.audits import Evidence, Side
from dda.core.metrics import Estimate

RNG = np.random.default_rng(0)


def side(count, spectrum=0.0, **facts):
    """A class of so many images: numbers of noise, shifted spectra, files with these facts."""
    made = [
        Evidence(
            {name: values[number % len(values)] for name, values in facts.items()},
            *(RNG.normal(size=size) for size in (2, 15, 18)),
            RNG.normal(size=24) + spectrum,
        )
        for number in range(count)
    ]
    return Side(made, [f"{id(made)} {number}" for number in range(count)])


def estimate(value, low):
    return Estimate(value, low, value)


def test_a_probe_fails_above_its_limit_and_passes_at_it():
    found = {"spectrum": estimate(0.6, 0.55), "block_grid": estimate(0.61, 0.55)}
    judged = audits.verdicts(found, {"spectrum": 0.6, "block_grid": 0.6})
    assert [one["passed"] for one in judged] == [True, False]
    assert audits.sentences(judged) == ["block_grid tells real from fake: AUROC 0.610 [0.550, 0.610], limit 0.6"]


def test_what_chance_explains_is_no_failure():
    judged = audits.verdicts({"spectrum": estimate(0.65, 0.48)}, {"spectrum": 0.6})
    assert judged[0]["passed"]


def test_numbers_that_differ_are_found_by_their_probe_and_by_no_other():
    found = audits.probe_all(side(60, format=["PNG"]), side(60, spectrum=3.0, format=["PNG"]), samples=100, seed=0)
    assert found["spectrum"].value > 0.95
    assert found["file_facts"].value == pytest.approx(0.5)
    assert all(found[name].low < 0.6 for name in ("file_size", "pixel_statistics", "block_grid"))


def test_biases_name_the_fact_and_what_is_true_of_each_class_the_worst_first():
    real = side(40, format=["JPEG"], width=[640, 480], channels=[3])
    fake = side(40, format=["JPEG", "PNG", "PNG", "PNG"], width=[512], channels=[3])
    found = audits.biases(real, fake, samples=100, seed=0)
    assert [bias["fact"] for bias in found] == ["width", "format"]
    assert (found[0]["real"], found[0]["fake"]) == ("640 50%, 480 50%", "512 100%")
    assert found[1]["fake"] == "PNG 75%, JPEG 25%"


def test_many_values_are_told_by_the_most_frequent_ones():
    assert audits.told_of([None, 1, 1, 2, 3, 4, 5]) == "1 29%, none 14%, 2 14% and 3 more"


def test_gaps_are_real_minus_fake_for_each_ring():
    gap = audits.gaps(side(200, spectrum=5.0), fake=side(200))["fake"]
    assert len(gap) == 24
    assert np.allclose(gap, 5, atol=0.5)


def test_a_spectrum_is_told_with_the_band_in_which_eight_of_ten_images_lie():
    found = audits.spectra(real=side(200, spectrum=5.0))["real"]
    assert np.allclose(found["mean"], 5, atol=0.4)
    assert np.allclose(found["low"], 5 - 1.28, atol=0.5)
    assert np.allclose(found["high"], 5 + 1.28, atol=0.5)


@pytest.mark.parametrize(
    ("count", "at_most", "taken"), [(3, 5, [0, 1, 2]), (10, 4, [0, 2, 5, 7]), (0, 3, []), (2, 2, [0, 1])]
)
def test_items_are_taken_evenly(count, at_most, taken):
    assert audits.evenly(range(count), at_most) == taken
