"""What training minimises."""

from collections.abc import Mapping
from typing import Any


def total(features: Any, logits: Any, labels: Any, settings: Mapping[str, float]) -> Any:
    """The weighted sum of the losses, a scalar: features (N, D), logits (N,), labels (N,) of 0 (real) and 1 (fake).

    `settings` holds the weights `bce` and `contrastive`, and the margins of the latter.
    """
    import torch

    loss = settings["bce"] * torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    if settings["contrastive"]:
        apart = contrastive(features, labels, settings["positive_margin"], settings["negative_margin"])
        loss = loss + settings["contrastive"] * apart
    return loss


def contrastive(features: Any, labels: Any, positive_margin: float, negative_margin: float) -> Any:
    """Images of one class drawn together, of two classes pushed apart: a scalar over all pairs of N features (N, D).

    With d the Euclidean distance of L2-normalised features: max(0, d - positive_margin) for two of one class,
    max(0, negative_margin - d) for one of each; of each kind the mean over those that are above zero (Hadsell et al.
    2006, without the squares, as the published detector is trained).
    """
    import torch

    unit = torch.nn.functional.normalize(features, dim=1)
    # of the squares' sum, and never of 0, where a root has no slope: a feature's distance from itself is left out below
    distances = (unit[:, None] - unit[None]).square().sum(2).clamp_min(1e-12).sqrt()
    alike = labels[:, None] == labels[None]
    others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    together = torch.relu(distances - positive_margin)[alike & others]
    apart = torch.relu(negative_margin - distances)[~alike]
    return _mean_above_zero(together) + _mean_above_zero(apart)


def _mean_above_zero(values: Any) -> Any:
    """The mean of the positive values; 0 where there are none."""
    return values.sum() / (values > 0).sum().clamp_min(1)
