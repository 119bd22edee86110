"""Where in an image a detector saw what: logits of windows as a smooth map, and as colours over the image.

A window has one logit, which says nothing about the places inside it: a map is as fine as its windows, no finer.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dda.core.regions import Region
from dda.core.verdicts import Window

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
SPREAD = 1 / 3
"""Standard deviation of a window's weight, in sides of the window."""
BLUE, ORANGE = (33, 102, 172), (230, 97, 1)
"""Nearer to real, nearer to generated: told apart with any colour blindness, and by brightness in print."""
MAX_ALPHA = 0.7
HATCH_PX = 12
EDGE = 1e-6  # what rounding may add to where a window ends


def heat(windows: Sequence[Window], height: int, width: int) -> Floats:
    """Logits (height, width) of an image shown at that size; NaN where no window looked.

    Each pixel is the mean of the windows' logits, weighted by a Gaussian of its distance from their middles: the weight
    of window i at (y, x) is exp(-((y - y_i) / h_i)^2 / 2 SPREAD^2) exp(-((x - x_i) / w_i)^2 / 2 SPREAD^2), with middle
    (y_i, x_i) and sides h_i, w_i (the estimator of Nadaraya and Watson, 1964). It is not cut off at a window's edges,
    or windows that only touch would leave a seam there. Costs as much as the shown size, whatever the image's is.
    """
    if not windows:
        return np.full((height, width), np.nan, np.float32)
    regions = [window.region for window in windows]
    logits = np.array([window.logit for window in windows], np.float32)
    down = np.stack([_weights(one.top, one.height, one.image_height, height) for one in regions])
    along = np.stack([_weights(one.left, one.width, one.image_width, width) for one in regions])
    total = down.T @ along
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (down * logits[:, None]).T @ along / total
    mean[~looked_at(regions, height, width)] = np.nan
    return np.asarray(mean, np.float32)


def _weights(start: int, side: int, image_side: int, shown: int) -> Floats:
    """A window's weight along one axis, at the middle of each shown pixel."""
    place = (np.arange(shown, dtype=np.float32) + 0.5) * (image_side / shown)
    distance = (place - (start + side / 2)) / (side * SPREAD)
    return np.asarray(np.exp(-0.5 * distance**2), np.float32)


def looked_at(regions: Sequence[Region], height: int, width: int) -> NDArray[np.bool_]:
    """Whether each pixel of an image shown at this size lies, in part at least, in one of its regions."""
    inside = np.zeros((height, width), bool)
    for one in regions:
        rows = _shown(one.top, one.height, height / one.image_height)
        inside[rows, _shown(one.left, one.width, width / one.image_width)] = True
    return inside


def _shown(start: int, side: int, scale: float) -> slice:
    return slice(math.floor(start * scale + EDGE), math.ceil((start + side) * scale - EDGE))


def painted(pixels: Pixels, logits: Floats, threshold: float, reach: float) -> Pixels:
    """An image (H, W, 3) in greys under the colours of a map (H, W) of logits.

    Blue below the threshold, orange above it, nothing at it, and the more the farther away: from `reach` on no more.
    The image loses its own colours, or its blue sky would count as real. What is NaN is hatched: nobody looked there.
    """
    grey = (pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))[:, :, None]
    unseen = np.isnan(logits)
    distance = np.clip((np.where(unseen, threshold, logits) - threshold) / reach, -1, 1)[:, :, None]
    alpha = MAX_ALPHA * np.abs(distance)
    tint = np.where(distance < 0, np.array(BLUE, np.float32), np.array(ORANGE, np.float32))
    mixed = (1 - alpha) * grey + alpha * tint
    diagonal = np.add.outer(np.arange(logits.shape[0]), np.arange(logits.shape[1]))
    stripe = unseen & (diagonal % HATCH_PX < HATCH_PX // 4)
    mixed[stripe] = 0.5 * mixed[stripe] + 64
    return np.asarray(np.rint(np.clip(mixed, 0, 255)), np.uint8)
