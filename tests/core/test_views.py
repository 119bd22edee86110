"""The views of a pair: real and fake by the same random choices, each the crop of the full-size computation."""

from itertools import permutations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench import plain_views
from dda.core.augmentations import Operation
from dda.core.views import (
    KERNELS,
    Drawn,
    Scale,
    draw,
    views_of,
)
from dda.core.windows import window
from dda.embedded.photos import PHOTOGRAPHS, originals

PHOTO = np.asarray(originals(next(one for one in PHOTOGRAPHS if one.name == "coffee"))[0])
shares = st.floats(0, 1)


# --- the places, turns and colours that the demo's detector sees

ALL_WAYS = {
    "scales": [[1.0, 1.0]],
    "kernels": ["bilinear"],
    "augmentations": [
        {"augment": "turn", "probability": 1.0},
        {"augment": "flip_horizontally", "probability": 0.5},
        {"augment": "invert", "probability": 0.5},
        {"augment": "permute_channels", "probability": 1.0},
    ],
}


def pair_views(real, fake, size_px, seed):
    return views_of([real, fake], draw(ALL_WAYS, np.random.default_rng(seed)), size_px)


def all_ways(pixels):
    """The bytes of all turns, mirrorings, orders of the channels and inversions of a square image."""
    turned = [np.rot90(side, turns) for side in (pixels, pixels[:, ::-1]) for turns in range(4)]
    coloured = [view[..., list(order)] for view in turned for order in permutations(range(3))]
    return {view.tobytes() for one in coloured for view in (one, 255 - one)}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90))
def test_both_windows_of_a_pair_show_the_same_place_alike(seed, size_px):
    real = PHOTO[100:180, 200:270]
    first, second = pair_views(real, real ^ 1, size_px, seed)
    differ = (first != second).any(axis=2)
    assert first.shape == second.shape == (size_px, size_px, 3)
    assert np.array_equal(second[differ], first[differ] ^ 1)
    assert np.count_nonzero(differ) == min(size_px, 80) * min(size_px, 70)


def test_a_pair_is_seen_in_every_turn_mirroring_and_colouring():
    image = PHOTO[60:76, 60:76]
    drawn = {pair_views(image, image, 16, seed)[0].tobytes() for seed in range(1500)}
    assert drawn == all_ways(image)
    assert len(drawn) == 4 * 2 * 6 * 2


def test_windows_of_a_pair_come_from_all_over_the_image():
    rows, columns = np.indices((64, 64), dtype=np.uint8)
    places, drawn = np.stack([0 * rows, rows, columns + 64], axis=2), []
    for seed in range(200):
        seen, _ = pair_views(places, places, 8, seed)
        drawn.append(sorted(np.minimum(seen, 255 - seen).min((0, 1))))
    assert np.min(drawn, axis=0).tolist() == pytest.approx([0, 0, 64], abs=3)
    assert np.max(drawn, axis=0).tolist() == pytest.approx([0, 56, 120], abs=3)


# --- the views of a pair

SMOOTH = ("bilinear", "hamming", "bicubic", "lanczos")
PICTURE = Image.fromarray(PHOTO)
EXACT = (
    Operation("jpeg", {"quality": 70}),
    Operation("flip_horizontally", {}),
    Operation("noise", {"sigma": 55.0, "seed": 3}),
    Operation("turn", {"quarters": 1}),
    Operation("sharpen", {"sigma": 3.0, "factor": 1.5}),
    Operation("contrast", {"factor": 1.25}),
)
SETTINGS = {
    "scales": [[1.0, 1.0], [0.2, 1.0], [1.0, 3.5]],
    "kernels": list(KERNELS),
    "augmentations": [
        {"augment": "flip_vertically", "probability": 0.5},
        {"augment": "jpeg", "probability": 0.5, "quality": [55, 100]},
    ],
}
unscaled = (Scale(1.0, "bicubic"),)


def both_ways(images, drawn, size_px):
    """The views, and the crops of the full-size computation."""
    return np.stack(views_of(images, drawn, size_px)), np.stack(plain_views.views_of(images, drawn, size_px))


def a_part(height, width):
    return PICTURE.crop((150, 100, 150 + width, 100 + height))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 120), shares, shares)
def test_views_are_exactly_the_crops_of_whole_augmented_images(height, width, size_px, top, left):
    found, expected = both_ways([a_part(height, width)], Drawn(unscaled, EXACT, top, left), size_px)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("kernel", SMOOTH)
@settings(max_examples=25, deadline=None)
@given(factor=st.floats(0.2, 3.5), top=shares, left=shares, size_px=st.integers(20, 150))
def test_a_smoothly_scaled_view_is_within_two_levels_of_the_whole_resized_image(kernel, factor, top, left, size_px):
    drawn = Drawn((Scale(factor, kernel),), (Operation("flip_vertically", {}),), top, left)
    found, expected = both_ways([PICTURE], drawn, size_px)
    assert np.mean((cv2.absdiff(found.ravel(), expected.ravel()) <= 2).reshape(found.shape).all(axis=3)) > 0.995


@pytest.mark.parametrize("kernel", ["nearest", "box"])
@settings(max_examples=25, deadline=None)
@given(factor=st.floats(1, 3.5), top=shares, left=shares)
def test_an_enlarged_view_by_nearest_or_box_takes_the_same_source_pixel_or_its_neighbour(kernel, factor, top, left):
    rows, columns = np.indices((200, 250), dtype=np.uint8)  # whose levels say which pixel was taken
    places = Image.fromarray(np.stack([rows, columns, columns], axis=2))
    found, expected = both_ways([places], Drawn((Scale(factor, kernel),), (), top, left), 90)
    assert cv2.absdiff(found.ravel(), expected.ravel()).max() <= 1


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(0.2, 1), top=shares, left=shares)
def test_a_reduced_view_by_box_may_take_one_row_and_column_more_of_each(factor, top, left):
    found, expected = both_ways([PICTURE], Drawn((Scale(factor, "box"),), (), top, left), 70)
    assert np.mean(found == expected) > 0.85
    pixels = np.asarray(plain_views.resized(PICTURE, Scale(factor, "box")))
    reach = np.ones((3, 3), np.uint8)
    lowest, highest = (window(change(pixels, reach), 70, top, left) for change in (cv2.erode, cv2.dilate))
    assert np.mean((found[0] >= lowest) & (found[0] <= highest)) > 0.99


def test_reduced_views_by_box_are_nearly_the_same_on_the_whole():
    """Single ones differ more: where a row's border falls on that of a source pixel, all of its pixels do."""
    rng = np.random.default_rng(0)
    drawn = [Drawn((Scale(rng.uniform(0.2, 1), "box"),), (), rng.random(), rng.random()) for _ in range(60)]
    pairs = [both_ways([PICTURE], one, 70) for one in drawn]
    assert np.mean([np.mean(found == expected) for found, expected in pairs]) > 0.99


def test_a_factor_of_one_does_not_resample():
    (view,) = views_of([PHOTO], Drawn(unscaled, (), 0.25, 0.5), 100)
    assert np.array_equal(view, PHOTO[75:175, 250:350])


def test_a_small_view_lies_on_black_that_no_augmentation_touched():
    drawn = Drawn((Scale(0.1, "box"),), (Operation("invert", {}),), 0.3, 0.9)
    (view,) = views_of([np.zeros((100, 200, 3), np.uint8)], drawn, 64)
    assert (view[27:37, 22:42] == 255).all()
    assert np.count_nonzero(view) == 3 * 10 * 20


def test_arrays_and_pictures_give_the_same_views_scale_by_scale():
    drawn = draw(SETTINGS, np.random.default_rng(3))
    found = views_of([PHOTO, 255 - PHOTO], drawn, 80)
    again = views_of([PICTURE, Image.fromarray(255 - PHOTO)], drawn, 80)
    assert [view.shape for view in found] == [(80, 80, 3)] * 6
    assert all(np.array_equal(one, other) for one, other in zip(found, again, strict=True))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_real_and_fake_are_seen_by_the_same_choices(seed):
    augmentations = [
        {"augment": "noise", "probability": 0.5, "sigma": 55.0},
        {"augment": "pepper", "probability": 0.5, "share": [0.01, 0.1]},
        {"augment": "turn", "probability": 0.5},
        {"augment": "jitter_colour", "probability": 0.5}
        | {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.175},
    ]
    drawn = draw(SETTINGS | {"augmentations": augmentations}, np.random.default_rng(seed))
    views = views_of([PICTURE, PICTURE], drawn, 60)
    assert all(np.array_equal(real, fake) for real, fake in zip(views[::2], views[1::2], strict=True))


def test_images_of_other_sizes_are_each_seen_as_they_would_be_alone():
    images, operations = [PICTURE, a_part(90, 120), a_part(90, 120)], EXACT[:-1]
    drawn = Drawn((Scale(1.0, "box"), Scale(1.5, "bicubic")), operations, 0.3, 0.6)
    alone = [views_of([image], drawn, 100) for image in images]
    together = views_of(images, drawn, 100)
    assert np.array_equal(together, [views[scale] for scale in range(2) for views in alone])


def test_contrast_is_the_same_map_for_real_and_fake_of_another_brightness():
    drawn = Drawn(unscaled, (Operation("contrast", {"factor": 0.5}),), 0.5, 0.5)
    real, fake = np.full((40, 40, 3), 100, np.uint8), np.full((40, 40, 3), 200, np.uint8)
    assert [view.max() for view in views_of([real, fake], drawn, 8)] == [100, 150]


def test_scales_kernels_and_places_are_drawn_from_all_of_their_ranges():
    rng = np.random.default_rng(0)
    everything = [draw(SETTINGS, rng) for _ in range(600)]
    for number, (lowest, highest) in enumerate(SETTINGS["scales"]):
        factors = [one.scales[number].factor for one in everything]
        middle, near = (lowest + highest) / 2, 0.1 * (highest - lowest)
        assert np.quantile(factors, [0, 0.5, 1]) == pytest.approx([lowest, middle, highest], abs=near)
        assert lowest <= min(factors) <= max(factors) <= highest
        assert {one.scales[number].kernel for one in everything} == set(KERNELS)
    for edge in ([one.top for one in everything], [one.left for one in everything]):
        assert np.quantile(edge, [0, 0.5, 1]) == pytest.approx([0, 0.5, 1], abs=0.07)


def test_adding_an_augmentation_or_a_scale_changes_nothing_else_that_is_drawn():
    more = {
        "scales": [*SETTINGS["scales"], [0.5, 0.6]],
        "augmentations": [{"augment": "invert", "probability": 1.0}, *SETTINGS["augmentations"]],
    }
    for seed in range(20):
        before, after = (draw(SETTINGS | one, np.random.default_rng(seed)) for one in ({}, more))
        assert after.scales[:3] == before.scales
        assert after.operations[1:] == before.operations
        assert (after.top, after.left) == (before.top, before.left)
