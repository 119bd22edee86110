"""The curves behind a report's plots, as columns of points: of labels and logits (N,), or of summaries by protocol."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core import protocols
from dda.core.labels import FAKE, REAL
from dda.core.reliability import BINS, bins, probabilities

Values = NDArray[Any]
MAX_ROC_POINTS = 200
HISTOGRAM_BINS = 30
CHAINS = "chain"
METRICS = ("balanced_accuracy", "auroc")
ALONE = ("accuracy_fake",)
"""What is drawn of a set without reals."""


def roc(labels: Values, logits: Values) -> dict[str, Values]:
    """Shares of reals (`fpr`) and fakes (`tpr`) called fake at falling thresholds: the corners of the ROC.

    At most MAX_ROC_POINTS, evenly taken along the curve, both ends among them. Needs both classes.
    """
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(labels, logits)
    walked = fpr + tpr
    chosen = np.unique(np.searchsorted(walked, np.linspace(0, walked[-1], MAX_ROC_POINTS).clip(max=walked[-1])))
    return {"fpr": fpr[chosen], "tpr": tpr[chosen]}


def histogram(labels: Values, logits: Values) -> dict[str, Values]:
    """Bins of equal width over all logits: `low` and `high` (both bounds), and how many are `real` and `fake`."""
    edges = np.histogram_bin_edges(logits, HISTOGRAM_BINS)
    real, fake = (np.histogram(logits[labels == label], edges)[0] for label in (REAL, FAKE))
    return {"low": edges[:-1], "high": edges[1:], "real": real, "fake": fake}


def reliability(labels: Values, logits: Values, temperature: float) -> dict[str, Values]:
    """Of each bin of probability that holds images: mean `probability` of fake, the `share_fake` in truth, `images`.

    A calibrated detector has both equal. The bins are those of the ECE (core.reliability).
    """
    fake = probabilities(logits, temperature)
    place = bins(fake)
    images = np.bincount(place, minlength=BINS)
    held = images > 0
    sums = (np.bincount(place, weights, BINS)[held] for weights in (fake, (labels == FAKE).astype(float)))
    probability, share = (total / images[held] for total in sums)
    return {"probability": probability, "share_fake": share, "images": images[held]}


def robustness(summaries: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Points of summaries by protocol: `family`, `strength`, `protocol`, `metric`, `value`, `low`, `high`.

    A family of protocols has rising strengths; those without one (family "chain") are numbered in the given order.
    The metrics are METRICS, and of a set without reals ALONE.
    """
    points = []
    places = {name: place for place, name in enumerate(name for name in summaries if family_of(name)[0] == CHAINS)}
    for name, summary in summaries.items():
        family, strength = family_of(name)
        place = {"family": family, "strength": places[name] if strength is None else strength, "protocol": name}
        for metric in METRICS if summary["balanced_accuracy"] else ALONE:
            if summary[metric]:
                points.append({**place, "metric": metric, **{key: summary[metric][key] for key in ENDS}})
    return sorted(points, key=lambda point: (point["family"] == CHAINS, point["family"], point["strength"]))


ENDS = ("value", "low", "high")


def family_of(protocol: str) -> tuple[str, float | None]:
    """`jpeg` and 50 of jpeg-50; "chain" and None of what is no single step of a family, or no known protocol."""
    family, _, number = protocol.partition("-")
    if protocol in protocols.NAMED or family not in protocols.FAMILIES:
        return CHAINS, None
    return family, float(number)
