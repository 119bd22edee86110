"""The windows that a detector sees: cut, never resized, alike for both sides of a pair."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dda.core.views import centre_window, random_pair_windows, to_tensor, window
from dda.embedded.photos import PHOTOGRAPHS, originals

PHOTO = np.asarray(originals(next(one for one in PHOTOGRAPHS if one.name == "coffee"))[0])
sides = st.integers(1, 40)
places = st.floats(0, 1)


def views(pixels):
    """The bytes of all turns, mirrorings, orders of the channels and inversions of a square image."""
    turned = [np.rot90(side, turns) for side in (pixels, pixels[:, ::-1]) for turns in range(4)]
    coloured = [view[..., list(order)] for view in turned for order in permutations(range(3))]
    return {view.tobytes() for one in coloured for view in (one, 255 - one)}


@settings(max_examples=60, deadline=None)
@given(sides, sides, sides, places, places)
def test_a_window_has_its_size_whatever_the_image(height, width, size_px, top, left):
    cut = window(PHOTO[:height, :width], size_px, top, left)
    assert cut.shape == (size_px, size_px, 3)
    assert cut.dtype == np.uint8


@settings(max_examples=60, deadline=None)
@given(sides, sides, places, places)
def test_an_image_smaller_than_its_window_lies_whole_in_the_middle_on_black(height, width, top, left):
    image = PHOTO[:height, :width] | 1
    cut = window(image, 41, top, left)
    y, x = (41 - height) // 2, (41 - width) // 2
    assert np.array_equal(cut[y : y + height, x : x + width], image)
    assert np.count_nonzero(cut.any(axis=2)) == height * width


@pytest.mark.parametrize(("top", "left"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_ends_of_the_range_are_the_corners_of_the_image(top, left):
    height, width = PHOTO.shape[:2]
    y, x = top * (height - 64), left * (width - 64)
    assert np.array_equal(window(PHOTO, 64, top, left), PHOTO[y : y + 64, x : x + 64])


def test_a_place_between_two_pixels_is_the_nearest_one():
    cut = window(PHOTO[:20, :30], 10, 0.27, 0.88)
    assert np.array_equal(cut, PHOTO[3:13, 18:28])


def test_the_centre_window_leaves_as_much_on_every_side():
    assert PHOTO.shape[:2] == (400, 600)
    assert np.array_equal(centre_window(PHOTO, 100), PHOTO[150:250, 250:350])


def test_an_image_of_the_size_of_the_window_is_the_window():
    assert np.array_equal(window(PHOTO[:80, :80], 80, 0.3, 0.9), PHOTO[:80, :80])


def test_an_image_that_is_only_narrower_is_cut_in_its_long_side():
    cut = window(PHOTO[:, :50], 100, 1.0, 0.5)
    assert np.array_equal(cut[:, 25:75], PHOTO[300:400, :50])
    assert not cut[:, :25].any()
    assert not cut[:, 75:].any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90))
def test_both_windows_of_a_pair_show_the_same_place_alike(seed, size_px):
    real = PHOTO[100:180, 200:270]
    first, second = random_pair_windows(real, real ^ 1, size_px, np.random.default_rng(seed))
    differ = (first != second).any(axis=2)
    assert first.shape == second.shape == (size_px, size_px, 3)
    assert np.array_equal(second[differ], first[differ] ^ 1)
    assert np.count_nonzero(differ) == min(size_px, 80) * min(size_px, 70)


def test_a_pair_is_seen_in_every_turn_mirroring_and_colouring():
    image = PHOTO[60:76, 60:76]
    drawn = {random_pair_windows(image, image, 16, np.random.default_rng(seed))[0].tobytes() for seed in range(1500)}
    assert drawn == views(image)
    assert len(drawn) == 4 * 2 * 6 * 2


def test_windows_of_a_pair_come_from_all_over_the_image():
    rows, columns = np.indices((64, 64), dtype=np.uint8)
    places, drawn = np.stack([0 * rows, rows, columns + 64], axis=2), []
    for seed in range(200):
        seen, _ = random_pair_windows(places, places, 8, np.random.default_rng(seed))
        drawn.append(sorted(np.minimum(seen, 255 - seen).min((0, 1))))
    assert np.min(drawn, axis=0).tolist() == pytest.approx([0, 0, 64], abs=3)
    assert np.max(drawn, axis=0).tolist() == pytest.approx([0, 56, 120], abs=3)


def test_a_tensor_is_normalised_by_channel_and_has_channels_first():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 1] = (255, 51, 0)
    tensor = to_tensor([pixels, pixels[:, ::-1]], (0.5, 0.2, 0.0), (0.25, 0.5, 1.0))
    assert tensor.shape == (2, 3, 2, 2)
    assert tensor[0, :, 0, 1].tolist() == pytest.approx([2.0, 0.0, 0.0])
    assert tensor[1, :, 0, 1].tolist() == pytest.approx([-2.0, -0.4, 0.0])
    assert str(tensor.dtype) == "torch.float32"
