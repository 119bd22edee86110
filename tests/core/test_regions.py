"""Regions of an image: grown, aligned, mirrored and turned as the image's own pixels are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dda.core.regions import Region


@st.composite
def regions(draw):
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return Region(top, left, draw(st.integers(1, height - top)), draw(st.integers(1, width - left)), height, width)


def image_of(region):
    """An image of the region's size, each pixel another number."""
    return np.arange(region.image_height * region.image_width).reshape(region.image_height, region.image_width)


def cut(region, image):
    return region.cut(image, covering=Region.whole(*image.shape[:2]))


def outside(region, other):
    """How far another region reaches over this one: above, to the left, below, to the right."""
    below = other.top + other.height - region.top - region.height
    return (
        region.top - other.top,
        region.left - other.left,
        below,
        other.left + other.width - region.left - region.width,
    )


@given(regions(), st.integers(0, 70))
def test_a_grown_region_has_its_margin_on_each_side_or_ends_with_the_image(region, margin):
    whole = Region.whole(region.image_height, region.image_width)
    room = outside(region, whole)
    assert outside(region, region.grown(margin)) == tuple(min(margin, one) for one in room)


@given(regions(), st.sampled_from([8, 16]))
def test_an_aligned_region_begins_and_ends_between_blocks_or_with_the_image(region, block):
    aligned = region.aligned(block)
    bottom, right = aligned.top + aligned.height, aligned.left + aligned.width
    assert aligned.top % block == aligned.left % block == 0
    assert bottom % block == 0 or bottom == region.image_height
    assert right % block == 0 or right == region.image_width
    assert all(0 <= one < block for one in outside(region, aligned))


@given(regions())
def test_a_region_is_mirrored_with_its_image(region):
    image = image_of(region)
    assert np.array_equal(cut(region.mirrored_horizontally(), image[:, ::-1]), cut(region, image)[:, ::-1])
    assert np.array_equal(cut(region.mirrored_vertically(), image[::-1]), cut(region, image)[::-1])
    assert region.mirrored_horizontally().mirrored_horizontally() == region
    assert region.mirrored_vertically().mirrored_vertically() == region


@given(regions(), st.integers(0, 3))
def test_a_region_is_turned_with_its_image_and_back(region, quarters):
    image = image_of(region)
    turned = np.rot90(image, quarters)
    assert np.array_equal(cut(region.turned(quarters), turned), np.rot90(cut(region, image), quarters))
    assert region.turned(quarters).turned(-quarters) == region


@settings(max_examples=50)
@given(regions(), st.integers(0, 20))
def test_a_region_is_cut_out_of_a_larger_one_as_out_of_the_image(region, margin):
    image, larger = image_of(region), region.grown(margin)
    assert np.array_equal(region.cut(cut(larger, image), covering=larger), cut(region, image))


# --- reading a region of a picture


def picture_of(height, width):
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels), pixels


@given(regions())
def test_a_region_is_read_out_of_a_picture_as_it_is_cut_out_of_its_pixels(region):
    picture, pixels = picture_of(region.image_height, region.image_width)
    assert np.array_equal(region.read(picture), cut(region, pixels))


@pytest.mark.parametrize("side", [2048, 2049])
def test_a_picture_that_pillow_holds_in_one_block_or_in_two_is_read_alike(side):
    picture, pixels = picture_of(2048, side)
    for region in (Region.whole(2048, side), Region(2000, 30, 48, 1500, 2048, side)):
        assert np.array_equal(region.read(picture), cut(region, pixels))


def test_a_picture_whose_rows_pillow_aligns_is_read_alike():
    Image.core.set_alignment(64)
    try:
        picture, pixels = picture_of(20, 13)
        assert np.array_equal(Region.whole(20, 13).read(picture), pixels)
    finally:
        Image.core.set_alignment(1)


def test_what_was_read_stays_when_the_picture_changes_and_goes():
    picture, pixels = picture_of(40, 50)
    read = Region.whole(40, 50).read(picture)
    picture.paste((0, 0, 0), (0, 0, 50, 40))
    del picture
    assert np.array_equal(read, pixels)
