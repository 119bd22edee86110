import math

import pytest

from dda.core.errors import SetupError
from dda.core.verdicts import Limits, limits, probability

CALIBRATION = {"temperature": 2.0, "thresholds": {"0.01": 3.5, "0.05": -4.0}, "fitted_on": None}


def test_a_verdict_is_given_only_where_one_class_has_four_fifths():
    found = limits(CALIBRATION)
    assert found.threshold == 0.0
    for logit in (found.lower, found.upper):
        assert probability(abs(logit), 2.0) == pytest.approx(0.8, abs=1e-12)
    just_above = math.nextafter(found.upper, math.inf)
    said = [found.verdict(logit) for logit in (found.lower, math.nextafter(found.lower, 0), 0, found.upper, just_above)]
    assert said == ["real", "uncertain", "uncertain", "uncertain", "generated"]


def test_a_rate_of_false_positives_decides_alone_what_is_called_generated():
    strict, loose = limits(CALIBRATION, 0.01), limits(CALIBRATION, 0.05)
    assert strict == Limits(3.5, limits(CALIBRATION).lower, 3.5)
    assert loose == Limits(-4.0, -4.0, -4.0)
    assert [loose.verdict(logit) for logit in (-4.0, -3.9)] == ["real", "generated"]


def test_a_rate_that_nothing_was_fitted_for_is_refused_with_those_that_are_known():
    with pytest.raises(SetupError, match=r"a false-positive rate of 0\.02: it has .* for 0\.01, 0\.05"):
        limits(CALIBRATION, 0.02)
    with pytest.raises(SetupError, match="it has none, since it was never calibrated"):
        limits({"temperature": None, "thresholds": {}}, 0.01)


def test_a_probability_is_the_sigmoid_of_any_logit_by_the_temperature():
    assert [probability(logit, None) for logit in (-2000.0, 0.0, 2000.0)] == [0.0, 0.5, 1.0]
    assert probability(3.0, 3.0) == pytest.approx(0.731059, abs=1e-6)
