"""Noise and pepper belong to places: a part of an image gets what it would get in the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dda.core.fields import add, bits, keep, noise_at, rounded_normals, unpeppered_at
from dda.core.regions import Region

WHOLE = Region.whole(150, 170)
seeds = st.integers(0, 2**63 - 1)
GREY = np.full((150, 170, 3), 128, np.uint8)


def noise(pixels, place, sigma, seed):
    return add(pixels, noise_at(place, sigma, seed))


def pepper(pixels, place, share, seed):
    return keep(pixels, unpeppered_at(place, share, seed))


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(0, 149), st.integers(0, 169), st.integers(1, 150))
def test_a_region_has_the_bits_that_the_whole_image_has_there(seed, top, left, side):
    region = Region(top, left, min(side, 150 - top), min(side, 170 - left), 150, 170)
    assert np.array_equal(bits(seed, region), region.cut(bits(seed, WHOLE), covering=WHOLE))


def test_bits_do_not_depend_on_the_size_of_the_image():
    assert np.array_equal(bits(5, Region.whole(20, 30)), bits(5, WHOLE)[:20, :30])


def test_every_pixel_and_every_seed_has_bits_of_its_own():
    first, second = bits(1, WHOLE), bits(2, WHOLE)
    assert len(np.unique(np.concatenate([first, second]))) == 2 * 150 * 170


@pytest.mark.parametrize("other", [bits(8, WHOLE), np.roll(bits(7, WHOLE), 1, 0), np.roll(bits(7, WHOLE), 1, 1)])
def test_bits_say_nothing_about_those_of_a_neighbour_or_another_seed(other):
    agreeing = np.unpackbits((bits(7, WHOLE) ^ other).view(np.uint8)).mean()
    assert agreeing == pytest.approx(0.5, abs=0.003)


def test_noise_is_normal_with_its_sigma_in_every_channel():
    levels = noise(GREY, WHOLE, 20.0, 3).astype(float) - 128
    assert levels.mean((0, 1)) == pytest.approx([0, 0, 0], abs=0.6)
    assert levels.std((0, 1)) == pytest.approx([20, 20, 20], rel=0.02)
    assert np.mean(np.abs(levels) < 20) == pytest.approx(0.673, abs=0.02)
    assert np.abs(np.corrcoef(levels.reshape(-1, 3).T) - np.eye(3)).max() < 0.03


def test_noise_ends_at_black_and_white():
    for level, beyond in ((0, np.minimum), (255, np.maximum)):
        assert noise(GREY * 0 + np.uint8(level), WHOLE, 55.0, 1).mean() == pytest.approx(abs(level - 21.9), abs=0.6)
        assert beyond(noise(GREY * 0 + np.uint8(level), WHOLE, 55.0, 1), level).mean() == level


def test_rounded_normals_are_symmetrical_quantiles():
    normals = rounded_normals(55.0)
    assert (normals.shape, str(normals.dtype)) == ((65536,), "int16")
    assert np.array_equal(normals, -normals[::-1])
    assert (np.diff(normals) >= 0).all()
    assert normals.std() == pytest.approx(55, rel=0.001)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 1.0])
def test_pepper_blackens_its_share_of_the_pixels_and_no_other(share):
    made = pepper(GREY, WHOLE, share, 11)
    black = ~made.any(axis=2)
    assert black.mean() == pytest.approx(share, abs=0.006)
    assert (made[~black] == 128).all()
