"""What mixes neighbouring pixels: RGB uint8 (H, W, 3) in and out. Each says how far away the neighbours lie."""

import math
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dda.core.regions import Region

Pixels = NDArray[np.uint8]
MCU_PX = 16
CHROMA_REACH_PX = 4
"""libjpeg smooths chroma over the next sample on each side, of which one stands for 2 x 2 pixels."""
BLUR_REACH_PX = 2
MOTION_STEPS = np.arange(-BLUR_REACH_PX, BLUR_REACH_PX + 1)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Through a JPEG file of this IJG quality, 4:2:0, as Pillow writes it by default."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return Region.whole(*pixels.shape[:2]).read(Image.open(buffer))


def blur(pixels: Pixels, kind: str, direction: float = 0.0) -> Pixels:
    """One of BLURS; `direction`, of motion only, in half turns from horizontal."""
    import cv2

    if kind == "gaussian_3":
        return np.asarray(cv2.GaussianBlur(pixels, (3, 3), 0), np.uint8)
    if kind == "gaussian_5":
        return np.asarray(cv2.GaussianBlur(pixels, (5, 5), 0), np.uint8)
    if kind == "median_3":
        return np.asarray(cv2.medianBlur(pixels, 3), np.uint8)
    return np.asarray(cv2.filter2D(pixels, -1, motion(direction)), np.uint8)


BLURS = ("gaussian_3", "gaussian_5", "median_3", "motion_5")


def motion(direction: float) -> NDArray[np.float32]:
    """A line of five pixels through the middle of a (5, 5) kernel that sums to 1; `direction` in half turns.

    Always five, where the published code has three on a slant: its steps along the line are a pixel long, not its steps
    along the steeper axis.
    """
    along, down = math.cos(math.pi * direction), math.sin(math.pi * direction)
    longer = max(abs(along), abs(down))
    kernel = np.zeros((5, 5), np.float32)
    rows, columns = (np.rint(MOTION_STEPS * part / longer).astype(int) + BLUR_REACH_PX for part in (down, along))
    kernel[rows, columns] = 0.2
    return kernel


def sharpen_reach(sigma: float) -> int:
    """Pixels that `sharpen` looks to each side."""
    return math.ceil(3 * sigma)


def sharpen(pixels: Pixels, sigma: float, factor: float) -> Pixels:
    """An unsharp mask: `factor` times what a Gaussian blur of `sigma` pixels takes away, added.

    `factor` should be a multiple of 1/256, as in `dda.core.colours`.
    """
    import cv2

    size = 2 * sharpen_reach(sigma) + 1
    blurred = cv2.GaussianBlur(pixels, (size, size), sigma)
    return np.asarray(cv2.addWeighted(pixels, 1.0 + factor, blurred, -factor, 0.0), np.uint8)
