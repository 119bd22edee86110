"""Bands of 8x8 blocks: exact both ways, the chosen ones and no others are fused, energies are the real's."""

from io import BytesIO
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn

from dda.core.alignment import mix_pixels
from dda.core.bands import (
    BAND_OF,
    N_BANDS,
    block_dct,
    copy_clipped,
    equalise_bands,
    inverse_dct,
    low_pass,
    mix_bands,
    mix_frequencies,
)
from dda.embedded.photos import tiles

PHOTOS = [np.asarray(Image.open(BytesIO(content)).convert("RGB")) for _, content in islice(tiles(), 0, 105, 9)]
photos = st.sampled_from(range(len(PHOTOS)))
weights = st.floats(0, 1)
bands = st.tuples(st.integers(0, N_BANDS - 1), st.integers(0, N_BANDS - 1)).map(sorted).map(tuple)
ALL = (0, N_BANDS - 1)
sides = st.integers(1, 60)


def blurred(pixels):
    """Much as a small VAE gives it back: softer, and some levels off."""
    small = Image.fromarray(pixels).resize((max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2)))
    return np.asarray(small.resize(pixels.shape[1::-1], Image.Resampling.BICUBIC))


@st.composite
def pairs(draw):
    """A window of a photo, of any size, and a blurred copy."""
    pixels = PHOTOS[draw(photos)][: draw(sides), : draw(sides)]
    return pixels, blurred(pixels)


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
@pytest.mark.parametrize("size", [(8, 8), (16, 24), (1, 1), (13, 7), (64, 90)])
def test_an_image_comes_back_from_its_coefficients(size, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, *channels), np.uint8)
    back = inverse_dct(block_dct(pixels), pixels.shape)
    assert back.shape == pixels.shape
    assert np.abs(back - pixels).max() < 1e-3


def test_coefficients_are_those_of_scipy():
    pixels = PHOTOS[0][:16, :24]
    ours = block_dct(pixels)
    for row, column, channel in np.ndindex(2, 3, 3):
        block = pixels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8, channel].astype(float)
        assert np.allclose(ours[row, column, channel], dctn(block, norm="ortho"), atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(pairs(), weights)
def test_all_bands_mixed_are_pixels_mixed_within_one_level(pair, weight):
    real, fake = pair
    by_band = mix_bands(real, fake, weight, ALL).astype(int)
    assert np.abs(by_band - mix_pixels(real, fake, weight)).max() <= 1


@settings(max_examples=60, deadline=None)
@given(pairs(), bands)
def test_no_weight_gives_the_fake_and_all_bands_with_all_weight_the_real(pair, some):
    real, fake = pair
    assert np.array_equal(mix_bands(real, fake, 0.0, some), fake)
    assert np.array_equal(mix_bands(real, fake, 1.0, ALL), real)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), weights, bands)
def test_bands_that_are_not_chosen_are_untouched_and_the_others_fused(seed, weight, some):
    """Levels far from black and white, so that nothing clips; rounding moves a coefficient by less than 8 x 0.5."""
    rng = np.random.default_rng(seed)
    real, fake = (rng.integers(100, 156, (24, 16, 3)).astype(np.uint8) for _ in range(2))
    mixed, of_real, of_fake = (block_dct(image) for image in (mix_bands(real, fake, weight, some), real, fake))
    kept = (some[0] > BAND_OF) | (some[1] < BAND_OF)
    assert np.abs((mixed - of_fake)[..., kept]).max(initial=0) <= 4
    fused = weight * of_real + (1 - weight) * of_fake
    assert np.abs((mixed - fused)[..., ~kept]).max(initial=0) <= 4


@pytest.mark.parametrize("number", range(len(PHOTOS)))
def test_equalised_bands_have_the_energy_of_the_real(number):
    real = PHOTOS[number]
    fake = blurred(real)

    def gap_db(image):
        """How far the image's energies are from the real's, by band, where the real has more than rounding."""
        ours, theirs = (np.square(block_dct(one)).mean(axis=(0, 1, 2)) for one in (image, real))
        bands = [(ours[band == BAND_OF].sum(), theirs[band == BAND_OF].sum()) for band in range(1, N_BANDS)]
        return np.array([10 * np.log10(their / our) for our, their in bands if their > 4 * (BAND_OF == 7).sum() / 12])

    assert np.abs(gap_db(equalise_bands(real, fake))).mean() < 0.5 * np.abs(gap_db(fake)).mean()


def test_equalising_what_is_already_equal_changes_nothing():
    assert all(np.array_equal(equalise_bands(photo, photo), photo) for photo in PHOTOS)


def test_equalising_keeps_the_mean_of_every_block():
    real = np.random.default_rng(1).integers(100, 156, (32, 32, 3)).astype(np.uint8)
    fake = np.random.default_rng(2).integers(120, 136, (32, 32, 3)).astype(np.uint8)
    before, after = (block_dct(image)[..., 0, 0] for image in (fake, equalise_bands(real, fake)))
    assert np.abs(before - after).max() <= 4


def test_a_grey_image_is_fused_as_a_grey_image():
    real, fake = PHOTOS[0][:, :, 0], PHOTOS[1][: PHOTOS[0].shape[0], : PHOTOS[0].shape[1], 0]
    height, width = (min(sides) for sides in zip(real.shape, fake.shape, strict=True))
    real, fake = real[:height, :width], fake[:height, :width]
    assert mix_bands(real, fake, 0.5, (4, 14)).shape == real.shape
    assert equalise_bands(real, fake).shape == real.shape


# --- frequencies of the whole image


def waves(cycles_per_px, amplitude):
    levels = amplitude * np.sin(2 * np.pi * cycles_per_px * np.arange(160))
    return np.rint(128 + np.tile(levels, (120, 1))[:, :, None].repeat(3, axis=2)).astype(np.uint8)


@settings(max_examples=40, deadline=None)
@given(pairs(), st.floats(0.05, 0.5))
def test_without_weight_the_fake_stays_bit_for_bit(pair, cutoff):
    real, fake = pair
    assert np.array_equal(mix_frequencies(real, fake, 0.0, cutoff), fake)


@settings(max_examples=40, deadline=None)
@given(pairs(), weights, st.floats(0.05, 0.5))
def test_of_two_equal_images_the_same_one_is_made(pair, weight, cutoff):
    assert np.array_equal(mix_frequencies(pair[0], pair[0], weight, cutoff), pair[0])


@pytest.mark.parametrize("cutoff", [0.08, 0.13, 0.18, 0.3])
def test_the_filter_passes_what_lies_below_and_stops_what_lies_above(cutoff):
    frequency = np.arange(512) / 1024
    response = np.abs(np.fft.rfft(low_pass(cutoff), 1024))[:-1]
    assert response[0] == pytest.approx(1, abs=1e-6)
    assert np.abs(response[frequency < cutoff - 0.09] - 1).max(initial=0) < 0.02
    assert response[frequency > cutoff + 0.09].max() < 0.02
    assert response[np.abs(frequency - cutoff).argmin()] == pytest.approx(0.5, abs=0.05)


def test_what_lies_above_comes_from_the_real_and_what_lies_below_stays():
    real = waves(0.05, 40).astype(int) + waves(0.35, 40) - 128
    fake = waves(0.05, 20).astype(int) + waves(0.35, 10) - 128
    mixed = mix_frequencies(real.astype(np.uint8), fake.astype(np.uint8), 1.0, 0.18).astype(int)
    wanted = waves(0.05, 20).astype(int) + waves(0.35, 40) - 128
    assert np.abs(mixed - wanted)[16:-16, 16:-16].max() <= 3


def test_frequencies_are_fused_without_a_grid_of_blocks():
    real, fake = PHOTOS[0], blurred(PHOTOS[0])
    steps = [
        np.abs(np.diff(image.astype(float), axis=1)).mean(axis=(0, 2))
        for image in (real, mix_frequencies(real, fake, 1.0, 0.18), mix_bands(real, fake, 1.0, (4, 14)))
    ]
    strength = [by_place[7::8].mean() / np.delete(by_place, np.s_[7::8]).mean() for by_place in steps]
    assert abs(strength[1] / strength[0] - 1) < 0.5 * abs(strength[2] / strength[0] - 1)


def test_frequencies_of_a_grey_image_are_fused_as_those_of_a_coloured_one():
    real = PHOTOS[0]
    fake = blurred(real)
    coloured = mix_frequencies(real, fake, 0.7, 0.13)
    assert np.array_equal(mix_frequencies(real[:, :, 1], fake[:, :, 1], 0.7, 0.13), coloured[:, :, 1])


@settings(max_examples=40, deadline=None)
@given(pairs(), weights, st.floats(0.05, 0.5))
def test_what_is_added_is_the_high_pass_of_the_difference(pair, weight, cutoff):
    """Against the plain formula, one axis after the other over mirrored edges; the low pass is rounded to levels."""
    real, fake = (image.astype(float) for image in pair)
    low, kernel = real - fake, low_pass(cutoff).astype(float)
    for axis in (0, 1):
        margins = [(9, 9) if axis == other else (0, 0) for other in range(3)]
        padded = np.pad(low, margins, mode="symmetric")
        low = np.apply_along_axis(np.convolve, axis, padded, kernel, mode="valid")
    wanted = np.clip(fake + weight * (real - fake - low), 0, 255)
    assert np.abs(mix_frequencies(*pair, weight, cutoff) - wanted).max() <= 1.01


# --- black and white


@settings(max_examples=40, deadline=None)
@given(pairs())
def test_black_and_white_are_the_reals_and_nothing_else_changes(pair):
    real, fake = pair
    made = copy_clipped(real, fake)
    clipped = (real == 0) | (real == 255)
    assert np.array_equal(made[clipped], real[clipped])
    assert np.array_equal(made[~clipped], fake[~clipped])
