"""Windows' logits as a map: smooth, true in the middle of a window, and silent where nobody looked."""

import numpy as np

from dda.core.heatmaps import BLUE, ORANGE, heat, looked_at, painted
from dda.core.verdicts import Window
from dda.core.windows import regions_of

GREY = np.full((90, 120, 3), 128, np.uint8)


def windows_of(height, width, size_px, logits):
    regions = regions_of(height, width, size_px, "tiles")
    return [Window(region, logit) for region, logit in zip(regions, logits, strict=True)]


def test_equal_logits_give_one_value_everywhere():
    found = heat(windows_of(200, 300, 100, [2.5] * 6), 200, 300)
    assert np.allclose(found, 2.5, atol=1e-5)


def test_the_middle_of_a_window_has_nearly_its_logit_and_the_edge_between_two_their_mean():
    found = heat(windows_of(100, 200, 100, [-4.0, 4.0]), 100, 200)
    assert np.allclose(found[50, [50, 150]], [-4, 4], atol=0.1)
    assert abs(found[:, 99:101].mean()) < 1e-3


def test_windows_that_only_touch_leave_no_seam():
    found = heat(windows_of(100, 200, 100, [-4.0, 4.0]), 100, 200)
    assert np.abs(np.diff(found, axis=1)).max() < 8 * 0.03


def test_values_lie_between_the_least_and_the_largest_logit():
    found = heat(windows_of(250, 330, 100, np.linspace(-3, 7, 12)), 125, 165)
    assert -3 <= found.min() <= found.max() <= 7


def test_what_no_window_covers_is_not_a_number():
    windows = windows_of(100, 4000, 100, [1.0] * 8)
    found = heat(windows, 25, 1000)
    assert np.isnan(found).mean() == 1 - looked_at([one.region for one in windows], 25, 1000).mean()
    assert abs(np.isnan(found).any(axis=0).sum() - (1000 - 8 * 25)) <= 8


def test_a_map_is_of_the_size_that_is_shown_whatever_the_image_has():
    assert heat(windows_of(10_000, 10_000, 224, [1.0] * 64), 60, 60).shape == (60, 60)


def test_a_window_narrower_than_a_shown_pixel_is_still_shown():
    assert np.isfinite(heat(windows_of(4, 4000, 4, [1.0] * 8), 1, 40)).any()


def test_no_windows_are_no_map():
    assert np.isnan(heat([], 3, 4)).all()


def test_colours_are_blue_below_the_threshold_orange_above_and_none_at_it():
    logits = np.full((90, 120), 1.0, np.float32)
    logits[:, :40], logits[:, 80:] = -9, 11
    found = painted(GREY, logits, threshold=1.0, reach=4.0).astype(int)
    assert (found[:, 40:80] == 128).all()
    assert np.abs(found[0, 0] - BLUE).sum() < np.abs(found[0, 0] - ORANGE).sum()
    assert np.abs(found[0, 119] - ORANGE).sum() < np.abs(found[0, 119] - BLUE).sum()


def test_equal_distances_from_the_threshold_are_equally_strong():
    below, above = (painted(GREY, np.full((90, 120), logit), 1.0, 4.0)[0, 0].astype(float) for logit in (-1, 3))
    assert np.allclose((below - 128) / (np.array(BLUE) - 128), 0.35, atol=0.02)
    assert np.allclose((above - 128) / (np.array(ORANGE) - 128), 0.35, atol=0.02)


def test_the_image_shows_through_the_fullest_colour():
    pixels = GREY.copy()
    pixels[:, 60:] = 200
    found = painted(pixels, np.full((90, 120), 99.0), 0.0, 4.0).astype(int)
    assert (found[0, 100] - found[0, 10]).min() >= 15


def test_what_was_not_looked_at_is_hatched_without_colour():
    found = painted(GREY, np.full((90, 120), np.nan), 0.0, 4.0).astype(int)
    assert set(np.unique(found)) == {128}.union(np.unique(found[0]))
    assert (found == found[:, :, :1]).all()
