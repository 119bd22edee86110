"""What any image file is, whether it could be used as a photo or not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dda.core.jpeg import JpegFacts, jpeg_facts
from dda.io import photos


@dataclass(frozen=True)
class Examined:
    """What any image file is: Pillow's names of its format and mode, JPEG facts, luminance uint8 (H, W) as decoded."""

    format: str
    mode: str
    jpeg: JpegFacts | None
    luminance: NDArray[np.uint8]


def examine(content: bytes, max_pixels: int) -> Examined:
    """What the file of any image in a known format is: its first frame, transparency on white.

    Raises PhotoRejected with the reason where it cannot be read.
    """
    return photos.guarded(content, _examine_image, max_pixels)


def _examine_image(image: Image.Image) -> Examined:
    kind, mode = str(image.format), image.mode
    facts = jpeg_facts(image) if kind in photos.JPEG_FORMATS else None
    return Examined(kind, mode, facts, np.asarray(photos.rgb_picture(image).convert("L")))
