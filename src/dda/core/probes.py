"""Shortcut probes: how well do things that have nothing to do with generation tell real from fake?

A probe is a logistic regression on a few numbers of each image, judged out of fold: near 0.5 its numbers say nothing,
near 1 a detector can learn them instead of traces of generation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.alignment import luminance
from dda.core.bands import BLOCK_PX
from dda.core.labels import FAKE, REAL
from dda.core.metrics import Estimate, auroc, bootstrap

N_RINGS = 24
SPECTRUM_PX = 256
FOLDS = 5
Pixels = NDArray[np.uint8]
Values = NDArray[np.float64]
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Probe:
    """What a probe found: its AUROC out of fold, made independent of the sign, with an interval over groups."""

    auroc: Estimate
    images: int


def pixel_statistics(pixels: Pixels) -> Values:
    """Of an image (H, W, 3) per channel: mean and spread of levels, share of black, of white, and of even levels."""
    flat = pixels.reshape(-1, pixels.shape[-1])
    shares = [(flat == 0), (flat == 255), (flat % 2 == 0)]
    found = [flat.mean(0) / 255, flat.std(0) / 255, *(share.mean(0) for share in shares)]
    statistics: Values = np.concatenate(found)
    return statistics


def block_grid(pixels: Pixels) -> Values:
    """Steps between neighbouring pixels by their place in the 8x8 grid: 8 phases across, 8 down, then the strength.

    Each phase is the mean absolute step of the luminance there against that of all places; on the grid of a compressed
    image the step between blocks (phase 7) stands out. The strength is phase 7 against the mean of the others.
    """
    levels = luminance(pixels).astype(np.float64)
    phases = []
    for steps in (np.abs(np.diff(levels, axis=1)).mean(0), np.abs(np.diff(levels, axis=0)).mean(1)):
        by_phase = np.array([steps[phase::BLOCK_PX].mean() for phase in range(BLOCK_PX)])
        phases.append(by_phase / max(by_phase.mean(), 1e-9))
    strength = [phase[-1] - phase[:-1].mean() for phase in phases]
    grid: Values = np.concatenate([*phases, strength])
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
    """Facts of files as numbers: numbers stay, words become a column each; a fact that is missing is a word too."""
    columns: list[Values] = []
    for key in facts[0]:
        found = [row[key] for row in facts]
        said = [None if _is_number(value) else str(value) for value in found]
        words = sorted({one for one in said if one is not None})
        columns += [np.array([one == word for one in said], float) for word in words]
        if any(map(_is_number, found)):
            columns.append(np.array([float(value) if _is_number(value) else 0.0 for value in found]))
    return np.stack(columns, axis=1)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and not np.isnan(float(value))


def probe(real: Values, fake: Values, groups: Sequence[str], samples: int, seed: int) -> Probe:
    """How well numbers (N, K) of reals and of their fakes separate them, cross-validated by group.

    Raises ValueError where there are fewer than two groups.
    """
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values = np.concatenate([real, fake])
    labels = np.repeat([REAL, FAKE], [len(real), len(fake)])
    names = np.array([*groups, *groups])
    folds = GroupKFold(min(FOLDS, len(set(groups))), shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    scores = cross_val_predict(model, values, labels, groups=names, cv=folds, method="decision_function")
    table = pd.DataFrame({"label": labels, "logit": np.round(scores, 9), "cluster": names})
    return Probe(bootstrap(auroc, table, samples, seed), len(table))


def spectral_gap(real: Values, fake: Values) -> Values:
    """Mean real minus fake in dB for each ring, of spectra (N, 24)."""
    gap: Values = (real - fake).mean(axis=0)
    return gap
