"""A JPEG that was one of another quality before is told from one that was not, and the quality is found."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dda.core.jpeg import jpeg_facts
from dda.core.recompression import FITTING, FOUND, MAX_LEVEL, SCALES, histograms, recompression, shape
from tests.marked import COFFEE


def compressed(image, quality):
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def asked(image):
    table = jpeg_facts(image).tables[0]
    image.draft("L", image.size)
    return recompression(np.asarray(image), table)


def twice(first, last):
    return asked(compressed(compressed(COFFEE, first).convert("RGB"), last))


@pytest.mark.parametrize("quality", [60, 75, 85, 90, 95, 98])
def test_a_photo_that_was_compressed_once_gives_no_hint(quality):
    assert asked(compressed(COFFEE, quality)).gain < FOUND / 2


@pytest.mark.parametrize(("first", "last"), [(50, 75), (60, 90), (75, 85), (70, 98), (90, 95), (85, 75), (80, 70)])
def test_an_earlier_quality_is_found_and_named(first, last):
    found = twice(first, last)
    assert found.gain > 2 * FOUND
    assert abs(found.quality - first) <= 1
    assert found.lowest <= first <= found.highest
    assert found.fit > FITTING


def test_tables_that_are_not_libjpegs_are_found_and_given_no_quality():
    found = twice("high", 90)
    assert found.gain > FOUND
    assert found.fit < FITTING


@pytest.mark.parametrize("quality", [60, 80, 95])
def test_the_same_quality_twice_leaves_no_trace(quality):
    assert twice(quality, quality).gain < FOUND


def test_a_grid_that_was_moved_is_no_earlier_compression_at_the_same_place():
    moved = compressed(COFFEE, 60).convert("RGB").crop((3, 5, 600, 400))
    assert asked(compressed(moved, 95)).gain < FOUND


def test_too_few_blocks_give_no_answer():
    assert asked(compressed(COFFEE.crop((0, 0, 120, 120)), 80)) is None
    assert asked(compressed(COFFEE.crop((0, 0, 7, 300)), 80)) is None


def test_a_picture_of_black_and_white_only_gives_no_answer():
    assert recompression(np.kron(np.eye(64, dtype=np.uint8) * 255, np.ones((8, 8), np.uint8)), [3] * 64) is None


def test_one_flat_grey_gives_no_hint():
    assert recompression(np.full((512, 512), 77, np.uint8), [3] * 64).gain < FOUND


def test_noise_gives_no_hint():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8))
    assert (found := asked(compressed(noise, 75))) is None or found.gain < FOUND


def test_a_damaged_table_of_zeros_is_no_error():
    assert recompression(np.asarray(COFFEE.convert("L")), [0] * 64) is not None


@pytest.mark.parametrize("earlier", [0, 1, 3, 7, 40])
@pytest.mark.parametrize("own", [1, 2, 10])
def test_shapes_are_probabilities(earlier, own):
    found = shape(earlier, own)
    assert found.shape == (len(SCALES), MAX_LEVEL + 1)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-3)


def test_a_coarser_earlier_divisor_leaves_gaps():
    wide = shape(6, 2)[-5]
    assert wide[3] > 10 * wide[4]


def test_every_frequency_of_every_block_is_counted_once():
    counts = histograms(np.full((80, 160), 100, np.uint8), np.full(14, 5))
    assert counts.shape == (14, MAX_LEVEL + 1)
    assert (counts.sum(axis=1) == 200).all()
