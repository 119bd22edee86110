"""The window that a detector sees: cut, never resized, black where the image is smaller; and several of them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dda.core.windows import centre_window, normalise, window, windows_of
from dda.embedded.photos import PHOTOGRAPHS, originals

PHOTO = np.asarray(originals(next(one for one in PHOTOGRAPHS if one.name == "coffee"))[0])
sides = st.integers(1, 40)
places = st.floats(0, 1)


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


def test_windows_are_normalised_by_channel_and_have_channels_first():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 1] = (255, 51, 0)
    both = torch.from_numpy(np.stack([pixels, pixels[:, ::-1]]))
    tensor = normalise(both, (0.5, 0.2, 0.0), (0.25, 0.5, 1.0))
    assert tensor.shape == (2, 3, 2, 2)
    assert tensor[0, :, 0, 1].tolist() == pytest.approx([2.0, 0.0, 0.0])
    assert tensor[1, :, 0, 1].tolist() == pytest.approx([-2.0, -0.4, 0.0])
    assert str(tensor.dtype) == "torch.float32"


# --- several windows of one image


def test_the_centre_is_one_window_as_the_paper_tests():
    (only,) = windows_of(PHOTO, 100, "centre")
    assert np.array_equal(only, centre_window(PHOTO, 100))


def test_five_windows_are_the_centre_and_the_corners():
    five = windows_of(PHOTO, 100, "five")
    corners = [PHOTO[:100, :100], PHOTO[:100, -100:], PHOTO[-100:, :100], PHOTO[-100:, -100:]]
    assert all(np.array_equal(*both) for both in zip(five, [centre_window(PHOTO, 100), *corners], strict=True))


@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(12, 40))
def test_tiles_cover_every_pixel_with_as_few_as_that_takes(height, width, size):
    numbered = np.arange(1, height * width + 1, dtype=np.uint32).reshape(height, width)
    pixels = np.stack([numbered >> shift & 255 for shift in (0, 8, 16)], -1).astype(np.uint8)
    tiles = windows_of(pixels, size, "tiles")
    seen = np.unique(np.stack(tiles).astype(np.uint32) @ np.array([1, 256, 65536], np.uint32))
    assert np.array_equal(seen[seen > 0], numbered.ravel())
    assert len(tiles) == -(-height // size) * -(-width // size)


def test_very_large_images_have_at_most_eight_tiles_a_side():
    assert len(windows_of(np.zeros((2000, 300, 3), np.uint8), 10, "tiles")) == 64


@pytest.mark.parametrize("views", ["centre", "five", "tiles"])
def test_an_image_no_larger_than_a_window_is_seen_once(views):
    (only,) = windows_of(PHOTO[:60, :90], 100, views)
    assert np.array_equal(only, centre_window(PHOTO[:60, :90], 100))
