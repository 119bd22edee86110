"""Dual alignment: pixels are mixed first, then compressed as the real was."""

from io import BytesIO
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dda.core.alignment import Recipe, align_fake, draw_recipe, luminance, mix_pixels
from dda.core.jpeg import jpeg_facts
from dda.embedded.photos import tiles

TILES = list(islice(tiles(), 12))
seeds = st.integers(0, 2**32 - 1)


def opened(content):
    return Image.open(BytesIO(content))


def noise(seed):
    return np.random.default_rng(seed).integers(0, 256, (9, 7, 3), np.uint8)


def grey_jpeg():
    buffer = BytesIO()
    opened(TILES[0][1]).convert("L").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


@pytest.mark.parametrize("content", [content for _, content in TILES], ids=[name for name, _ in TILES])
def test_a_matched_fake_has_the_tables_of_its_real(content):
    real = opened(content)
    pixels = np.asarray(real)
    _, fake = align_fake(pixels, pixels[::-1], Recipe(0.0, True), jpeg_facts(real))
    assert jpeg_facts(opened(fake)) == jpeg_facts(real)
    assert opened(fake).size == real.size


def test_a_recipe_without_matching_leaves_compression_alone():
    real = opened(TILES[0][1])
    pixels, content = align_fake(np.asarray(real), np.asarray(real), Recipe(0.5, False), jpeg_facts(real))
    assert content == b""
    assert np.array_equal(pixels, np.asarray(real))


def test_the_fake_of_a_real_that_is_no_jpeg_is_not_compressed():
    real = np.asarray(opened(TILES[0][1]))
    pixels, content = align_fake(real, real[::-1], Recipe(0.0, True), None)
    assert content == b""
    assert np.array_equal(pixels, real[::-1])


def test_the_fake_of_a_greyscale_real_is_greyscale():
    real = opened(grey_jpeg())
    reconstruction = np.asarray(opened(TILES[0][1]))
    pixels, content = align_fake(np.asarray(real), reconstruction, Recipe(0.0, True), jpeg_facts(real))
    assert np.array_equal(pixels, luminance(reconstruction))
    assert opened(content).mode == "L"
    assert jpeg_facts(opened(content)) == jpeg_facts(real)


def test_pixels_are_mixed_before_they_are_compressed():
    real = opened(TILES[0][1])
    pixels, content = align_fake(np.asarray(real), noise(0)[:1, :1], Recipe(1.0, True), jpeg_facts(real))
    assert np.array_equal(pixels, np.asarray(real))
    levels = np.abs(np.asarray(opened(content)).astype(int) - pixels)
    assert levels.mean() < 2


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_a_real_weight_of_0_gives_the_fake_and_1_gives_the_real(seed):
    real, fake = noise(seed), noise(seed + 1)
    assert np.array_equal(mix_pixels(real, fake, 0.0), fake)
    assert np.array_equal(mix_pixels(real, fake, 1.0), real)


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0, 1))
def test_every_mixed_pixel_lies_between_both_and_within_half_a_level_of_the_formula(seed, weight):
    real, fake = noise(seed), noise(seed + 1)
    mixed = mix_pixels(real, fake, weight)
    assert mixed.dtype == np.uint8
    assert (mixed >= np.minimum(real, fake)).all()
    assert (mixed <= np.maximum(real, fake)).all()
    assert np.abs(mixed - (weight * real + (1 - weight) * fake)).max() <= 0.5 + 1e-4


def test_a_mixed_pixel_is_rounded_and_not_cut():
    real, fake = np.array([[[10]]], np.uint8), np.array([[[0]]], np.uint8)
    assert mix_pixels(real, fake, 0.19).item() == 2
    assert mix_pixels(real, fake, 0.11).item() == 1


def test_the_luminance_of_grey_is_the_grey_level():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(luminance(np.repeat(grey[:, :, None], 3, axis=2)), grey)


def test_the_luminance_weighs_colours_as_itu_r_601_does():
    primaries = (255 * np.eye(3)).astype(np.uint8)[None]
    assert luminance(primaries).tolist() == [[76, 150, 29]]


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_recipe_depends_on_its_generator_alone(seed, mix, weight, match):
    first, second = (draw_recipe(np.random.default_rng(seed), mix, weight, match) for _ in range(2))
    assert first == second
    assert 0 <= first.real_weight <= weight


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0, 1), st.floats(0, 1))
def test_one_probability_does_not_move_what_the_other_decides(seed, mix, match):
    always = draw_recipe(np.random.default_rng(seed), 1.0, 0.8, match)
    drawn = draw_recipe(np.random.default_rng(seed), mix, 0.8, match)
    assert drawn.real_weight in (0.0, always.real_weight)
    assert drawn.match_jpeg == always.match_jpeg


def test_probabilities_of_0_and_1_mean_never_and_always():
    rng = np.random.default_rng(0)
    never = [draw_recipe(rng, 0.0, 0.8, 0.0) for _ in range(200)]
    always = [draw_recipe(rng, 1.0, 0.8, 1.0) for _ in range(200)]
    assert set(never) == {Recipe(0.0, False)}
    assert all(recipe.real_weight > 0 and recipe.match_jpeg for recipe in always)


def test_recipes_are_drawn_with_their_probabilities():
    rng = np.random.default_rng(0)
    recipes = [draw_recipe(rng, 0.2, 0.8, 0.9) for _ in range(2000)]
    weights = [recipe.real_weight for recipe in recipes if recipe.real_weight]
    assert len(weights) == pytest.approx(400, abs=60)
    assert np.mean(weights) == pytest.approx(0.4, abs=0.04)
    assert sum(recipe.match_jpeg for recipe in recipes) == pytest.approx(1800, abs=50)
