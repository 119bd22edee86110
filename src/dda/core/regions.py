"""Rectangles of an image of a known size, most of which is never computed."""

from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Numbers = TypeVar("Numbers", bound=np.generic)


@dataclass(frozen=True)
class Region:
    """So many rows and columns from `top` and `left` on, all of them inside an image of the size beside them."""

    top: int
    left: int
    height: int
    width: int
    image_height: int
    image_width: int

    @classmethod
    def whole(cls, height: int, width: int) -> Self:
        """All of an image of this size."""
        return cls(0, 0, height, width, height, width)

    def grown(self, margin_px: int) -> Self:
        """With so many pixels more on each side, as far as the image goes."""
        return self._between(
            self.top - margin_px,
            self.left - margin_px,
            self.top + self.height + margin_px,
            self.left + self.width + margin_px,
        )

    def aligned(self, block_px: int) -> Self:
        """Grown until it consists of whole blocks of a grid that begins at the image's upper left corner.

        At the right and bottom the image may end inside a block.
        """
        bottom, right = self.top + self.height, self.left + self.width
        return self._between(
            self.top - self.top % block_px,
            self.left - self.left % block_px,
            bottom + -bottom % block_px,
            right + -right % block_px,
        )

    def mirrored_horizontally(self) -> Self:
        """Where it lies once the image is mirrored left to right; that twice is where it was."""
        return self._placed(self.top, self.image_width - self.left - self.width, self.height, self.width)

    def mirrored_vertically(self) -> Self:
        """Where it lies once the image is mirrored upside down; that twice is where it was."""
        return self._placed(self.image_height - self.top - self.height, self.left, self.height, self.width)

    def turned(self, quarters: int) -> Self:
        """Where it lies once the image is turned so many quarters to the left (`numpy.rot90`); -1 is to the right."""
        region = self
        for _ in range(quarters % 4):
            region = type(self)(
                top=region.image_width - region.left - region.width,
                left=region.top,
                height=region.width,
                width=region.height,
                image_height=region.image_width,
                image_width=region.image_height,
            )
        return region

    def cut(self, pixels: NDArray[Numbers], covering: "Region") -> NDArray[Numbers]:
        """Its pixels, out of pixels (H, W, ...) that cover another region of the image, in which it lies."""
        top, left = self.top - covering.top, self.left - covering.left
        return pixels[top : top + self.height, left : left + self.width]

    def read(self, image: Image.Image) -> Pixels:
        """Its pixels (H, W, 3) out of an RGB image of that size, without converting the rest of it."""
        import cv2

        held = _held(image)
        if held is None:
            return np.asarray(image.crop((self.left, self.top, self.left + self.width, self.top + self.height)))
        part = held[self.top : self.top + self.height, self.left : self.left + self.width]
        return np.asarray(cv2.cvtColor(part, cv2.COLOR_RGBA2RGB), np.uint8)

    def _between(self, top: int, left: int, bottom: int, right: int) -> Self:
        top, left = max(0, top), max(0, left)
        height, width = min(self.image_height, bottom) - top, min(self.image_width, right) - left
        return self._placed(top, left, height, width)

    def _placed(self, top: int, left: int, height: int, width: int) -> Self:
        """Another region of the same image."""
        return type(self)(top, left, height, width, self.image_height, self.image_width)


def _held(image: Image.Image) -> Pixels | None:
    """The memory in which Pillow holds an RGB image, (H, W, 4), not copied; None where that is not one block of rows.

    Ten times as fast to read as what numpy gets, for which Pillow packs the image into strings of bytes.
    """
    import pyarrow

    if Image.core.get_alignment() != 1:  # rows with gaps between them, which Pillow shares as if there were none
        return None
    try:
        shared = pyarrow.array(image).buffers()[-1]
    except ValueError:  # above 16 MB Pillow holds an image in several blocks
        return None
    return np.frombuffer(shared, np.uint8).reshape(image.height, image.width, 4)
