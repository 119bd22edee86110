"""Splits and shards by hashes, and the seeded randomness below them."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dda.core.labels import SPLITS
from dda.core.seeds import fraction, generator
from dda.core.splits import shard_of, split_of

FRACTIONS = {"train": 0.6, "val": 0.2, "test": 0.2}
GROUPS = [f"scene-{number}" for number in range(3000)]
names = st.text(max_size=20)
seeds = st.integers(0, 2**31)


def in_another_process(expression):
    code = f"from dda.core.seeds import *; print(({expression}))"
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)


def test_a_fraction_is_the_same_in_another_process():
    expression = "fraction(3, 'split', 'é'), generator(3, 'align', 'é').random()"
    here = (fraction(3, "split", "é"), generator(3, "align", "é").random())
    assert in_another_process(expression).stdout.strip() == str(here)


@settings(max_examples=50, deadline=None)
@given(seeds, names)
def test_a_fraction_lies_in_the_unit_interval(seed, name):
    assert 0 <= fraction(seed, name) < 1


def test_fractions_are_spread_evenly():
    deciles = Counter(int(10 * fraction(0, group)) for group in GROUPS)
    assert sorted(deciles) == list(range(10))
    assert all(count == pytest.approx(300, abs=60) for count in deciles.values())


@settings(max_examples=50, deadline=None)
@given(seeds, names, names)
def test_other_seeds_and_other_names_give_other_fractions(seed, name, suffix):
    drawn = {fraction(seed, name), fraction(seed + 1, name), fraction(seed, name, suffix), fraction(seed, name + "x")}
    assert len(drawn) == 4


def test_where_one_name_ends_matters():
    assert fraction(0, "ab", "c") != fraction(0, "a", "bc")
    assert generator(0, "ab", "c").random() != generator(0, "a", "bc").random()


def test_a_generator_does_not_depend_on_what_others_drew():
    alone = generator(0, "photo-1").random(5)
    generator(0, "photo-0").random(100)
    assert (generator(0, "photo-1").random(5) == alone).all()


def test_splits_have_their_shares():
    counts = Counter(split_of(group, 0, FRACTIONS) for group in GROUPS)
    assert set(counts) == set(SPLITS)
    for split, share in FRACTIONS.items():
        assert counts[split] / len(GROUPS) == pytest.approx(share, abs=0.03)


def test_another_seed_splits_otherwise():
    moved = sum(split_of(group, 0, FRACTIONS) != split_of(group, 1, FRACTIONS) for group in GROUPS)
    assert moved / len(GROUPS) == pytest.approx(1 - (0.6**2 + 0.2**2 + 0.2**2), abs=0.04)


@settings(max_examples=50, deadline=None)
@given(seeds, names, st.floats(0.0, 0.8))
def test_a_larger_training_share_takes_no_group_out_of_training(seed, group, train):
    larger = split_of(group, seed, {"train": train + 0.1, "val": 0.1, "test": 0.8 - train})
    if split_of(group, seed, {"train": train, "val": 0.1, "test": 0.9 - train}) == "train":
        assert larger == "train"


@pytest.mark.parametrize("split", SPLITS)
def test_a_share_of_one_takes_every_group(split):
    fractions = dict.fromkeys(SPLITS, 0.0) | {split: 1.0}
    assert {split_of(group, 0, fractions) for group in GROUPS} == {split}


@settings(max_examples=50, deadline=None)
@given(names, st.integers(1, 1000))
def test_a_shard_number_is_below_the_number_of_shards(image_id, shards):
    assert 0 <= shard_of(image_id, shards) < shards


def test_shards_are_filled_evenly():
    counts = Counter(shard_of(group, 8) for group in GROUPS)
    assert sorted(counts) == list(range(8))
    assert all(count == pytest.approx(375, abs=70) for count in counts.values())


def test_the_shard_says_nothing_about_the_split():
    shards = Counter(shard_of(group, 4) for group in GROUPS if split_of(group, 0, FRACTIONS) == "test")
    assert all(count == pytest.approx(150, abs=45) for count in shards.values())
    assert len(shards) == 4
