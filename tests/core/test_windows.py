"""The window that a detector sees: cut, never resized, black where the image is smaller; and its tensor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dda.core.windows import centre_window, to_tensor, window
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


def test_a_tensor_is_normalised_by_channel_and_has_channels_first():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 1] = (255, 51, 0)
    tensor = to_tensor([pixels, pixels[:, ::-1]], (0.5, 0.2, 0.0), (0.25, 0.5, 1.0))
    assert tensor.shape == (2, 3, 2, 2)
    assert tensor[0, :, 0, 1].tolist() == pytest.approx([2.0, 0.0, 0.0])
    assert tensor[1, :, 0, 1].tolist() == pytest.approx([-2.0, -0.4, 0.0])
    assert str(tensor.dtype) == "torch.float32"
