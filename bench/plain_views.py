"""The views of a pair in the order in which they are published: resize all, augment all, crop last.

Plainly written, with the same calls of the same libraries: what crop first is measured against, and must agree with.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dda.core.augmentations import Operation, apply, with_level
from dda.core.regions import Region
from dda.core.views import Drawn, Scale
from dda.core.windows import window

Pixels = NDArray[np.uint8]


def views_of(images: Sequence[Image.Image], drawn: Drawn, size_px: int) -> list[Pixels]:
    """As `dda.core.views.views_of`, each image whole until the end."""
    operations = with_level(drawn.operations, images[0])
    views = []
    for scale in drawn.scales:
        for image in images:
            whole = resized(image, scale)
            pixels = augmented(Region.whole(whole.height, whole.width).read(whole), operations)
            views.append(window(pixels, size_px, drawn.top, drawn.left))
    return views


def resized(image: Image.Image, scale: Scale) -> Image.Image:
    """The whole image at a scale."""
    if scale.factor == 1.0:
        return image
    size = (max(1, round(image.width * scale.factor)), max(1, round(image.height * scale.factor)))
    return image.resize(size, Image.Resampling[scale.kernel.upper()])


def augmented(pixels: Pixels, operations: Sequence[Operation]) -> Pixels:
    """The whole image after all operations."""
    for one in operations:
        (pixels,) = apply(one, [pixels], Region.whole(*pixels.shape[:2]))
    return pixels
