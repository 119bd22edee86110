"""Photos through small VAEs of random weights: size, rounding, and nothing random in the result."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dda.core.reconstruction import pad_to_stride, psnr, reconstruct, to_pixels
from dda.embedded.photos import PHOTOGRAPHS, originals

PHOTO = np.asarray(originals(next(one for one in PHOTOGRAPHS if one.name == "astronaut"))[0])
STRIDES = {"tiny": 4, "kl": 2}


@pytest.fixture(scope="module")
def vaes():
    from diffusers import AutoencoderKL, AutoencoderTiny

    torch.manual_seed(0)
    tiny = AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        num_encoder_blocks=(0, 1, 1),
        num_decoder_blocks=(1, 1, 0),
    )
    kl = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
    )
    return {"tiny": lively(tiny), "kl": lively(kl)}


def lively(vae):
    """The VAE with random weights that keep contrast, so that another photo gives quite another reconstruction."""
    for weights in vae.parameters():
        if weights.ndim == 4:
            torch.nn.init.orthogonal_(weights, gain=1.5)
    return vae.eval()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 2, 4, 8, 16]))
def test_padding_makes_multiples_and_leaves_the_photo_where_it_is(height, width, stride):
    photos = PHOTO[None, :height, :width]
    padded = pad_to_stride(photos, stride)
    assert np.array_equal(padded[:, :height, :width], photos)
    assert padded.shape[1] % stride == padded.shape[2] % stride == 0
    assert padded.shape[1] - height < stride
    assert padded.shape[2] - width < stride


def test_padding_mirrors_without_repeating_the_edge():
    padded = pad_to_stride(PHOTO[None, :10, :13], 8)[0]
    assert padded.shape == (16, 16, 3)
    assert np.array_equal(padded[10:, :13], PHOTO[3:9, :13][::-1])
    assert np.array_equal(padded[:10, 13:], PHOTO[:10, 9:12][:, ::-1])


def test_every_grey_level_survives_the_way_to_floats_and_back():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_pixels(levels.astype(np.float32) / 127.5 - 1), levels)


def test_floats_are_rounded_to_the_nearest_level_and_clipped():
    levels = np.array([-30.0, 0.4, 0.6, 99.49, 99.51, 254.6, 300.0], np.float32)
    assert to_pixels(levels / np.float32(127.5) - 1).tolist() == [0, 0, 1, 99, 100, 255, 255]


@pytest.mark.parametrize("name", STRIDES)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 47), (1, 50), (3, 2)])
def test_a_reconstruction_has_the_size_of_its_photo(vaes, name, height, width):
    photos = np.stack([PHOTO[:height, :width], PHOTO[100 : 100 + height, 100 : 100 + width]])
    made = reconstruct(vaes[name], photos, STRIDES[name])
    assert made.shape == photos.shape
    assert made.dtype == np.uint8


@pytest.mark.parametrize("name", STRIDES)
def test_a_reconstruction_is_a_function_of_the_photo_alone(vaes, name):
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        made.append(reconstruct(vaes[name], PHOTO[None, :24, :24], STRIDES[name]))
    assert np.array_equal(*made)


@pytest.mark.parametrize("name", STRIDES)
def test_the_neighbours_in_a_batch_do_not_matter(vaes, name):
    """Up to one grey level: other batch sizes may take other routines of the CPU, which round otherwise."""
    photos = np.stack([PHOTO[y : y + 24, 200:224] for y in (0, 100, 200)])
    together = reconstruct(vaes[name], photos, STRIDES[name]).astype(int)
    alone = np.concatenate([reconstruct(vaes[name], photo[None], STRIDES[name]) for photo in photos])
    assert np.abs(together - alone).max() <= 1
    assert np.abs(together[0] - together[1]).max() > 20


@pytest.mark.parametrize("name", STRIDES)
def test_a_photo_is_padded_reconstructed_and_cut_back(vaes, name):
    photo = PHOTO[None, :21, :27]
    padded = reconstruct(vaes[name], pad_to_stride(photo, STRIDES[name]), STRIDES[name])
    assert padded.shape != photo.shape
    assert np.array_equal(reconstruct(vaes[name], photo, STRIDES[name]), padded[:, :21, :27])


def test_the_mode_of_the_posterior_is_decoded(vaes):
    photo = PHOTO[None, :32, :32]
    batch = torch.from_numpy(photo).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        decoded = vaes["kl"].decode(vaes["kl"].encode(batch).latent_dist.mean).sample
    expected = to_pixels(decoded.permute(0, 2, 3, 1).numpy()).astype(int)
    assert np.abs(reconstruct(vaes["kl"], photo, 2) - expected).max() <= 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_an_error(vaes, value):
    broken = type(vaes["kl"]).from_config(vaes["kl"].config)
    torch.nn.init.constant_(broken.decoder.conv_out.bias, value)
    with pytest.raises(FloatingPointError, match="not finite"):
        reconstruct(broken, PHOTO[None, :16, :16], 2)


def test_the_psnr_of_a_difference_of_one_level_is_48_decibels():
    photo = PHOTO[:50, :50] & 254
    assert psnr(photo, photo | 1) == pytest.approx(48.1308, abs=1e-3)
    assert psnr(photo | 1, photo) == psnr(photo, photo | 1)


def test_the_psnr_of_equal_photos_is_infinite():
    assert psnr(PHOTO, PHOTO.copy()) == float("inf")
