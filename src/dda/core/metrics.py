"""Numbers from labels and logits, with bootstrap intervals that draw whole pairs. Formulas are scikit-learn's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.labels import FAKE, REAL

Values = NDArray[Any]


@dataclass(frozen=True)
class Estimate:
    """A metric and the ends of its 95 % percentile bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def auroc(labels: Values, logits: Values) -> float:
    """Area under the ROC curve: how often a fake scores above a real."""
    from sklearn import config_context
    from sklearn.metrics import roc_auc_score

    with config_context(assume_finite=True, skip_parameter_validation=True):  # a bootstrap asks thousands of times
        return float(roc_auc_score(labels, logits))


def balanced_accuracy(labels: Values, logits: Values) -> float:
    """Mean of the accuracies on real and on fake at probability 0.5, that is logit 0."""
    from sklearn import config_context
    from sklearn.metrics import balanced_accuracy_score

    with config_context(assume_finite=True, skip_parameter_validation=True):  # as above
        return float(balanced_accuracy_score(labels, logits > 0))


def log_loss(labels: Values, logits: Values) -> float:
    """Mean log loss of the probabilities sigmoid(logit), in nats."""
    from scipy.special import expit
    from sklearn.metrics import log_loss as of_probabilities

    return float(of_probabilities(labels, expit(np.asarray(logits, float)), labels=[REAL, FAKE]))


def bootstrap(metric: Callable[[Values, Values], float], table: Any, samples: int, seed: int) -> Estimate:
    """`metric(label, logit)` of a table, with the spread over `samples` tables drawn with whole clusters (`cluster`).

    A draw in which only one class is present has no value for a metric of two classes, and is drawn again.
    """
    labels, logits = table["label"].to_numpy(), table["logit"].to_numpy()
    members = list(table.groupby("cluster", sort=True).indices.values())
    classes, rng = len(np.unique(labels)), np.random.default_rng(seed)
    values: list[float] = []
    while len(values) < samples:
        drawn = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        if len(np.unique(labels[drawn])) == classes:
            values.append(metric(labels[drawn], logits[drawn]))
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(metric(labels, logits), float(low), float(high))
