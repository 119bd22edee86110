"""Metrics of labels and logits as scikit-learn computes them. Fake is the positive class throughout."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.labels import FAKE, REAL
from dda.core.rankings import FPRS
from dda.core.reliability import bins, probabilities

Values = NDArray[Any]


def accuracies(labels: Values, logits: Values, threshold: float) -> dict[str, float | None]:
    """Accuracy on real and on fake, and their mean, calling fake what lies above a logit; None without such images."""
    from sklearn.metrics import accuracy_score

    called = np.where(logits > threshold, FAKE, REAL)
    real, fake = (
        float(accuracy_score(labels[labels == label], called[labels == label])) if (labels == label).any() else None
        for label in (REAL, FAKE)
    )
    both = None if real is None or fake is None else (real + fake) / 2
    return {"accuracy_real": real, "accuracy_fake": fake, "balanced_accuracy": both}


def separation(labels: Values, logits: Values) -> dict[str, float]:
    """What needs both classes and no threshold of the detector's: AUROC, average precision, TPR at FPR, EER."""
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    fpr, tpr, _ = roc_curve(labels, logits, drop_intermediate=False)
    return {
        "auroc": float(roc_auc_score(labels, logits)),
        "average_precision": float(average_precision_score(labels, logits, pos_label=FAKE)),
        **{f"tpr_at_fpr_{rate}": float(tpr[fpr <= rate + 1e-12].max()) for rate in FPRS},
        "eer": _eer(fpr, tpr),
    }


def _eer(fpr: Values, tpr: Values) -> float:
    """Where an ROC, straight between its corners, crosses 1 - FPR = TPR; scikit-learn has no such function."""
    excess = fpr + tpr - 1  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    part = -excess[after - 1] / (excess[after] - excess[after - 1])
    return float(fpr[after - 1] + part * (fpr[after] - fpr[after - 1]))


def calibration_errors(labels: Values, logits: Values, temperature: float) -> Mapping[str, float]:
    """ECE (Guo et al. 2017, equation 3), Brier score and log loss in nats of the probabilities sigmoid(logit / T)."""
    from sklearn.metrics import brier_score_loss, log_loss

    fake = probabilities(logits, temperature)
    gaps = np.bincount(bins(fake), weights=fake - labels)
    return {
        "ece": float(np.abs(gaps).sum() / len(labels)),
        "brier": float(brier_score_loss(labels, fake, pos_label=FAKE)),
        "log_loss": float(log_loss(labels, fake, labels=[REAL, FAKE])),
    }
