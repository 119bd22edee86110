"""What a logit means: a temperature that makes a probability of it, and thresholds that hold a false-positive rate."""

import numpy as np
from numpy.typing import NDArray

from dda.core.labels import REAL

TEMPERATURES = (0.05, 20.0)  # beyond, the logits are no evidence at all, or perfect, and no finite value would be best
Values = NDArray[np.floating] | NDArray[np.integer]


def temperature(labels: Values, logits: Values) -> float:
    """T such that sigmoid(logit / T) has the least log loss (Guo et al. 2017), kept in [0.05, 20].

    `labels` (N,) of both classes; `logits` (N,). One over the slope of a logistic regression through the origin.
    """
    from sklearn.linear_model import LogisticRegression

    lowest, highest = TEMPERATURES
    centred = LogisticRegression(C=np.inf, fit_intercept=False, max_iter=1000)
    slope = float(centred.fit(np.asarray(logits, float).reshape(-1, 1), labels).coef_[0, 0])
    return float(np.clip(1 / slope, lowest, highest)) if slope > 0 else highest


def threshold(labels: Values, logits: Values, max_fpr: float) -> float:
    """The lowest logit above which at most the share `max_fpr` of the reals lies.

    That is one of the reals' logits: an image is called fake where it lies *above* the threshold. With fewer than
    1 / max_fpr reals it is the highest of them.
    """
    reals = np.sort(np.asarray(logits, float)[np.asarray(labels) == REAL])
    allowed = int(np.floor(max_fpr * len(reals) + 1e-9))
    return float(reals[len(reals) - 1 - allowed])
