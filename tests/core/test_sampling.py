"""Which pairs are seen when: a function of the seed alone."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dda.core.sampling import Plan


def plan(**changes):
    return Plan(
        **{"n_pairs": 10, "epochs": 2, "draws_per_pair": 3, "batch_pairs": 8, "micro_batch_pairs": 2, "seed": 0}
        | changes
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_every_pair_is_seen_equally_often_in_every_epoch(n_pairs, epochs, draws, micro, parts):
    made = plan(
        n_pairs=n_pairs, epochs=epochs, draws_per_pair=draws, micro_batch_pairs=micro, batch_pairs=micro * parts
    )
    seen = Counter(draw for step in range(made.updates) for draw in made.update(step))
    assert len(seen) == n_pairs * epochs * draws
    assert set(seen.values()) == {1}


def test_the_seed_decides_the_order_and_each_epoch_has_its_own():
    assert plan().update(0) == plan().update(0)
    assert plan().update(0) != plan(seed=1).update(0)
    first, second = ([draw.pair for step in steps for draw in plan().update(step)] for steps in (range(4), range(4, 8)))
    assert sorted(first) == sorted(second)
    assert first != second


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_all_processes_together_see_what_one_sees(processes):
    made = plan()
    dealt = [list(made.micro_batches(0, process, processes)) for process in range(processes)]
    assert len({len(one) for one in dealt}) == 1
    together = [draw for micro in zip(*dealt, strict=True) for draws in micro for draw in draws]
    assert together == [draw for step in range(made.updates) for draw in made.update(step)]


def test_a_run_that_goes_on_sees_what_is_left():
    made = plan()
    whole = [micro for step in range(made.updates) for micro in made.parts(step, 1)]
    done = sum(len(made.parts(step, 1)) for step in range(3))
    assert list(made.micro_batches(3, 0, 1)) == whole[done:]


def test_the_last_update_of_an_epoch_takes_what_is_left():
    assert [len(plan().update(step)) for step in range(plan().updates)] == [8, 8, 8, 6] * 2
