"""The learning rate over a run."""

import pytest
import torch

from dda.core.schedules import learning_rate

COSINE = {"kind": "cosine", "warm_up": 0.1, "half_period": 1000}
RELEASED = {"kind": "oscillating", "warm_up": 0.0, "half_period": 1000}


def test_a_cosine_warms_up_and_ends_near_zero():
    rates = [learning_rate(step, 100, COSINE) for step in range(100)]
    assert rates[:2] == pytest.approx([0.1, 0.2])
    assert max(rates) == rates[9] == 1.0
    assert rates[-1] < 0.001
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_released_schedule_is_torchs_beyond_its_end():
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=1000)
    rates = []
    for _ in range(3500):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        theirs.step()
    ours = [learning_rate(step, 14_800, RELEASED) for step in range(3500)]
    assert ours == pytest.approx(rates, abs=1e-6)


def test_the_released_schedule_falls_and_rises_more_than_seven_times_in_an_epoch_of_coco():
    rates = [learning_rate(step, 14_800, RELEASED) for step in range(14_800)]
    turns = sum((b - a) * (c - b) < 0 for a, b, c in zip(rates, rates[1:], rates[2:], strict=False))
    assert turns == 14


def test_a_constant_rate_may_warm_up():
    rates = [learning_rate(step, 10, {"kind": "constant", "warm_up": 0.2, "half_period": 1}) for step in range(10)]
    assert rates == [0.5] + [1.0] * 9
