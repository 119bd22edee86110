"""How exact a faster precision is: measured on the VAE itself, against float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.reconstruction import RoundTrip, psnr, through

MIN_PSNR_DB = 45.0
PROBE_PX = 256


def probe() -> NDArray[np.uint8]:
    """Two images (2, 256, 256, 3) as demanding as photographs: 1/f noise over the whole range, with sharp edges.

    They are the same everywhere, so that the choice depends on the VAE and the device, never on somebody's photos.
    """
    rng = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(PROBE_PX), np.fft.fftfreq(PROBE_PX)))
    frequency[0, 0] = 1.0
    spectrum = np.fft.fft2(rng.standard_normal((2, 3, PROBE_PX, PROBE_PX))) / frequency
    clouds = np.fft.ifft2(spectrum).real.transpose(0, 2, 3, 1)
    levels = 128 + 60 * clouds / clouds.std()
    for image in levels:
        for _ in range(12):
            top, left = rng.integers(0, PROBE_PX - 32, 2)
            image[top : top + rng.integers(2, 32), left : left + rng.integers(2, 32)] = rng.uniform(0, 255, 3)
    images: NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return images


def passed(vae: Any, trip: RoundTrip, photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a VAE makes of photos (N, H, W, 3), by its posterior's mode; in grey levels before rounding.

    Values that are not finite are NaN: clipped to the range, infinite ones would pass for white or black.
    """
    import torch

    values = through(vae, torch.from_numpy(photos).to(vae.device), None, trip)
    clipped = values.clamp(-1, 1).where(values.isfinite(), float("nan"))
    levels: NDArray[np.float32] = clipped.add(1).mul(127.5).cpu().numpy()
    return levels


def agreement_db(exact: NDArray[np.float32], fast: NDArray[np.float32]) -> float:
    """PSNR in dB between two such results; minus infinity where one is not finite."""
    if not (np.isfinite(exact).all() and np.isfinite(fast).all()):
        return float("-inf")
    return psnr(exact, fast)
