"""A photo through a VAE and back, at its own size: pad, encode, decode, round, cut."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def pad_to_stride(photos: Pixels, stride: int) -> Pixels:
    """Photos (N, H, W, 3) mirrored at the right and bottom until both sides are multiples of `stride`."""
    down, right = -photos.shape[1] % stride, -photos.shape[2] % stride
    return np.pad(photos, ((0, 0), (0, down), (0, right), (0, 0)), mode="reflect")


def to_pixels(values: NDArray[np.float32]) -> Pixels:
    """Floats in [-1, 1] to grey levels, rounded to nearest. (Published code truncates: -0.5 on every fake.)"""
    levels: Pixels = np.rint((np.clip(values, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)
    return levels


def reconstruct(vae: Any, photos: Pixels, stride: int) -> Pixels:
    """`Dec(Enc(x))` of photos of one size (paper, section 3), uint8 (N, H, W, 3) in and out.

    The posterior's mode is taken where the VAE has one, so the result is a function of the photo alone.
    Raises FloatingPointError where the VAE gives values that are not finite.
    """
    import torch

    height, width = photos.shape[1:3]
    padded = torch.from_numpy(pad_to_stride(photos, stride))
    batch = padded.permute(0, 3, 1, 2).to(vae.device).float().div(127.5).sub(1)
    with torch.inference_mode():
        encoded = vae.encode(batch.to(vae.dtype))
        latents = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
        decoded = vae.decode(latents).sample.float().permute(0, 2, 3, 1).cpu().numpy()
    if not np.isfinite(decoded).all():
        raise FloatingPointError("the VAE gave values that are not finite")
    return to_pixels(decoded[:, :height, :width])


def psnr(photo: Pixels, other: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 images of one shape; infinite where they are equal."""
    error = np.mean((photo.astype(np.float64) - other.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))
