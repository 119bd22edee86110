"""Probes: what they look at is what they say, and what tells nothing is told to tell nothing."""

from io import BytesIO
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from dda.core.probes import N_RINGS, block_grid, encoded, pixel_statistics, probe, radial_spectrum, spectral_gap
from dda.embedded.photos import tiles

PHOTOS = [np.asarray(Image.open(BytesIO(content)).convert("RGB")) for _, content in islice(tiles(), 0, 105, 5)]
GROUPS = [f"photo{number}" for number in range(len(PHOTOS))]


def compressed(pixels, quality):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def waves(cycles_per_px, side=256):
    levels = 128 + 80 * np.sin(2 * np.pi * cycles_per_px * np.arange(side))
    return np.repeat(np.tile(levels, (side, 1))[:, :, None], 3, axis=2).round().astype(np.uint8)


# --- what is looked at


def test_statistics_are_shares_of_levels():
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:5, :, 0] = 255
    pixels[:, :, 1] = 3
    mean, spread, black, white, even = pixel_statistics(pixels).reshape(5, 3)
    assert mean.tolist() == pytest.approx([0.5, 3 / 255, 0])
    assert spread.tolist() == pytest.approx([0.5, 0, 0])
    assert black.tolist() == [0.5, 0, 1]
    assert white.tolist() == [0.5, 0, 0]
    assert even.tolist() == [0.5, 0, 1]


@pytest.mark.parametrize("shift", [0, 1, 5])
def test_the_grid_of_a_compressed_image_stands_out_where_it_lies(shift):
    pixels = compressed(PHOTOS[0], 20)[shift:, shift:]
    across, down = block_grid(pixels)[:16].reshape(2, 8)
    assert across.argmax() == down.argmax() == (7 - shift) % 8


def test_without_compression_no_phase_stands_out():
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    assert np.abs(block_grid(noise)[:16] - 1).max() < 0.05
    assert np.abs(block_grid(noise)[16:]).max() < 0.05


@pytest.mark.parametrize("frequency", [0.1, 0.25, 0.4])
def test_a_pattern_lies_in_the_ring_of_its_frequency(frequency):
    assert radial_spectrum(waves(frequency)).argmax() == int(frequency * 2 * N_RINGS)


def test_white_noise_has_the_same_power_in_every_ring():
    noise = np.random.default_rng(0).integers(0, 256, (512, 300), np.uint8)
    spectrum = radial_spectrum(np.repeat(noise[:, :, None], 3, axis=2))
    assert np.ptp(spectrum[1:]) < 1.5


@pytest.mark.parametrize("size", [(64, 64), (65, 300), (700, 90)])
def test_images_of_all_sizes_have_comparable_numbers(size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert radial_spectrum(noise).shape == (N_RINGS,)
    assert np.isfinite(np.concatenate([radial_spectrum(noise), block_grid(noise), pixel_statistics(noise)])).all()


def test_a_blur_is_a_gap_at_high_frequencies_only():
    real = np.array([radial_spectrum(photo) for photo in PHOTOS])
    soft = [np.asarray(Image.fromarray(photo).resize((128, 128)).resize(photo.shape[1::-1])) for photo in PHOTOS]
    gap = spectral_gap(real, np.array([radial_spectrum(photo) for photo in soft]))
    assert abs(gap[0]) < 1
    assert gap[-4:].min() > 3


def test_facts_become_numbers_and_words_columns():
    facts = [{"format": "JPEG", "quality": 90}, {"format": "PNG", "quality": None}, {"format": "JPEG", "quality": 75}]
    assert encoded(facts).tolist() == [[1, 90], [0, 0], [1, 75]]


def test_frequent_numbers_are_words_too_and_the_lack_of_a_value_is_one():
    facts = [{"width": 512}, {"width": 512}, {"width": None}, {"width": None}, {"width": 400}]
    assert encoded(facts).tolist() == [[1, 0, 512], [1, 0, 512], [0, 1, 0], [0, 1, 0], [0, 0, 400]]


def test_no_fact_has_more_columns_than_there_are_frequent_values():
    facts = [{"tables": str(number // 2)} for number in range(200)]
    assert encoded(facts).shape == (200, 32)


def test_a_size_that_only_fakes_have_is_found_among_larger_and_smaller_reals():
    rng = np.random.default_rng(0)
    facts = encoded([{"width": int(one)} for one in rng.integers(300, 700, 100)] + [{"width": 500}] * 100)
    found = probe(facts[:100], facts[100:], alone(100), samples=50, seed=0)
    assert found.value > 0.95


def test_an_image_too_small_for_a_grid_is_refused_in_words():
    with pytest.raises(ValueError, match=r"8x20 pixels: too small"):
        block_grid(np.zeros((20, 8, 3), np.uint8))


# --- what is found


def alone(count):
    """Groups of which each holds one image."""
    return [f"r{number}" for number in range(count)], [f"f{number}" for number in range(count)]


def paired(groups):
    """The same groups for reals and for their fakes."""
    return groups, groups


def test_numbers_that_are_the_same_on_both_sides_of_each_pair_say_exactly_nothing():
    values = np.random.default_rng(0).normal(size=(40, 3))
    found = probe(values, values, paired([f"g{number // 2}" for number in range(40)]), samples=50, seed=0)
    assert found.value == 0.5
    assert (found.low, found.high) == (0.5, 0.5)


def test_numbers_that_differ_by_class_are_found():
    values = np.random.default_rng(0).normal(size=(60, 3))
    found = probe(
        values, values + np.array([0, 4, 0]), paired([f"g{number}" for number in range(60)]), samples=50, seed=0
    )
    assert found.value > 0.98


def test_chance_is_not_taken_for_a_shortcut():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 150, 4))
    found = probe(real, fake, paired([f"g{number}" for number in range(150)]), samples=200, seed=0)
    assert found.low < 0.5 < found.high


def test_what_is_learnt_of_a_group_is_not_judged_on_it():
    """Every group has a number of its own that says which side of it is fake: worth nothing outside it."""
    rng = np.random.default_rng(0)
    groups = [f"g{number // 10}" for number in range(200)]
    side = np.repeat(rng.choice([-1, 1], 20), 10)
    one_hot = np.eye(20)[np.arange(200) // 10] * side[:, None]
    found = probe(one_hot, -one_hot, paired(groups), samples=100, seed=0)
    assert abs(found.value - 0.5) < 0.1


def test_photos_and_their_lightly_clipped_copies_are_told_apart_by_statistics():
    real = np.array([pixel_statistics(photo) for photo in PHOTOS])
    fake = np.array([pixel_statistics(photo // 2 * 2) for photo in PHOTOS])
    assert probe(real, fake, paired(GROUPS), samples=50, seed=0).value > 0.95


def test_one_group_is_not_enough():
    values = np.zeros((4, 1))
    with pytest.raises(ValueError, match=r"."):
        probe(values, values, paired(["one"] * 4), samples=10, seed=0)
