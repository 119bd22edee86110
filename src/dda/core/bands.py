"""Frequencies: fusing a chosen band of the fake with its real's, and giving each the real's energy.

The step that the paper's abstract and figure describe ("fusing high frequencies") and its code leaves out: that one
blends all coefficients of the whole image by one ratio, which by linearity is a mix of pixels.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_PX = 8
N_BANDS = 2 * BLOCK_PX - 1
N_TAPS = 19
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

    Horizontal or vertical ones: `fake + real_weight * high pass of (real - fake)`. The passage from fake to real takes
    0.09 cycles per pixel to both sides of the cutoff, and edges are mirrored. What `mix_bands` takes from the real does
    not continue across the borders of its blocks, and a probe of the 8x8 grid sees that (docs/experiments.md).
    """
    import cv2

    difference = cv2.subtract(real, fake, dtype=cv2.CV_16S)
    kernel = low_pass(cutoff)
    low = cv2.sepFilter2D(difference, cv2.CV_16S, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    if real_weight == 1.0:  # fake + (real - fake) - low, a third of the work
        return np.asarray(cv2.subtract(real, low, dtype=cv2.CV_8U), np.uint8)
    high = cv2.subtract(difference, low)
    return np.asarray(cv2.addWeighted(fake, 1.0, high, real_weight, 0.0, dtype=cv2.CV_8U), np.uint8)


@cache
def low_pass(cutoff: float) -> Floats:
    """A filter (19,) that passes frequencies below `cutoff`, in cycles per pixel, and leaves the mean as it is.

    A sinc under a Hamming window (Oppenheim and Schafer, Discrete-Time Signal Processing, window method).
    """
    places = np.arange(N_TAPS) - N_TAPS // 2
    taps = 2 * cutoff * np.sinc(2 * cutoff * places) * np.hamming(N_TAPS)
    kernel: Floats = (taps / taps.sum()).astype(np.float32)
    return kernel


def copy_clipped(real: Pixels, fake: Pixels) -> Pixels:
    """`fake`, black (0) and white (255) wherever its real is, channel by channel; uint8 of one shape.

    A camera's black and white are flat, a decoder's are not, and the shares of such pixels alone would tell them apart.
    """
    import cv2

    made = real.copy()
    between = cv2.inRange(real.reshape(len(real), -1), 1, 254)
    cv2.copyTo(fake.reshape(len(fake), -1), between, made.reshape(len(made), -1))
    return made


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
