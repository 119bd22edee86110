"""Photos through small VAEs of random weights: size, rounding, factors, noise, tiles, and nothing else."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dda import catalog
from dda.core.reconstruction import (
    RoundTrip,
    centre,
    fit_to_stride,
    posterior_noise,
    psnr,
    ramp,
    reconstruct,
    rounded,
    through,
    tile_corners,
    tile_starts,
    tile_weights,
)
from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io.vaes import load
from tests.vaes import SMALL

pytestmark = pytest.mark.usefixtures("one_thread")
PHOTO = np.asarray(originals(next(one for one in PHOTOGRAPHS if one.name == "astronaut"))[0])
TRIPS = {kind: RoundTrip(32 if kind == "AutoencoderDC" else 8, 4, kind == "AutoencoderKLQwenImage") for kind in SMALL}
KL = RoundTrip(8, 4)
# Factors of each family, far from 1 and 0, so that one that is not undone is seen.
FACTORS = {
    "AutoencoderKL": {"scaling_factor": 0.18215, "shift_factor": 0.6},
    "AutoencoderTiny": {"scaling_factor": 0.4, "shift_factor": 0.6},
    "AutoencoderDC": {"scaling_factor": 0.41407},
    "VQModel": {"scaling_factor": 0.3},
}
STRIDE_PX = st.sampled_from([2, 3, 4, 8, 16, 32])
SIDE_PX = st.integers(1, 70)
TILES = {"tile_above_pixels": 1, "tile_px": 128, "overlap_px": 64}


def lively(vae):
    """The VAE with random weights that keep contrast, so that another photo gives quite another reconstruction."""
    for weights in vae.parameters():
        if weights.ndim >= 4:
            torch.nn.init.orthogonal_(weights, gain=1.5)
    return vae.eval()


@pytest.fixture(scope="module")
def vaes():
    """One of every class in the catalog."""
    import diffusers

    torch.manual_seed(0)
    made = {kind: lively(getattr(diffusers, kind)(**SMALL[kind], **FACTORS.get(kind, {}))) for kind in SMALL}
    made["AutoencoderKLFlux2"].bn.running_mean.normal_()
    made["AutoencoderKLFlux2"].bn.running_var.uniform_(0.1, 4)
    return made


@pytest.fixture(scope="module")
def tiny():
    return load(catalog.get("vaes", "tiny"), "cpu")


class Local(torch.nn.Module):
    """A VAE of convolutions alone, with a posterior: a pixel depends on those that are at most 12 away from it."""

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.to_cells = torch.nn.Conv2d(3 * 16, 8, 3, padding=1)
        self.to_pixels = torch.nn.Conv2d(4, 3 * 16, 3, padding=1)

    def encode(self, values):
        from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

        cells = self.to_cells(torch.nn.functional.pixel_unshuffle(values, 4))
        return SimpleNamespace(latent_dist=DiagonalGaussianDistribution(cells))

    def decode(self, latents):
        return SimpleNamespace(sample=torch.nn.functional.pixel_shuffle(self.to_pixels(latents), 4))


def floats(vae, photos, trip, image_ids=(), tiles_at_once=1):
    """The VAE's own values for photos that fit its stride."""
    noise = posterior_noise(image_ids, trip, *photos.shape[1:3])
    drawn = None if noise is None else torch.from_numpy(noise)
    return through(vae, torch.from_numpy(photos.copy()), drawn, trip, tiles_at_once)


def mirrored(index, length):
    """Where reflection finds the pixel for an index beyond the end, as often as it takes."""
    if length == 1:
        return 0
    index %= 2 * (length - 1)
    return index if index < length else 2 * (length - 1) - index


# --- fit


@settings(max_examples=60, deadline=None)
@given(SIDE_PX, SIDE_PX, STRIDE_PX)
def test_padding_mirrors_at_the_right_and_bottom_as_often_as_it_takes(height, width, stride):
    trip = RoundTrip(stride, 4)
    padded = fit_to_stride(PHOTO[:height, :width], trip)
    assert padded.shape == (*trip.fitted(height, width), 3)
    assert [side % stride for side in padded.shape[:2]] == [0, 0]
    assert padded.shape[0] - height < stride
    assert padded.shape[1] - width < stride
    rows = [mirrored(row, height) for row in range(padded.shape[0])]
    columns = [mirrored(column, width) for column in range(padded.shape[1])]
    assert np.array_equal(padded, PHOTO[:height, :width][rows][:, columns])


@settings(max_examples=60, deadline=None)
@given(SIDE_PX, SIDE_PX, STRIDE_PX)
def test_cropping_keeps_the_largest_window_in_the_middle(height, width, stride):
    trip = RoundTrip(stride, 4, fit="crop")
    cropped = fit_to_stride(PHOTO[:height, :width], trip)
    assert cropped.shape == (height // stride * stride, width // stride * stride, 3)
    above, left = (height - cropped.shape[0]) // 2, (width - cropped.shape[1]) // 2
    assert abs(height - cropped.shape[0] - 2 * above) <= 1
    assert abs(width - cropped.shape[1] - 2 * left) <= 1
    assert np.array_equal(cropped, PHOTO[above : above + cropped.shape[0], left : left + cropped.shape[1]])


@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_a_photo_that_fits_already_is_left_as_it_is(fit):
    assert np.array_equal(fit_to_stride(PHOTO[:64, :96], RoundTrip(32, 4, fit=fit)), PHOTO[:64, :96])


def test_the_centre_lies_above_and_left_where_the_rest_is_odd():
    numbers = np.arange(5 * 8).reshape(5, 8, 1)
    assert centre(numbers, 2, 5)[:, :, 0].tolist() == [[9, 10, 11, 12, 13], [17, 18, 19, 20, 21]]


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize(("height", "width"), [(33, 47), (5, 50)])
def test_a_reconstruction_has_the_size_of_its_photo(vaes, kind, height, width):
    photos = np.stack([PHOTO[:height, :width], PHOTO[100 : 100 + height, 100 : 100 + width]])
    made = reconstruct(vaes[kind], photos, TRIPS[kind])
    assert made.shape == photos.shape
    assert made.dtype == np.uint8


def test_a_cropped_reconstruction_is_that_of_the_window_in_the_middle(tiny):
    made = reconstruct(tiny, PHOTO[None, :51, :70], RoundTrip(4, 4, fit="crop"))
    assert made.shape == (1, 48, 68, 3)
    assert np.array_equal(made, reconstruct(tiny, PHOTO[None, 1:49, 1:69], RoundTrip(4, 4)))


def test_a_photo_is_padded_reconstructed_and_cut_back(tiny):
    photo, trip = PHOTO[:21, :27], RoundTrip(4, 4)
    padded = reconstruct(tiny, fit_to_stride(photo, trip)[None], trip)
    assert padded.shape == (1, 24, 28, 3)
    assert np.array_equal(reconstruct(tiny, photo[None], trip), padded[:, :21, :27])


# --- rounding


def test_every_grey_level_survives_the_way_to_floats_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(rounded(levels.float().div(127.5).sub(1)), levels)


def test_floats_are_rounded_to_the_nearest_level_and_clipped():
    levels = torch.tensor([-30.0, 0.4, 0.6, 99.49, 99.51, 254.6, 300.0, float("inf"), -float("inf")])
    assert rounded(levels / 127.5 - 1).tolist() == [0, 0, 1, 99, 100, 255, 255, 255, 0]


def test_rounding_adds_no_brightness_and_truncation_would_take_some(tiny):
    photo, trip = PHOTO[None, 100:228, 100:300], RoundTrip(4, 4)
    exact = (floats(tiny, photo, trip).clamp(-1, 1).double() + 1) * 127.5
    assert abs(reconstruct(tiny, photo, trip).mean() - exact.mean()) < 0.01
    assert abs(exact.byte().double().mean() - exact.mean()) > 0.4


# --- what is decoded


@pytest.mark.parametrize("kind", SMALL)
def test_a_reconstruction_is_a_function_of_the_photo_alone(vaes, kind):
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        made.append(reconstruct(vaes[kind], PHOTO[None, :32, :40], TRIPS[kind]))
    assert np.array_equal(*made)


@pytest.mark.parametrize("kind", ["AutoencoderTiny", "AutoencoderKL", "AutoencoderDC", "VQModel"])
def test_the_neighbours_in_a_batch_do_not_matter(vaes, kind):
    """Up to one grey level: other batch sizes may take other routines of the CPU, which round otherwise."""
    photos = np.stack([PHOTO[y : y + 32, 200:232] for y in (0, 100, 200)])
    together = reconstruct(vaes[kind], photos, TRIPS[kind]).astype(int)
    alone = np.concatenate([reconstruct(vaes[kind], photo[None], TRIPS[kind]) for photo in photos])
    assert np.abs(together - alone).max() <= 1
    assert np.abs(together[0] - together[1]).max() > 20


def latents_of(vae, values):
    """The mode of the posterior, or what the VAE gives instead."""
    ((word, value),) = vae.encode(values).items()
    return value.mode() if word == "latent_dist" else value


def there_and_back(vae, latents):
    """Latents on their way to a denoiser and, unchanged by it, on to the decoder, as each family's pipelines do."""
    if hasattr(vae, "bn"):  # FLUX.2
        folded = torch.nn.functional.pixel_unshuffle(latents, 2)
        mean, std = vae.bn.running_mean.view(1, -1, 1, 1), (vae.bn.running_var + vae.bn.eps).sqrt().view(1, -1, 1, 1)
        return torch.nn.functional.pixel_shuffle((folded - mean) / std * std + mean, 2)
    if vae.config.get("latents_std"):  # Qwen-Image
        mean, std = (torch.tensor(vae.config[name]).view(1, -1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
        return (latents - mean) / std * std + mean
    scale, shift = vae.config.scaling_factor, vae.config.get("shift_factor") or 0.0
    return ((latents - shift) * scale) / scale + shift


@pytest.mark.parametrize("kind", SMALL)
def test_factors_and_shifts_of_every_family_cancel(vaes, kind):
    vae, trip, photos = vaes[kind], TRIPS[kind], np.stack([PHOTO[:64, :96], PHOTO[200:264, 200:296]])
    with torch.inference_mode():
        values = torch.from_numpy(photos).permute(0, 3, 1, 2) / 127.5 - 1
        latents = latents_of(vae, values.unsqueeze(2) if trip.time_axis else values)
        decoded, wrong = (vae.decode(these).sample for these in (there_and_back(vae, latents), latents * 0.3 + 0.5))
    expected, other = (made.reshape(2, 3, 64, 96).permute(0, 2, 3, 1) for made in (decoded, wrong))
    found = floats(vae, photos, trip)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (other - expected).abs().max() > 1e-2 * expected.abs().max()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_an_error(vaes, value):
    broken = type(vaes["AutoencoderKL"]).from_config(vaes["AutoencoderKL"].config)
    torch.nn.init.constant_(broken.decoder.conv_out.bias, value)
    with pytest.raises(FloatingPointError, match="not finite"):
        reconstruct(broken, PHOTO[None, :16, :16], KL)


# --- the posterior


def sampled(**changes):
    return RoundTrip(**{"stride": 4, "latent_channels": 4, "posterior": "sample", "seed": 7} | changes)


def test_the_mode_needs_no_noise():
    assert posterior_noise(["a"], RoundTrip(8, 4), 64, 64) is None


def test_noise_is_standard_normal():
    noise = posterior_noise([f"photo-{n}" for n in range(200)], sampled(), 32, 48)
    assert noise.shape == (200, 4, 8, 12)
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.02
    assert noise.std() == pytest.approx(1, abs=0.02)
    assert np.quantile(noise, [0.0228, 0.9772]) == pytest.approx([-2, 2], abs=0.05)
    assert np.abs(np.corrcoef(noise.reshape(200, -1)) - np.eye(200)).max() < 0.35  # no two of them are alike


def test_noise_depends_on_the_seed_and_the_image_id_only():
    both = posterior_noise(["a", "b"], sampled(), 32, 48)
    assert np.array_equal(posterior_noise(["b", "c", "a"], sampled(), 32, 48)[[2, 0]], both)
    assert not np.isclose(posterior_noise(["a", "b"], sampled(seed=8), 32, 48), both).any()


def test_a_sample_is_the_posteriors_mean_and_deviation():
    vae, photos = Local(), PHOTO[None, :32, :48]
    values = torch.from_numpy(photos).permute(0, 3, 1, 2) / 127.5 - 1
    noise = torch.from_numpy(posterior_noise(["a"], sampled(), 32, 48))
    with torch.inference_mode():
        posterior = vae.encode(values).latent_dist
        drawn = vae.decode(posterior.mean + torch.exp(0.5 * posterior.logvar) * noise).sample.permute(0, 2, 3, 1)
        mode = vae.decode(posterior.mean).sample.permute(0, 2, 3, 1)
    assert torch.allclose(floats(vae, photos, sampled(), ["a"]), drawn, atol=1e-5)
    assert torch.allclose(floats(vae, photos, sampled(posterior="mode")), mode, atol=1e-5)
    assert (drawn - mode).abs().max() > 0.1


@pytest.mark.parametrize("kind", ["AutoencoderKL", "AutoencoderKLQwenImage", "AutoencoderKLFlux2"])
def test_every_family_with_a_posterior_is_sampled_the_same_way_again(vaes, kind):
    channels = {"AutoencoderKL": 4, "AutoencoderKLQwenImage": 16, "AutoencoderKLFlux2": 32}[kind]
    trip = sampled(stride=8, latent_channels=channels, time_axis=TRIPS[kind].time_axis)
    photos = PHOTO[None, :32, :40].repeat(2, axis=0)
    made = reconstruct(vaes[kind], photos, trip, ["a", "b"])
    again = reconstruct(vaes[kind], photos[:1], trip, ["b"])
    assert np.abs(made[1].astype(int) - again[0]).max() <= 1
    assert np.abs(made[0].astype(int) - made[1]).max() > 1


# --- tiles


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 200), st.sampled_from([(128, 64), (256, 64), (192, 0)]))
def test_tiles_cover_every_pixel_and_overlap_enough(cells, tile):
    trip = RoundTrip(8, 4, tile_px=tile[0], overlap_px=tile[1])
    starts = tile_starts(8 * cells, trip)
    assert starts[0] == 0
    assert starts[-1] + min(trip.tile_px, 8 * cells) == 8 * cells
    assert all(start % trip.stride == 0 for start in starts)
    assert all(later - start <= trip.tile_px - trip.overlap_px for start, later in pairwise(starts))
    assert starts == sorted(set(starts))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 200), st.sampled_from([(128, 64), (256, 64), (192, 0)]))
def test_every_pixel_has_weight_and_none_from_where_a_tile_saw_no_surroundings(cells, tile):
    trip = RoundTrip(8, 4, tile_px=tile[0], overlap_px=tile[1])
    total = np.zeros(8 * cells)
    for start, weights in tile_weights(8 * cells, trip).items():
        total[start : start + len(weights)] += weights
        if start:
            assert (weights[: trip.overlap_px // 4] == 0).all()
        if start + len(weights) < 8 * cells:
            assert (weights[len(weights) - trip.overlap_px // 4 :] == 0).all()
    assert total.min() > 0.01


@pytest.mark.parametrize("overlap_px", [64, 128, 256])
def test_the_weights_of_two_neighbours_sum_to_one(overlap_px):
    rise = ramp(512, overlap_px)
    assert rise[:overlap_px] + rise[:overlap_px][::-1] == pytest.approx(1, abs=1e-6)
    assert (rise[overlap_px:] == 1).all()


# one tile; a pixel more; two in a direction; smaller than a tile in the other; last tiles that hardly move on
SIZES = [(128, 128), (132, 128), (128, 196), (40, 300), (300, 36), (193, 259), (131, 141)]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("posterior", ["mode", "sample"])
def test_tiles_of_a_local_vae_give_the_whole_image_at_every_pixel(height, width, posterior):
    vae, trip = Local(), sampled(posterior=posterior, **TILES)
    photo = fit_to_stride(PHOTO[:height, :width], trip)[None]
    whole = floats(vae, photo, sampled(posterior=posterior), ["a"])
    for at_once in (1, 3, 100):
        assert (floats(vae, photo, trip, ["a"], at_once) - whole).abs().max() < 1e-5


def test_an_overlap_below_the_reach_of_the_vae_would_be_seen():
    photo = PHOTO[None, :260, :260]
    narrow = RoundTrip(4, 4, tile_above_pixels=1, tile_px=128, overlap_px=8)
    assert (floats(Local(), photo, narrow) - floats(Local(), photo, KL)).abs().max() > 0.01


def test_only_large_photos_pass_in_tiles():
    trip = RoundTrip(8, 4, tile_above_pixels=100_000)
    assert not trip.tiled(250, 400)
    assert trip.tiled(251, 400)
    assert len(tile_corners(2000, 3000, trip)) == 3 * 4


def test_images_of_a_batch_pass_in_tiles_of_their_own(tiny):
    trip = RoundTrip(4, 4, tile_above_pixels=1, tile_px=64, overlap_px=32)
    photos = np.stack([PHOTO[:100, :72], PHOTO[200:300, 300:372]])
    together = reconstruct(tiny, photos, trip).astype(int)
    alone = np.concatenate([reconstruct(tiny, photo[None], trip) for photo in photos])
    assert np.abs(together - alone).max() <= 1


def test_a_photo_through_tiny_in_tiles_is_as_good_as_whole(tiny):
    trip = RoundTrip(4, 4, tile_above_pixels=1, tile_px=256, overlap_px=128)
    photo = PHOTO[None, 50:351, 100:400]
    assert psnr(reconstruct(tiny, photo, RoundTrip(4, 4)), reconstruct(tiny, photo, trip)) > 70


# --- PSNR


def test_the_psnr_of_a_difference_of_one_level_is_48_decibels():
    photo = PHOTO[:50, :50] & 254
    assert psnr(photo, photo | 1) == pytest.approx(48.1308, abs=1e-3)
    assert psnr(photo | 1, photo) == psnr(photo, photo | 1)


def test_the_psnr_of_equal_photos_is_infinite():
    assert psnr(PHOTO, PHOTO.copy()) == float("inf")
