"""The window of an image that a detector sees: cut, never resized, and normalised for a network."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.regions import Region

Pixels = NDArray[np.uint8]
VIEWS = {"centre": 1, "five": 5, "tiles": 64}
"""Ways to look at an image, and how many windows each takes at most."""
FIVE = ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))


def window_region(image: Region, size_px: int, top: float, left: float) -> Region:
    """The square of this size in a whole image, or what there is of it; `top` and `left` in [0, 1] place it."""
    height, width = min(size_px, image.height), min(size_px, image.width)
    y, x = int(top * (image.height - height) + 0.5), int(left * (image.width - width) + 0.5)
    return Region(y, x, height, width, image.height, image.width)


def centred(pixels: Pixels, size_px: int) -> Pixels:
    """Pixels (H, W, 3) in the middle of a black (size, size, 3), or they themselves where they have that size."""
    height, width = pixels.shape[:2]
    if (height, width) == (size_px, size_px):
        return pixels
    padded = np.zeros((size_px, size_px, 3), np.uint8)
    down, right = (size_px - height) // 2, (size_px - width) // 2
    padded[down : down + height, right : right + width] = pixels
    return padded


def window(pixels: Pixels, size_px: int, top: float, left: float) -> Pixels:
    """A (size, size, 3) window; `top` and `left` in [0, 1] place it between the edges; black where smaller.

    Never resized: resampling would wipe out the traces that a detector looks for (paper, section 4.1).
    """
    whole = Region.whole(*pixels.shape[:2])
    return centred(window_region(whole, size_px, top, left).cut(pixels, whole), size_px)


def centre_window(pixels: Pixels, size_px: int) -> Pixels:
    """The window in the middle, as the paper tests."""
    return window(pixels, size_px, 0.5, 0.5)


def regions_of(height: int, width: int, size_px: int, views: str) -> list[Region]:
    """Where the windows lie that a way to look at an image takes; an image's logit is the mean of theirs.

    `centre`: the one in the middle, as the paper tests. `five`: that and the four corners. `tiles`: evenly spread over
    the image, as few as cover it all, of very large ones at most eight a side, with gaps. One along a side that is no
    larger than a window, so that a small image has one in each.
    """
    if views == "tiles":
        across = [min(8, math.ceil(side / size_px)) for side in (height, width)]
        tops, lefts = ([0.5] if count == 1 else [n / (count - 1) for n in range(count)] for count in across)
        places = [(top, left) for top in tops for left in lefts]
    else:
        places = list(FIVE[: VIEWS[views]])
    if max(height, width) <= size_px:
        places = places[:1]
    whole = Region.whole(height, width)
    return [window_region(whole, size_px, top, left) for top, left in places]


def covered(regions: Sequence[Region]) -> float:
    """The share of an image's pixels, in (0, 1], that lie in at least one of its regions."""
    rows = sorted({edge for region in regions for edge in (region.top, region.top + region.height)})
    columns = sorted({edge for region in regions for edge in (region.left, region.left + region.width)})
    inside = np.zeros((len(rows), len(columns)), bool)
    for region in regions:
        down = slice(rows.index(region.top), rows.index(region.top + region.height))
        along = slice(columns.index(region.left), columns.index(region.left + region.width))
        inside[down, along] = True
    n_pixels = (inside[:-1, :-1] * np.outer(np.diff(rows), np.diff(columns))).sum()
    return float(n_pixels / (regions[0].image_height * regions[0].image_width))


def windows_of(pixels: Pixels, size_px: int, views: str) -> list[Pixels]:
    """The windows (size, size, 3) of pixels (H, W, 3) that `regions_of` places; black where the image is smaller."""
    height, width = pixels.shape[:2]
    whole = Region.whole(height, width)
    return [centred(region.cut(pixels, whole), size_px) for region in regions_of(height, width, size_px, views)]


def normalise(images: Any, mean: Sequence[float], std: Sequence[float]) -> Any:
    """A uint8 tensor (N, size, size, 3) as float32 (N, 3, size, size), by `mean` and `std` per channel in [0, 1] units.

    Computed where the images are: bytes travel faster to a GPU than floats.
    """
    import torch

    batch = images.permute(0, 3, 1, 2).float().div(255)
    centre, spread = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (mean, std))
    return (batch - centre) / spread
