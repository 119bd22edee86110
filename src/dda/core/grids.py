"""Grid phase: where the 8x8 blocks of an earlier JPEG compression lie in decoded pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dda.core.bands import BASIS, BLOCK_PX

FOUND = 3.5
"""The least strength of a grid. On resized photographs, which have none, strength is at most 3.0, but up to 5 where
pixels were enlarged by repetition; with a grid of IJG quality 50 to 98 it is above 4."""
FOUND_EARLIER = 2.0
"""The least strength of an earlier grid beside a file's own. On photos compressed once it is at most 1.6."""
MIN_BLOCKS = 16
MAX_BLOCKS = 6_000
"""More are not looked at: rows of blocks are left out, evenly, so that a large photo takes no longer than a small."""
SMALL = 0.5  # what compression made 0 comes back as the rounding of pixels, which has a deviation of 0.29
FINEST_SPREAD = 1e-4  # shares of a picture that is nearly all flat hardly vary


@dataclass(frozen=True)
class GridPhase:
    """Left edge `x` and upper edge `y` (0-7, pixels) of the first whole block, and how clearly it is that one."""

    x: int
    y: int
    strength: float


def grid_phase(luminance: NDArray[np.uint8]) -> GridPhase | None:
    """The phase of the clearest 8x8 grid in luminance (H, W), or None where none stands out or the image is too small.

    Quantisation makes many coefficients of a block 0, and they are found again only where blocks are cut as the
    encoder cut them. So of all 64 phases the one with the largest share of small coefficients is chosen (the count of
    Nikoukhah et al., "JPEG Grid Detection based on the Number of DCT Zeros", CVPR Workshops 2019, for whole images).
    `strength` is its lead over the third, in standard deviations of the other 63 shares (1.4826 times their median
    absolute deviation). The second may be another compression's; repeating pixels raises more phases than two.
    """
    return grid_and_earlier(luminance)[0]


def grid_and_earlier(luminance: NDArray[np.uint8]) -> tuple[GridPhase | None, GridPhase | None]:
    """The phase of the clearest grid, and that of an earlier one if luminance (H, W) is that of a JPEG file, uncut.

    The earlier one is sought among the 49 phases that share neither rows nor columns with the file's own grid, (0, 0),
    which raises those that do. Its `strength` is the lead over the second of them. A later compression that is as
    coarse or coarser wipes it out.
    """
    if (luminance.shape[0] // BLOCK_PX - 1) * (luminance.shape[1] // BLOCK_PX - 1) < MIN_BLOCKS:
        return None, None
    shares = small_shares(luminance)
    first, earlier = _clearest(shares, 2), _clearest(shares[1:, 1:], 1)
    return (
        first if first.strength >= FOUND else None,
        GridPhase(earlier.x + 1, earlier.y + 1, earlier.strength) if earlier.strength >= FOUND_EARLIER else None,
    )


def _clearest(shares: NDArray[np.float64], rank: int) -> GridPhase:
    """Where the largest share is, and its lead over the one of that rank among the others (1: the runner-up)."""
    best = int(shares.argmax())
    others = np.sort(np.delete(shares, best))
    spread = 1.4826 * float(np.median(np.abs(others - np.median(others))))
    y, x = divmod(best, shares.shape[1])
    return GridPhase(x, y, float(shares.flat[best] - others[-rank]) / max(spread, FINEST_SPREAD))


def small_shares(luminance: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Shares in [0, 1] of AC coefficients below SMALL, (8, 8): at [y, x] with the first block at row y, column x.

    Each phase is asked about as many blocks. (H, W) are at least 16.
    """
    rows, columns = (side // BLOCK_PX - 1 for side in luminance.shape)
    every = -(-rows * columns // MAX_BLOCKS)
    shares = np.empty((BLOCK_PX, BLOCK_PX))
    for y in range(BLOCK_PX):
        strips = luminance[y : y + rows * BLOCK_PX].reshape(rows, BLOCK_PX, -1)[::every]
        down = BASIS @ strips.astype(np.float32)
        for x in range(BLOCK_PX):
            # many small products: BLAS would give a large one to threads, which wait for each other on busy cores
            blocks = down[:, :, x : x + columns * BLOCK_PX].reshape(-1, BLOCK_PX, columns, BLOCK_PX)
            small = np.abs(blocks @ BASIS.T) < SMALL
            small[:, 0, :, 0] = False  # the mean of each block
            shares[y, x] = np.count_nonzero(small) / (small.size - small.size / BLOCK_PX**2)
    return shares
