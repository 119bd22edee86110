"""Augmentations: computed for a part of an image they are what they are in the whole, and drawn as told."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dda.core import colours, fields
from dda.core.augmentations import (
    DRAWS,
    KINDS,
    Operation,
    augmented,
    draw_operations,
    final_region,
    places_needed,
    with_level,
)
from dda.core.filters import BLURS, motion
from dda.core.regions import Region
from dda.embedded.photos import PHOTOGRAPHS, originals

IMAGES = {one.name: originals(one)[0] for one in PHOTOGRAPHS if one.name in ("coffee", "chelsea", "astronaut")}
PHOTO = np.asarray(IMAGES["coffee"])
factors = st.integers(0, 1024).map(lambda number: number / 256)
seeds = st.integers(0, 2**63 - 1)


def rounded(levels):
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def through_jpeg(pixels, quality):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def grey(pixels):
    return np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def shifted_hue(pixels, shift):
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV_FULL).astype(int)
    hsv[..., 0] = (hsv[..., 0] + round(256 * shift)) % 256
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB_FULL)


def noised(pixels, field):
    return rounded(pixels + field.astype(float))


def peppered(pixels, field):
    return pixels * field[..., None]


def sharpened(pixels, sigma, factor):
    return rounded(pixels + factor * (pixels - cv2.GaussianBlur(pixels, (19, 19), sigma).astype(float)))


BLURRED = {
    "gaussian_3": lambda pixels, _: cv2.GaussianBlur(pixels, (3, 3), 0),
    "gaussian_5": lambda pixels, _: cv2.GaussianBlur(pixels, (5, 5), 0),
    "median_3": lambda pixels, _: cv2.medianBlur(pixels, 3),
    "motion_5": lambda pixels, direction: cv2.filter2D(pixels, -1, motion(direction)),
}
WHOLE = {
    "jpeg": through_jpeg,
    "flip_horizontally": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "flip_vertically": lambda pixels: np.ascontiguousarray(pixels[::-1]),
    "turn": lambda pixels, quarters: np.ascontiguousarray(np.rot90(pixels, quarters)),
    "noise": lambda pixels, **values: noised(pixels, fields.noise_at(Region.whole(*pixels.shape[:2]), **values)),
    "pepper": lambda pixels, **values: peppered(
        pixels, fields.unpeppered_at(Region.whole(*pixels.shape[:2]), **values)
    ),
    "blur": lambda pixels, kind, direction: BLURRED[kind](pixels, direction),
    "sharpen": sharpened,
    "brightness": lambda pixels, factor: rounded(factor * pixels),
    "contrast": lambda pixels, factor, level: rounded(level + factor * (pixels - level)),
    "saturation": lambda pixels, factor: rounded(factor * pixels + (1 - factor) * grey(pixels)),
    "hue": shifted_hue,
    "to_grey": grey,
    "invert": lambda pixels: 255 - pixels,
    "permute_channels": lambda pixels, order: np.ascontiguousarray(pixels[..., list(order)]),
}
"""Each operation written plainly, of a whole image."""
VALUES = {
    "jpeg": {"quality": st.integers(55, 100)},
    "turn": {"quarters": st.integers(0, 3)},
    "noise": {"sigma": st.just(55.0), "seed": seeds},
    "pepper": {"share": st.floats(0.01, 0.1), "seed": seeds},
    "blur": {"kind": st.sampled_from(BLURS), "direction": st.floats(0, 1)},
    "sharpen": {"sigma": st.just(3.0), "factor": factors},
    "brightness": {"factor": factors},
    "contrast": {"factor": factors, "level": st.just(117.25)},
    "saturation": {"factor": factors},
    "hue": {"shift": st.floats(-0.175, 0.175)},
    "permute_channels": {"order": st.permutations(range(3))},
}


def operation(name):
    return st.fixed_dictionaries(VALUES.get(name, {})).map(lambda values: Operation(name, values))


@st.composite
def windows(draw, operations, height, width):
    """A window of what an image of this size becomes; often in a corner."""
    final = final_region(operations, height, width)
    sides = [draw(st.integers(1, side)) for side in (final.height, final.width)]
    rooms = [final.height - sides[0], final.width - sides[1]]
    top, left = (draw(st.one_of(st.just(0), st.just(room), st.integers(0, room))) for room in rooms)
    return Region(top, left, *sides, final.height, final.width)


def whole(operations, pixels):
    for one in operations:
        pixels = WHOLE[one.name](pixels, **one.values)
    return pixels


def cut_first(operations, pixels, wanted):
    places = places_needed(operations, wanted)
    (made,) = augmented(operations, [places[0].cut(pixels, Region.whole(*pixels.shape[:2]))], places)
    return made


def assert_cut_first_is_cut_last(data, operations, largest=130):
    height, width = data.draw(st.integers(1, largest)), data.draw(st.integers(1, largest))
    pixels = np.ascontiguousarray(PHOTO[90 : 90 + height, 200 : 200 + width])
    wanted = data.draw(windows(operations, height, width))
    last = whole(operations, pixels)
    found = cut_first(operations, pixels, wanted)
    assert np.array_equal(found, wanted.cut(last, Region.whole(*last.shape[:2])))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_part_that_is_cut_first_is_that_part_of_the_whole(name, data):
    assert_cut_first_is_cut_last(data, [data.draw(operation(name))])


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_chains_in_any_order_that_are_cut_first_are_parts_of_the_whole(data):
    names = data.draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=7))
    assert_cut_first_is_cut_last(data, [data.draw(operation(name)) for name in names])


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_crop_of_a_large_photo_that_is_cut_first_is_that_of_the_whole(data):
    operations = [data.draw(operation(name)) for name in ("jpeg", "turn", "sharpen", "jpeg", "noise", "hue")]
    assert_cut_first_is_cut_last(data, operations, largest=310)


def test_only_a_small_part_of_an_image_is_read():
    operations = [Operation("jpeg", {"quality": 80}), Operation("sharpen", {"sigma": 3.0, "factor": 2.0})]
    read = places_needed(operations, Region(400, 600, 100, 100, 2000, 3000))[0]
    assert max(read.height, read.width) <= 100 + 2 * (9 + 4 + 15)
    assert read.top % 16 == read.left % 16 == read.height % 16 == 0


@pytest.mark.parametrize("direction", np.linspace(0, 1, 40))
def test_a_motion_is_a_line_of_five_pixels_through_the_middle_in_its_direction(direction):
    kernel = motion(direction)
    rows, columns = np.nonzero(kernel)
    along = np.cos(np.pi * direction) * (rows - 2) - np.sin(np.pi * direction) * (columns - 2)
    assert len(rows) == 5
    assert kernel.sum() == pytest.approx(1)
    assert kernel[2, 2] > 0
    assert np.abs(along).max() <= 0.5 + 1e-9


def test_images_of_one_size_are_augmented_as_each_would_be_alone():
    operations = [Operation("noise", {"sigma": 55.0, "seed": 2}), Operation("pepper", {"share": 0.1, "seed": 2})]
    images, places = [PHOTO, 255 - PHOTO], places_needed(operations, Region.whole(*PHOTO.shape[:2]))
    alone = [augmented(operations, [pixels], places)[0] for pixels in images]
    assert np.array_equal(augmented(operations, images, places), alone)


# --- contrast


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("before", [[], ["noise"], ["brightness"], ["invert", "hue"], ["saturation", "pepper"]])
def test_contrast_about_the_level_of_the_pair_is_nearly_that_about_the_own_mean(name, before):
    values = {
        "noise": {"sigma": 55.0, "seed": 4},
        "brightness": {"factor": 1.25},
        "hue": {"shift": 0.1},
        "saturation": {"factor": 0.75},
        "pepper": {"share": 0.1, "seed": 4},
    }
    operations = [Operation(one, values.get(one, {})) for one in before]
    for factor in (0.6, 1.4):
        *_, contrast = with_level([*operations, Operation("contrast", {"factor": factor})], IMAGES[name])
        pixels = whole(operations, np.asarray(IMAGES[name]))
        own = WHOLE["contrast"](pixels, factor, colours.luma(pixels).mean()).astype(int)
        assert np.mean(np.abs(colours.contrast(pixels, **contrast.values) - own) <= 2) > 0.99


def test_what_only_moves_or_mixes_pixels_changes_no_level():
    contrast = Operation("contrast", {"factor": 1.25})
    moved = [Operation("turn", {"quarters": 1}), Operation("blur", {"kind": "median_3", "direction": 0.0}), contrast]
    assert with_level(moved, IMAGES["coffee"])[-1] == with_level([contrast], IMAGES["coffee"])[-1]


# --- drawing

EACH = [
    {"augment": "jpeg", "probability": 0.15, "quality": [55, 100]},
    {"augment": "flip_horizontally", "probability": 0.5},
    {"augment": "noise", "probability": 0.1, "sigma": 55},
    {"augment": "pepper", "probability": 0.1, "share": [0.01, 0.1]},
    {"augment": "blur", "probability": 0.2, "kinds": list(BLURS)},
    {"augment": "sharpen", "probability": 0.1, "sigma": 3, "factor": [1, 3]},
    {
        "augment": "jitter_colour",
        "probability": 0.2,
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.4,
        "hue": 0.175,
    },
    {"augment": "turn", "probability": 0.7},
    {"augment": "permute_channels", "probability": 0.3},
    {"augment": "invert", "probability": 0.5},
]
JITTERED = ("brightness", "contrast", "saturation", "hue")
ALWAYS = [one | {"probability": 1.0} for one in EACH]


def drawn(chosen, count=1500):
    return [{one.name: one.values for one in draw_operations(chosen, seed)} for seed in range(count)]


def values_of(name, key):
    return [one[name][key] for one in drawn(ALWAYS, 600)]


@pytest.mark.parametrize("chosen", EACH, ids=lambda one: one["augment"])
def test_an_augmentation_happens_with_its_probability(chosen):
    name = "hue" if chosen["augment"] == "jitter_colour" else chosen["augment"]
    share = np.mean([name in one for one in drawn(EACH)])
    assert share == pytest.approx(chosen["probability"], abs=0.045)


@pytest.mark.parametrize(
    ("name", "key", "lowest", "highest"),
    [
        ("jpeg", "quality", 55, 100),
        ("pepper", "share", 0.01, 0.1),
        ("blur", "direction", 0, 1),
        ("sharpen", "factor", 1, 3),
        ("brightness", "factor", 0.6, 1.4),
        ("contrast", "factor", 0.6, 1.4),
        ("saturation", "factor", 0.6, 1.4),
        ("hue", "shift", -0.175, 0.175),
        ("turn", "quarters", 0, 3),
    ],
)
def test_values_are_drawn_evenly_from_their_range(name, key, lowest, highest):
    values, extent = values_of(name, key), highest - lowest
    assert lowest <= min(values) < lowest + 0.05 * extent
    assert highest - 0.05 * extent < max(values) <= highest
    assert np.mean(values) == pytest.approx((lowest + highest) / 2, abs=0.05 * extent)


def test_every_blur_and_every_order_of_channels_and_of_the_jitter_is_drawn():
    everything = drawn(ALWAYS, 600)
    assert set(values_of("blur", "kind")) == set(BLURS)
    assert len(set(values_of("permute_channels", "order"))) == 6
    assert len({tuple(name for name in one if name in JITTERED) for one in everything}) == 24


def test_operations_happen_in_the_order_of_the_settings():
    names = [one.name for one in draw_operations(ALWAYS, 0) if one.name not in JITTERED]
    assert names == [one["augment"] for one in EACH if one["augment"] != "jitter_colour"]


@pytest.mark.parametrize("left_out", range(len(EACH)))
def test_leaving_one_out_changes_what_no_other_draws(left_out):
    fewer = [one for number, one in enumerate(EACH) if number != left_out]
    gone = JITTERED if EACH[left_out]["augment"] == "jitter_colour" else [EACH[left_out]["augment"]]
    for before, after in zip(drawn(EACH, 60), drawn(fewer, 60), strict=True):
        assert after == {name: values for name, values in before.items() if name not in gone}


def test_probabilities_of_0_and_1_mean_never_and_always():
    assert not any(drawn([one | {"probability": 0.0} for one in EACH], 100))
    assert all(len(one) == len(EACH) + 3 for one in drawn(ALWAYS, 100))


def test_what_has_values_has_a_way_to_draw_them():
    assert {name for name in VALUES if name not in JITTERED} | {"jitter_colour"} == set(DRAWS)
    assert set(WHOLE) == set(KINDS)
