"""Regions of an image: grown, aligned, mirrored and turned as the image's own pixels are."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

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
    return region.cut(image, covering=Region.whole(*image.shape))


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
