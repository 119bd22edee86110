"""The windows of an image that a detector sees."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def window(pixels: Pixels, size_px: int, top: float, left: float) -> Pixels:
    """A (size, size, 3) window; `top` and `left` in [0, 1] place it between the edges; black where smaller.

    Never resized: resampling would wipe out the traces that a detector looks for (paper, section 4.1).
    """
    height, width = pixels.shape[:2]
    y, x = (
        int(top * max(0, height - size_px) + 0.5),
        int(left * max(0, width - size_px) + 0.5),
    )
    cut = pixels[y : y + size_px, x : x + size_px]
    if cut.shape[:2] == (size_px, size_px):
        return cut
    padded = np.zeros((size_px, size_px, 3), np.uint8)
    down, right = (size_px - cut.shape[0]) // 2, (size_px - cut.shape[1]) // 2
    padded[down : down + cut.shape[0], right : right + cut.shape[1]] = cut
    return padded


def centre_window(pixels: Pixels, size_px: int) -> Pixels:
    """The window in the middle, as the paper tests."""
    return window(pixels, size_px, 0.5, 0.5)


def random_pair_windows(real: Pixels, fake: Pixels, size_px: int, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """The same random window of both images of a pair, turned, mirrored and recoloured alike."""
    top, left, mirrored, inverted = rng.random(4)
    turns, channels = int(rng.integers(4)), rng.permutation(3)

    def view(pixels: Pixels) -> Pixels:
        recoloured = (255 - pixels if inverted < 0.5 else pixels)[..., channels]  # before the black border comes
        cut = np.rot90(window(recoloured, size_px, top, left), turns)
        return cut[:, ::-1] if mirrored < 0.5 else cut

    return view(real), view(fake)


def to_tensor(windows: list[Pixels], mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    """Windows as one float32 tensor (N, 3, size, size), normalised by `mean` and `std` per channel in [0, 1] units."""
    import torch

    batch = torch.from_numpy(np.ascontiguousarray(np.stack(windows))).permute(0, 3, 1, 2).float().div(255)
    return (batch - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
