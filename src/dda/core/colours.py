"""Changes of colour, each pixel by itself: RGB uint8 (H, W, 3) in and out, rounded.

Factors are as torchvision's ColorJitter means them: 1 changes nothing. Where two images are blended, they should be
multiples of 1/256: the sums are then exact in single precision, wherever in a row a pixel lies.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
LEVELS = np.arange(256)


def brightness(pixels: Pixels, factor: float) -> Pixels:
    """Levels times `factor`."""
    import cv2

    return np.asarray(cv2.convertScaleAbs(pixels, alpha=factor), np.uint8)  # three times as fast as a table


def contrast(pixels: Pixels, factor: float, level: float) -> Pixels:
    """Distances from `level` times `factor`.

    torchvision takes each image's own mean luma for the level. Here it is one number for all views of a pair: the same
    map for real and fake, and no need to compute pixels that no view shows.
    """
    return _mapped(pixels, level + factor * (LEVELS - level))


def saturation(pixels: Pixels, factor: float) -> Pixels:
    """Distances from each pixel's luma times `factor`."""
    import cv2

    return np.asarray(cv2.addWeighted(pixels, factor, to_grey(pixels), 1.0 - factor, 0.0), np.uint8)


def hue(pixels: Pixels, shift: float) -> Pixels:
    """Hues shifted by this part of the full turn; HSV of 8 bits each, as torchvision has it for Pillow's images."""
    import cv2

    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV_FULL)
    hsv.reshape(len(hsv), -1)[:] += np.tile(np.array([round(256 * shift) % 256, 0, 0], np.uint8), hsv.shape[1])
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL), np.uint8)


def luma(pixels: Pixels) -> Pixels:
    """ITU-R 601 luma (H, W)."""
    import cv2

    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def to_grey(pixels: Pixels) -> Pixels:
    """The luma in all three channels."""
    import cv2

    return np.asarray(cv2.cvtColor(luma(pixels), cv2.COLOR_GRAY2RGB), np.uint8)


def invert(pixels: Pixels) -> Pixels:
    """255 less each level."""
    import cv2

    return np.asarray(cv2.bitwise_not(pixels), np.uint8)


def permute_channels(pixels: Pixels, order: Sequence[int]) -> Pixels:
    """Channels in this order: (2, 1, 0) swaps red and blue."""
    import cv2

    made = np.empty_like(pixels, order="C")
    cv2.mixChannels([pixels], [made], [number for new, old in enumerate(order) for number in (old, new)])
    return made


def _mapped(pixels: Pixels, levels: NDArray[Any]) -> Pixels:
    import cv2

    return np.asarray(cv2.LUT(pixels, np.clip(np.rint(levels), 0, 255).astype(np.uint8)), np.uint8)
