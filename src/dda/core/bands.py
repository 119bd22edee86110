"""Frequencies: fusing a chosen band of the fake with its real's, and giving each the real's energy.

The step that the paper's abstract and figure describe ("fusing high frequencies") and its code leaves out: that one
blends all coefficients of the whole image by one ratio, which by linearity is a mix of pixels.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_PX = 8
N_BANDS = 2 * BLOCK_PX - 1
PASSAGE = 0.03  # cycles per pixel, to both sides of a cutoff
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


def chosen(bands: tuple[int, int]) -> NDArray[np.bool_]:
    """Which coefficients (8, 8) belong to the bands u + v from the first to the last of `bands`, both included."""
    first, last = bands
    return (first <= BAND_OF) & (last >= BAND_OF)


def mix_bands(real: Pixels, fake: Pixels, real_weight: float, bands: tuple[int, int]) -> Pixels:
    """`fake` with the chosen bands of its 8x8 blocks blended with its real's.

    `real_weight * real + (1 - real_weight) * fake`, in uint8 of one shape. Bands not chosen stay what they were,
    but for rounding and clipping to levels. All bands, (0, 14), are `mix_pixels`.
    """
    difference = real.astype(np.float32) - fake
    weights = (real_weight * chosen(bands)).astype(np.float32)
    return _levels(fake + inverse_dct(block_dct(difference) * weights, fake.shape))


def mix_frequencies(real: Pixels, fake: Pixels, real_weight: float, cutoff: float) -> Pixels:
    """`fake` with its frequencies above `cutoff` (cycles per pixel) blended with its real's; uint8 of one shape.

    By the DCT of the whole image, whose mirrored edges need no margin. The passage from fake to real is smooth, half a
    cosine of the radial frequency, PASSAGE to both sides of the cutoff. What `mix_bands` takes from the real does not
    continue across the borders of its blocks, and a probe of the 8x8 grid sees that (docs/experiments.md).
    """
    difference = np.atleast_3d(np.subtract(real, fake, dtype=np.float32))
    kept = real_weight * (difference - _low_pass(difference, cutoff))
    return _levels(fake + kept.reshape(fake.shape))


def _low_pass(planes: Floats, cutoff: float) -> Floats:
    """Planes (H, W, C) without what lies above the cutoff; only coefficients that are not zero are computed."""
    from scipy import fft

    height, width = planes.shape[:2]
    share = _passed(height, width, cutoff)
    rows, columns = share.shape[:2]
    across = fft.dct(planes, axis=1, norm="ortho")[:, :columns]
    spectrum = fft.dct(across, axis=0, norm="ortho")[:rows] * share
    low: Floats = fft.idct(fft.idct(spectrum, n=height, axis=0, norm="ortho"), n=width, axis=1, norm="ortho")
    return low


@lru_cache(maxsize=32)
def _passed(height: int, width: int, cutoff: float) -> Floats:
    """The share of each DCT coefficient (k down, l across, 1) that a low pass keeps: 1 far below the cutoff, 0 above.

    Coefficient k of N is the frequency k / 2N cycles per pixel. Rows and columns of zeros are left out.
    """
    rows, columns = (min(length, int(2 * length * (cutoff + PASSAGE)) + 1) for length in (height, width))
    radius = np.hypot(np.arange(rows)[:, None] / (2 * height), np.arange(columns) / (2 * width))
    passage = np.clip((radius - cutoff + PASSAGE) / (2 * PASSAGE), 0, 1)
    share: Floats = (0.5 + 0.5 * np.cos(np.pi * passage)).astype(np.float32)[:, :, None]
    return share


def copy_clipped(real: Pixels, fake: Pixels) -> Pixels:
    """`fake`, black (0) and white (255) wherever its real is, channel by channel; uint8 of one shape.

    A camera's black and white are flat, a decoder's are not, and the shares of such pixels alone would tell them apart.
    """
    return np.where((real == 0) | (real == 255), real, fake)


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
