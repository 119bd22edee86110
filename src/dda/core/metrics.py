"""Numbers from labels and logits, with bootstrap intervals that draw whole pairs. Formulas are scikit-learn's."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
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


def accuracy(labels: Values, logits: Values) -> float:
    """Share of images on the right side of logit 0."""
    return float(np.mean((logits > 0) == (labels == FAKE)))


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


def summarise(table: Any, samples: int, seed: int) -> dict[str, Any]:
    """All metrics of a table of predictions (columns label, logit, cluster; rows without logit left out and counted).

    A metric that needs both classes is None where the table has only one.
    """
    judged = table.dropna(subset=["logit"])
    summary: dict[str, Any] = {"images": len(table), "failed": len(table) - len(judged)}
    for name, label in (("real", REAL), ("fake", FAKE)):
        rows = judged[judged["label"] == label]
        summary[f"n_{name}"] = len(rows)
        summary[f"accuracy_{name}"] = asdict(bootstrap(accuracy, rows, samples, seed)) if len(rows) else None
    both = judged["label"].nunique() == 2
    for metric in (balanced_accuracy, auroc):
        summary[metric.__name__] = asdict(bootstrap(metric, judged, samples, seed)) if both else None
    return summary
