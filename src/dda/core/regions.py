"""Rectangles of an image of a known size, most of which is never computed."""

from dataclasses import dataclass, replace
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

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
        return replace(self, left=self.image_width - self.left - self.width)

    def mirrored_vertically(self) -> Self:
        """Where it lies once the image is mirrored upside down; that twice is where it was."""
        return replace(self, top=self.image_height - self.top - self.height)

    def turned(self, quarters: int) -> Self:
        """Where it lies once the image is turned so many quarters to the left (`numpy.rot90`); -1 is to the right."""
        region = self
        for _ in range(quarters % 4):
            region = replace(
                region,
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

    def _between(self, top: int, left: int, bottom: int, right: int) -> Self:
        top, left = max(0, top), max(0, left)
        height, width = min(self.image_height, bottom) - top, min(self.image_width, right) - left
        return replace(self, top=top, left=left, height=height, width=width)
