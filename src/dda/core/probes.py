"""Shortcut probes: how well do things that have nothing to do with generation tell real from fake?

A probe is a logistic regression on a few numbers of each image, judged out of fold: near 0.5 its numbers say nothing,
near 1 a detector can learn them instead of traces of generation.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dda.core.alignment import luminance
from dda.core.bands import BLOCK_PX
from dda.core.labels import FAKE, REAL
from dda.core.metrics import Estimate, auroc, bootstrap

N_RINGS = 24
SPECTRUM_PX = 256
FOLDS = 5
MAX_WORDS = 32
Pixels = NDArray[np.uint8]
Values = NDArray[np.float64]
Facts = Mapping[str, Any]

RING_FREQUENCIES: Values = (np.arange(N_RINGS) + 0.5) / (2 * N_RINGS)
"""The middle of each ring of `radial_spectrum`, in cycles per pixel."""


def pixel_statistics(pixels: Pixels) -> Values:
    """Of an image (H, W, 3) per channel: mean and spread of levels, share of black, of white, and of even levels."""
    counts = np.array(Image.fromarray(pixels).histogram(), float).reshape(-1, 256)
    shares, levels = counts / counts.sum(axis=1, keepdims=True), np.arange(256) / 255
    mean = shares @ levels
    spread = np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0))
    statistics: Values = np.concatenate([mean, spread, shares[:, 0], shares[:, 255], shares[:, ::2].sum(axis=1)])
    return statistics


def block_grid(pixels: Pixels) -> Values:
    """Steps between neighbouring pixels by their place in the 8x8 grid: 8 phases across, 8 down, then the strength.

    Each phase is the mean absolute step of the luminance there against that of all places; on the grid of a compressed
    image the step between blocks (phase 7) stands out. The strength is phase 7 against the mean of the others.
    Raises ValueError below 9 pixels a side.
    """
    levels = luminance(pixels).astype(np.float32)
    if min(levels.shape) <= BLOCK_PX:
        raise ValueError(f"{levels.shape[1]}x{levels.shape[0]} pixels: too small for a grid of {BLOCK_PX}")
    phases = []
    for steps in (np.abs(np.diff(levels, axis=1)).mean(0), np.abs(np.diff(levels, axis=0)).mean(1)):
        by_phase = np.array([steps[phase::BLOCK_PX].mean() for phase in range(BLOCK_PX)])
        phases.append(by_phase / max(by_phase.mean(), 1e-9))
    strength = [phase[-1] - phase[:-1].mean() for phase in phases]
    grid: Values = np.concatenate([*phases, strength]).astype(np.float64)
    return grid


def radial_spectrum(pixels: Pixels) -> Values:
    """Power of the luminance in dB in 24 rings of equal width from frequency 0 to half a cycle per pixel.

    Mean over windows of at most 256 px under a Hann window, so that images of any size compare.
    """
    levels = luminance(pixels).astype(np.float64)
    side = min(SPECTRUM_PX, *levels.shape)
    hann = np.outer(np.hanning(side), np.hanning(side))
    tops, lefts = ((0, length - side) if length > side else (0,) for length in levels.shape)
    windows = [levels[top : top + side, left : left + side] for top in tops for left in lefts]
    power = np.mean([np.abs(np.fft.fft2((window - window.mean()) * hann)) ** 2 for window in windows], axis=0)
    ring = np.minimum(np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))) * 2 * N_RINGS, 2 * N_RINGS)
    rings = ring.astype(int)
    sums = np.bincount(rings.ravel(), power.ravel(), minlength=N_RINGS)[:N_RINGS]
    counts = np.bincount(rings.ravel(), minlength=N_RINGS)[:N_RINGS]
    spectrum: Values = 10 * np.log10(sums / np.maximum(counts, 1) / side**2 + 1e-3)
    return spectrum


def encoded(facts: Sequence[Facts]) -> Values:
    """Facts of files as numbers (N, K): the most frequent values of each fact have a column each, numbers one more.

    A number is also a word: that every fake is 512 pixels wide shows in no sum of widths. None is the lack of a value.
    """
    columns: list[Values] = []
    for key in facts[0]:
        found = [row[key] for row in facts]
        frequent = Counter(found).most_common(MAX_WORDS)
        columns += [np.array([one == word for one in found], float) for word, count in frequent if count > 1]
        if any(isinstance(value, int | float) for value in found):
            columns.append(np.array([float(value or 0) for value in found]))
    return np.stack(columns, axis=1)


def out_of_fold(
    values: Values, labels: Values, groups: Sequence[str], seed: int, class_weight: str | None = None
) -> Values:
    """Logits (N,) of "fake" by a logistic regression on numbers (N, K), each fitted without the image's own fold.

    No group lies in two folds. Rounded, so that equal numbers are equally fake. `class_weight` is scikit-learn's.
    Raises ValueError where there are too few groups, or a fold leaves one class only to fit.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedGroupKFold(min(FOLDS, len(set(groups))), shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, class_weight=class_weight))
    scores = cross_val_predict(model, values, labels, groups=groups, cv=folds, method="decision_function")
    logits: Values = np.round(scores, 9)
    return logits


def probe(real: Values, fake: Values, groups: Sequence[Sequence[str]], samples: int, seed: int) -> Estimate:
    """How well numbers of reals (N, K) and of fakes (M, K) separate them: AUROC out of fold, 0.5 is chance.

    `groups` names the group of each real and of each fake: no group lies in two folds, and the 95 % interval draws
    whole groups. Raises ValueError where there are fewer than two groups.
    """
    import pandas as pd

    values = np.concatenate([real, fake])
    labels = np.repeat([REAL, FAKE], [len(real), len(fake)])
    names = np.concatenate([np.asarray(side, dtype=str) for side in groups])
    logits = out_of_fold(values, labels, names.tolist(), seed)
    table = pd.DataFrame({"label": labels, "logit": logits, "cluster": names})
    return bootstrap(auroc, table, samples, seed)


def spectral_gap(real: Values, fake: Values) -> Values:
    """Mean of the reals minus mean of the fakes in dB for each ring, of spectra (N, 24) and (M, 24)."""
    gap: Values = real.mean(axis=0) - fake.mean(axis=0)
    return gap
