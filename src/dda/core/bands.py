"""Frequencies: fusing a chosen band of the fake with its real's, and giving each the real's energy.

The step that the paper's abstract and figure describe ("fusing high frequencies") and its code leaves out: that one
blends all coefficients of the whole image by one ratio, which by linearity is a mix of pixels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_PX = 8
N_BANDS = 2 * BLOCK_PX - 1
ROLL_OFF = 0.01  # cycles per pixel
MARGIN_PX = 32  # mirrored around the image, so that its opposite sides do not meet
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


def _basis() -> Floats:
    """The orthonormal DCT-II as a matrix (8, 8): a row per frequency (ITU-T T.81, A.3.3)."""
    frequency, position = np.mgrid[0:BLOCK_PX, 0:BLOCK_PX]
    rows = np.cos((2 * position + 1) * frequency * np.pi / (2 * BLOCK_PX)) * np.sqrt(2 / BLOCK_PX)
    rows[0] /= np.sqrt(2)
    basis: Floats = rows.astype(np.float32)
    return basis


BASIS = _basis()
BAND_OF = np.add.outer(np.arange(BLOCK_PX), np.arange(BLOCK_PX))
"""The band u + v of each coefficient (8, 8): 0 is the mean, 14 the finest pattern."""


def block_dct(pixels: NDArray[Any]) -> Floats:
    """Coefficients (rows, columns, channels, 8, 8) of an image (H, W) or (H, W, C); its lower right edge is repeated.

    Orthonormal, so energies are those of the pixels; blocks begin at the upper left corner, as JPEG's do.
    """
    planes = np.atleast_3d(pixels).astype(np.float32, copy=False)
    height, width = planes.shape[:2]
    padded = np.pad(planes, ((0, -height % BLOCK_PX), (0, -width % BLOCK_PX), (0, 0)), mode="edge")
    rows, columns, channels = padded.shape[0] // BLOCK_PX, padded.shape[1] // BLOCK_PX, padded.shape[2]
    blocks = padded.reshape(rows, BLOCK_PX, columns, BLOCK_PX, channels).transpose(0, 2, 4, 1, 3)
    return _both_axes(blocks, BASIS.T)


def inverse_dct(coefficients: Floats, shape: tuple[int, ...]) -> Floats:
    """The image (H, W) or (H, W, C) of such coefficients, cut to `shape`; floats, not rounded."""
    blocks = _both_axes(coefficients, BASIS)
    rows, columns, channels = blocks.shape[:3]
    planes = blocks.transpose(0, 3, 1, 4, 2).reshape(rows * BLOCK_PX, columns * BLOCK_PX, channels)
    return planes[: shape[0], : shape[1]].reshape(shape)


def _both_axes(blocks: NDArray[np.float32], matrix: Floats) -> Floats:
    """`matrix.T @ block @ matrix` for every block, as two large products: small ones would wait for Python."""
    across = np.ascontiguousarray(blocks).reshape(-1, BLOCK_PX) @ matrix
    down = across.reshape(-1, BLOCK_PX, BLOCK_PX).swapaxes(1, 2).reshape(-1, BLOCK_PX) @ matrix
    return down.reshape(-1, BLOCK_PX, BLOCK_PX).swapaxes(1, 2).reshape(blocks.shape).astype(np.float32, copy=False)


def chosen(first_band: int) -> NDArray[np.bool_]:
    """Which coefficients (8, 8) belong to the bands from `first_band` on."""
    return first_band <= BAND_OF


def mix_bands(real: Pixels, fake: Pixels, real_weight: float, first_band: int) -> Pixels:
    """`fake` with its bands u + v >= `first_band` blended with its real's.

    `real_weight * real + (1 - real_weight) * fake`, in uint8 of one shape. Bands below stay what they were,
    but for rounding and clipping to levels. `first_band` 0 is `mix_pixels`; 15 (N_BANDS) changes nothing.
    """
    difference = real.astype(np.float32) - fake
    weights = (real_weight * chosen(first_band)).astype(np.float32)
    return _levels(fake + inverse_dct(block_dct(difference) * weights, fake.shape))


def mix_frequencies(real: Pixels, fake: Pixels, real_weight: float, cutoff: float) -> Pixels:
    """`fake` with its frequencies above `cutoff` (cycles per pixel, to 0.5) blended with its real's.

    uint8 of one shape. The passage from fake to real is smooth, a logistic of the radial frequency with ROLL_OFF, and
    over the whole image: what `mix_bands` takes from the real does not continue across the borders of its blocks, and
    a probe of the 8x8 grid sees that (docs/experiments.md).
    """
    difference = np.atleast_3d(real).astype(np.float32) - np.atleast_3d(fake)
    height, width = difference.shape[:2]
    padded = np.pad(difference, ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0)), mode="symmetric")
    down, across = np.fft.fftfreq(padded.shape[0]), np.fft.rfftfreq(padded.shape[1])
    share = real_weight / (1 + np.exp((cutoff - np.hypot(down[:, None], across)) / ROLL_OFF))
    spectrum = np.fft.rfft2(padded, axes=(0, 1)) * share[:, :, None].astype(np.float32)
    added = np.fft.irfft2(spectrum, s=padded.shape[:2], axes=(0, 1))
    inside = added[MARGIN_PX : MARGIN_PX + height, MARGIN_PX : MARGIN_PX + width]
    return _levels(fake + inside.reshape(fake.shape))


def equalise_bands(real: Pixels, fake: Pixels, max_gain: float = 8.0) -> Pixels:
    """`fake` with the energy of each of its 63 patterns, and channel, scaled to the real's over the whole image.

    uint8 of one shape. The mean of each block (u = v = 0) stays. Gains above `max_gain` are cut: they would only raise
    what rounding left of a pattern.
    """
    coefficients, wanted = block_dct(fake), block_dct(real)
    energy, target = (np.square(values).mean(axis=(0, 1)) for values in (coefficients, wanted))
    gain = np.sqrt(target / np.maximum(energy, 1e-6)).clip(0, max_gain)
    gain[:, 0, 0] = 1.0
    return _levels(inverse_dct(coefficients * gain, fake.shape))


def _levels(values: NDArray[Any]) -> Pixels:
    levels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels
