"""What a detector said of the windows of an image, as numbers and as a picture."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dda.core import heatmaps, verdicts
from dda.core.regions import Region
from dda.core.verdicts import Prediction
from dda.io import photos
from dda.io.pictures import Picture

REACH = 4.0
"""Logits, in temperatures, from the threshold to the fullest colour: a probability of 0.98 where that is at 0.5."""
MEANT = ("RGB", "L", "CMYK")
STRIP_PIXELS = 4_000_000
LEGEND = (
    "Scores of {n} over the image in greys. Blue: nearer to real; orange: nearer to generated; no colour: at the "
    "threshold; hatched: not looked at."
)


def scores(prediction: Prediction) -> list[dict[str, float]]:
    """Each window: top, left, height, width in pixels of the upright image, its logit, and its probability in [0, 1].

    The probability is what the detector's calibration makes of the logit; it was fitted for whole images.
    """
    return [
        {
            "top": window.region.top,
            "left": window.region.left,
            "height": window.region.height,
            "width": window.region.width,
            "logit": window.logit,
            "probability": verdicts.probability(window.logit, prediction.temperature),
        }
        for window in prediction.windows
    ]


def overlay(picture: Picture, prediction: Prediction, max_side_px: int = 1600) -> bytes:
    """PNG bytes of a picture under its windows' scores, no side above `max_side_px`; never enlarged.

    `core.heatmaps.painted` says what the colours mean; they mean the same in every image of a detector. One window, as
    of a small image or of views "centre", gives it one tint, and what it left out is hatched. The file's `Description`
    says it in words. Raises ValueError where the prediction is of another image, or was never made.
    """
    size = (prediction.width, prediction.height)
    if not prediction.windows or size != picture.image.size:
        found = prediction.error or f"its prediction is of an image of {size[0]}x{size[1]} pixels"
        raise ValueError(f"no heatmap of an image of {picture.image.width}x{picture.image.height} pixels: {found}")
    shown = reduced(picture, max_side_px)
    logits = heatmaps.heat(prediction.windows, shown.height, shown.width)
    reach = REACH * (prediction.temperature or 1.0)
    painted = heatmaps.painted(np.asarray(shown), logits, prediction.threshold, reach)
    return _png(painted, len(prediction.windows))


def reduced(picture: Picture, max_side_px: int) -> Image.Image:
    """A picture in RGB, no side above `max_side_px`; a large one is never held a second time at its full size."""
    factor = max(1, max(picture.image.size) // max_side_px)
    small = _divided(picture, factor)
    scale = min(1.0, max_side_px / max(small.size))
    size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    return small if size == small.size else small.resize(size, Image.Resampling.BICUBIC)


def _divided(picture: Picture, factor: int) -> Image.Image:
    """A picture in RGB, each pixel the mean of factor x factor; kinds whose values have no mean go strip by strip."""
    width, height = picture.image.size
    if picture.image.mode in MEANT and "transparency" not in picture.image.info:
        return photos.rgb_picture(picture.image.reduce(factor))
    rows = max(1, STRIP_PIXELS // (width * factor)) * factor
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top in range(0, height, rows):
        region = Region(top, 0, min(rows, height - top), width, height, width)
        small.paste(Image.fromarray(picture.cut(region)).reduce(factor), (0, top // factor))
    return small


def _png(pixels: Any, n_windows: int) -> bytes:
    words, buffer = PngInfo(), BytesIO()
    words.add_text("Description", LEGEND.format(n="one window" if n_windows == 1 else f"{n_windows} windows"))
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=6, pnginfo=words)
    return buffer.getvalue()
