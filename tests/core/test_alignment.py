"""Dual alignment: steps in the order that was chosen, drawn from a seed and names, compressed as the real was."""

from io import BytesIO
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from dda.core.alignment import PIXEL_STEPS, Step, align_fake, draw_recipe, luminance, match_jpeg, mix_pixels
from dda.core.bands import mix_frequencies
from dda.core.grids import grid_phase
from dda.core.jpeg import encode_jpeg, ijg_facts, jpeg_facts
from dda.embedded.photos import tiles

TILES = list(islice(tiles(), 12))
MATCH = Step("match_jpeg", {"by": "tables"})
seeds = st.integers(0, 2**32 - 1)


def mixed(real_weight):
    return Step("mix_pixels", {"real_weight": real_weight})


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
    _, fake = align_fake(pixels, pixels[::-1], [MATCH], jpeg_facts(real))
    assert jpeg_facts(opened(fake)) == jpeg_facts(real)
    assert opened(fake).size == real.size


@pytest.mark.parametrize("content", [content for _, content in TILES], ids=[name for name, _ in TILES])
def test_a_matched_fake_shows_the_grid_of_its_real_and_no_other(content):
    real = opened(content)
    blurred = np.asarray(real.filter(ImageFilter.GaussianBlur(0.6)))
    _, fake = align_fake(np.asarray(real), blurred, [MATCH], jpeg_facts(real))
    phases = [grid_phase(np.asarray(image.convert("L"))) for image in (real, opened(fake))]
    assert {(phase.x, phase.y) for phase in phases if phase} <= {(0, 0)}


def test_a_recipe_without_matching_leaves_compression_alone():
    real = opened(TILES[0][1])
    pixels, content = align_fake(np.asarray(real), np.asarray(real), [mixed(0.5)], jpeg_facts(real))
    assert content == b""
    assert np.array_equal(pixels, np.asarray(real))


def test_the_fake_of_a_real_that_is_no_jpeg_is_not_compressed():
    real = np.asarray(opened(TILES[0][1]))
    pixels, content = align_fake(real, real[::-1], [MATCH], None)
    assert content == b""
    assert np.array_equal(pixels, real[::-1])


def test_the_fake_of_a_greyscale_real_is_greyscale():
    real = opened(grey_jpeg())
    reconstruction = np.asarray(opened(TILES[0][1]))
    pixels, content = align_fake(np.asarray(real), reconstruction, [MATCH], jpeg_facts(real))
    assert np.array_equal(pixels, luminance(reconstruction))
    assert opened(content).mode == "L"
    assert jpeg_facts(opened(content)) == jpeg_facts(real)


def test_pixels_that_are_mixed_before_they_are_compressed_are_given_back_uncompressed():
    real = opened(TILES[0][1])
    pixels, content = align_fake(np.asarray(real), np.asarray(real)[::-1].copy(), [mixed(1.0), MATCH], jpeg_facts(real))
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


# --- recipes


MIX = {"step": "mix_pixels", "probability": 0.2, "real_weight": (0.0, 0.8)}
JPEG = {"step": "match_jpeg", "probability": 0.9, "by": "tables"}


def recipes(*settings, count=2000):
    return [{step.name: step.settings for step in draw_recipe(settings, 0, str(number))} for number in range(count)]


@settings(max_examples=25, deadline=None)
@given(seeds, st.text(), st.floats(0, 1))
def test_a_recipe_depends_on_its_seed_and_names_alone(seed, name, highest):
    chosen = [MIX | {"probability": 1.0, "real_weight": (0.0, highest)}, JPEG]
    first, second = (draw_recipe(chosen, seed, name, "0") for _ in range(2))
    assert first == second
    assert 0 <= first[0].settings["real_weight"] <= highest


def test_another_seed_another_photo_and_another_variant_draw_other_weights():
    always = [MIX | {"probability": 1.0}]
    names = [(0, "a", "0"), (1, "a", "0"), (0, "b", "0"), (0, "a", "1")]
    weights = {draw_recipe(always, *one)[0].settings["real_weight"] for one in names}
    assert len(weights) == 4


def test_adding_a_step_changes_what_no_other_draws():
    before, after = recipes(MIX, count=200), recipes({"step": "copy_clipped", "probability": 0.5}, JPEG, MIX, count=200)
    assert [one.get("mix_pixels") for one in before] == [one.get("mix_pixels") for one in after]


def test_probabilities_of_0_and_1_mean_never_and_always():
    assert not any(recipes(MIX | {"probability": 0.0}, JPEG | {"probability": 0.0}, count=200))
    always = recipes(MIX | {"probability": 1.0}, JPEG | {"probability": 1.0}, count=200)
    assert all(list(one) == ["mix_pixels", "match_jpeg"] for one in always)


def test_recipes_are_drawn_with_their_probabilities_and_weights_evenly():
    drawn = recipes(MIX, JPEG)
    weights = [one["mix_pixels"]["real_weight"] for one in drawn if "mix_pixels" in one]
    assert len(weights) == pytest.approx(400, abs=60)
    assert np.mean(weights) == pytest.approx(0.4, abs=0.04)
    assert 0 <= min(weights) < 0.05
    assert 0.75 < max(weights) <= 0.8
    assert sum("match_jpeg" in one for one in drawn) == pytest.approx(1800, abs=50)


def test_steps_are_done_in_the_order_of_the_recipe():
    real, fake = (np.asarray(opened(content)) for _, content in TILES[:2])
    fake = fake[: real.shape[0], : real.shape[1]]
    real = real[: fake.shape[0], : fake.shape[1]]
    low = Step("mix_frequencies", {"real_weight": 1.0, "cutoff": 0.13})
    half = mixed(0.5)
    first, _ = align_fake(real, fake, [low, half], None)
    second, _ = align_fake(real, fake, [half, low], None)
    assert np.array_equal(first, mix_pixels(real, mix_frequencies(real, fake, 1.0, 0.13), 0.5))
    assert np.array_equal(second, mix_frequencies(real, mix_pixels(real, fake, 0.5), 1.0, 0.13))
    assert not np.array_equal(first, second)


def test_what_is_done_after_compression_is_done_to_the_decoded_fake_and_stored_without_loss():
    real = opened(TILES[0][1])
    pixels = np.asarray(real)
    fake = pixels[:, ::-1].copy()
    after, content = align_fake(pixels, fake, [MATCH, mixed(0.5)], jpeg_facts(real))
    compressed = np.asarray(opened(encode_jpeg(fake, jpeg_facts(real))))
    assert content == b""
    assert np.array_equal(after, mix_pixels(pixels, compressed, 0.5))


def test_every_step_leaves_shape_and_kind_of_pixels():
    real, fake = noise(1), noise(2)
    extra = {
        "mix_pixels": {"real_weight": 0.3},
        "mix_bands": {"real_weight": 0.3, "bands": (4, 14)},
        "mix_frequencies": {"real_weight": 0.3, "cutoff": 0.2},
    }
    for name, function in PIXEL_STEPS.items():
        made = function(real, fake, **extra.get(name, {}))
        assert (made.shape, made.dtype) == (real.shape, np.uint8)


# --- compression by quality


@pytest.mark.parametrize("quality", [1, 40, 75, 96, 100])
def test_a_fake_matched_by_quality_has_the_standard_tables_of_the_nearest_one(quality):
    facts = ijg_facts(quality, greyscale=False)
    doubled = tuple(tuple(min(255, value + 1) for value in table) for table in facts.tables)
    odd = type(facts)(doubled, "4:4:4", True)
    made = jpeg_facts(opened(match_jpeg(noise(0), odd, "quality")))
    assert made == ijg_facts(odd.quality, greyscale=False)
    assert (made.subsampling, made.progressive) == ("4:2:0", False)


def test_a_grey_fake_matched_by_quality_stays_grey():
    facts = ijg_facts(80, greyscale=True)
    assert jpeg_facts(opened(match_jpeg(noise(0)[:, :, 0], facts, "quality"))) == facts
