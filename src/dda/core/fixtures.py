"""A few drawn images, always the same: what a detector says of them tells whether it is still the same detector."""

import numpy as np
from numpy.typing import NDArray

from dda.core.seeds import generator

SIZES = ((96, 72), (160, 160), (240, 320), (401, 299))
"""Height and width in pixels: smaller than a detector's window, odd, and larger than those of the networks here."""


def images(seed: int = 0) -> list[NDArray[np.uint8]]:
    """RGB images uint8 (H, W, 3) of SIZES: waves of colour under a grain, drawn from the seed alone."""
    return [_image(height, width, generator(seed, str(place))) for place, (height, width) in enumerate(SIZES)]


def _image(height: int, width: int, drawn: np.random.Generator) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:height, :width].astype(float)
    waves = [
        sum(
            np.sin(rows * up + columns * along + shift)
            for up, along, shift in drawn.uniform((-0.2, -0.2, 0), (0.2, 0.2, 6.3), (4, 3))
        )
        for _ in range(3)
    ]
    grain = drawn.normal(0, 4, (height, width, 3))
    return np.clip(np.rint(128 + 28 * np.stack(waves, axis=2) + grain), 0, 255).astype(np.uint8)
