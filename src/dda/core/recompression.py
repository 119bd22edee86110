"""Whether a JPEG's pixels had been stored as a JPEG of another quality before, uncut: a hint, and the quality it had.

Coefficients that were multiples of one divisor and are then rounded to multiples of another leave gaps and peaks in
their histogram (Lukas and Fridrich, "Estimation of Primary Quantization Matrix in Double Compressed JPEG Images", 2003;
Popescu and Farid, "Statistical Tools for Digital Forensics", 2004). Here each earlier quality is asked how well it
explains the histograms, beside no earlier compression at all; both may choose any smooth shape of what was there before
compression, a mixture of normal distributions of many scales (Laplace's is one), so that neither wins by the shape.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.bands import BAND_OF, BASIS, BLOCK_PX
from dda.core.jpeg import ijg_tables

Floats = NDArray[np.float64]
QUALITIES = range(40, 101)
BANDS = range(1, 5)
"""Bands u + v of the 14 lowest frequencies but the mean: finer ones are mostly 0."""
MAX_LEVEL = 64
"""Multiples of a divisor from here on count as one."""
FOUND = 0.013
"""The least gain that counts as found: by bench/recompression.py, 0.5 % of photos compressed once have a larger one."""
FITTING = 0.8
"""The least `fit` at which the quality is told."""
MIN_BLOCKS, MAX_BLOCKS = 256, 6_000
NOISE = 0.45
"""Standard deviation, in levels, of a coefficient after pixels were rounded between two compressions: of luma and of
RGB once each (1/12 + 0.447/12), and of luma again (1/12)."""
OUTLIERS = 0.02
"""The share of coefficients that an earlier compression need not explain: pixels cut off at black and white."""
SCALES = np.geomspace(0.3, 400, 16)
N_STEPS = 40


@dataclass(frozen=True)
class Recompression:
    """The likeliest earlier IJG quality, and how much better than none it explains a block, in nats (natural logs).

    Qualities from `lowest` to `highest` have the same divisors at the frequencies looked at; `quality` is their middle.
    `fit` is this gain's share of what it could be if each frequency had a divisor of its own choice, in [0, 1]: below
    FITTING the earlier tables were hardly libjpeg's, and the quality says nothing.
    """

    quality: int
    lowest: int
    highest: int
    gain: float
    fit: float


def recompression(luminance: NDArray[np.uint8], table: Iterable[int]) -> Recompression | None:
    """The likeliest earlier compression of a JPEG by its luminance (H, W) as decoded and its 64 divisors.

    None where the file has too few blocks of 8x8 pixels, or every quality asked about has the file's own divisors.
    """
    own = np.array(list(table)).reshape(BLOCK_PX, BLOCK_PX)[places()]
    counts = histograms(luminance, own)
    asked = {quality: ijg_tables(quality)[0].reshape(BLOCK_PX, BLOCK_PX)[places()] for quality in QUALITIES}
    asked = {quality: divisors for quality, divisors in asked.items() if (divisors != own).any()}
    if counts[0].sum() < MIN_BLOCKS or not asked:
        return None
    known = gains_of(counts, own, asked.values())
    gains = {
        quality: sum(known[place, int(divisor)] for place, divisor in enumerate(divisors))
        for quality, divisors in asked.items()
    }
    best = max(gains.values())
    alike = [quality for quality, gain in gains.items() if gain == best]
    free = sum(max(gain for (at, _), gain in known.items() if at == place) for place in range(len(own)))
    fit = min(1.0, max(0.0, best / free)) if free > 0 else 0.0
    return Recompression(alike[len(alike) // 2], alike[0], alike[-1], float(best / counts[0].sum()), fit)


@cache
def places() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns, in a block, of the frequencies that are looked at."""
    rows, columns = np.nonzero(np.isin(BAND_OF, list(BANDS)))
    return rows, columns


def histograms(luminance: NDArray[np.uint8], divisors: NDArray[np.int64]) -> Floats:
    """How often each multiple 0 to MAX_LEVEL of its divisor occurs, sign aside, per frequency: (14, MAX_LEVEL + 1).

    Blocks with black or white pixels are left out, since decoding has cut something off them.
    """
    rows, columns = (side // BLOCK_PX for side in luminance.shape)
    every = max(1, -(-rows * columns // MAX_BLOCKS))
    whole = luminance[: rows * BLOCK_PX, : columns * BLOCK_PX].reshape(rows, BLOCK_PX, columns, BLOCK_PX)[::every]
    blocks = whole.transpose(0, 2, 1, 3).reshape(-1, BLOCK_PX, BLOCK_PX)
    blocks = blocks[(blocks.min(axis=(1, 2)) > 0) & (blocks.max(axis=(1, 2)) < 255)]
    found = (BASIS @ blocks.astype(np.float32) @ BASIS.T)[:, *places()]
    levels = np.minimum(np.abs(np.rint(found / np.maximum(divisors, 1))), MAX_LEVEL).astype(np.int64)
    return np.stack([np.bincount(one, minlength=MAX_LEVEL + 1) for one in levels.T]).astype(np.float64)


def gains_of(
    counts: Floats, own: NDArray[np.int64], asked: Iterable[NDArray[np.int64]]
) -> dict[tuple[int, int], float]:
    """By frequency and earlier divisor, the log-likelihood above that of no earlier compression."""
    pairs = sorted({(place, int(divisor)) for one in asked for place, divisor in enumerate(one)})
    pairs += [(place, 0) for place in range(len(own))]
    shapes = np.stack([shape(divisor, int(max(1, own[place]))) for place, divisor in pairs])
    found = likelihoods(counts[[place for place, _ in pairs]], shapes)
    told = dict(zip(pairs, found.tolist(), strict=True))
    return {(place, divisor): value - told[place, 0] for (place, divisor), value in told.items()}


def likelihoods(counts: Floats, shapes: Floats) -> Floats:
    """The largest log-likelihood of histograms (N, L) under any mixture of their shapes (N, S, L): EM, all at once."""
    weights = np.full(shapes.shape[:2], 1 / shapes.shape[1])
    total = counts.sum(axis=1, keepdims=True)
    for _ in range(N_STEPS):
        mixed = (weights[:, None] @ shapes)[:, 0]
        weights *= (shapes @ (counts / mixed)[:, :, None])[:, :, 0] / total
    mixed = (weights[:, None] @ shapes)[:, 0]
    return np.asarray((counts * np.log(mixed)).sum(axis=1))


@lru_cache(maxsize=4096)
def shape(earlier: int, own: int) -> Floats:
    """Probabilities of the multiples of divisor `own`, for each scale: (S, MAX_LEVEL + 1); `earlier` is 0 for none."""
    single = folded(rounded(own, MAX_LEVEL))
    if not earlier:
        return np.maximum(closed(single), 1e-9)
    from scipy.special import ndtr

    n_multiples = own * (MAX_LEVEL + 1) // earlier + 2
    before = folded(rounded(earlier, n_multiples))
    edges: Any = (np.arange(-MAX_LEVEL, MAX_LEVEL + 1) - 0.5) * own
    below = ndtr((edges[None] - earlier * np.arange(n_multiples + 1)[:, None]) / NOISE)
    signed = np.diff(below, axis=1)  # of multiples -MAX_LEVEL to MAX_LEVEL - 1
    moved = signed[:, MAX_LEVEL:].copy()
    moved[:, 1:] += signed[:, MAX_LEVEL - 1 : 0 : -1]
    double = np.pad(before @ moved, ((0, 0), (0, 1)))
    return np.maximum((1 - OUTLIERS) * closed(double) + OUTLIERS * closed(single), 1e-9)


def rounded(divisor: int, n_multiples: int) -> Floats:
    """Probabilities of the multiples 0 to `n_multiples` of a divisor for normal distributions of each scale."""
    from scipy.special import ndtr

    edges = (np.arange(n_multiples + 2) - 0.5) * divisor
    above = ndtr(-edges / SCALES[:, None])
    return np.asarray(above[:, :-1] - above[:, 1:])


def folded(probabilities: Floats) -> Floats:
    """Of a multiple and its negative together."""
    return np.concatenate([probabilities[:, :1], 2 * probabilities[:, 1:]], axis=1)


def closed(probabilities: Floats) -> Floats:
    """With the last one as all that is left."""
    rest = np.maximum(0, 1 - probabilities[:, :-1].sum(axis=1, keepdims=True))
    return np.concatenate([probabilities[:, :-1], rest], axis=1)
