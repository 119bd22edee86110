"""What training minimises, against sums written out by hand."""

import pytest
import torch

from dda.core.losses import contrastive, total

BOTH = {"bce": 0.5, "contrastive": 0.5, "positive_margin": 0.0, "negative_margin": 1.0}
LABELS = torch.tensor([0.0, 1.0, 0.0, 1.0])


def by_hand(features, labels, positive_margin, negative_margin):
    """The loss with two loops and no tensors' tricks."""
    unit = [feature / feature.norm() for feature in features]
    found = {True: [], False: []}
    for i in range(len(unit)):
        for j in range(len(unit)):
            if i != j:
                distance = float((unit[i] - unit[j]).norm())
                alike = bool(labels[i] == labels[j])
                found[alike].append(max(0.0, distance - positive_margin if alike else negative_margin - distance))
    positive = {alike: [value for value in values if value > 1e-5] for alike, values in found.items()}
    return sum(sum(values) / len(values) for values in positive.values() if values)


@pytest.mark.parametrize("margins", [(0.0, 1.0), (0.3, 1.2), (0.0, 0.1)])
def test_the_contrastive_loss_is_the_sum_over_all_pairs(margins):
    features = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    assert contrastive(features, labels, *margins).item() == pytest.approx(
        by_hand(features, labels, *margins), abs=1e-5
    )


def test_classes_apart_and_together_cost_nothing():
    features = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0], [-3.0, 0.0]])
    assert contrastive(features, LABELS, 0.0, 1.0).item() == pytest.approx(0.0, abs=1e-5)


def test_a_batch_of_one_class_has_a_loss_and_a_slope():
    features = torch.randn(4, 3, generator=torch.Generator().manual_seed(2)).requires_grad_()
    logits = features.sum(1)
    loss = total(features, logits, torch.ones(4), BOTH)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(features.grad).all()
    assert features.grad.abs().max() > 0


def test_equal_features_have_no_infinite_slope():
    features = torch.ones(4, 3, requires_grad=True)
    contrastive(features, LABELS, 0.0, 1.0).backward()
    assert torch.isfinite(features.grad).all()


def test_the_total_is_weighted():
    features, logits = torch.randn(4, 3), torch.tensor([0.3, -2.0, 1.0, 0.5])
    bce = torch.nn.functional.binary_cross_entropy_with_logits(logits, LABELS)
    assert total(features, logits, LABELS, BOTH | {"contrastive": 0.0, "bce": 1.0}).item() == pytest.approx(bce.item())
    expected = 0.5 * bce + 0.5 * contrastive(features, LABELS, 0.0, 1.0)
    assert total(features, logits, LABELS, BOTH).item() == pytest.approx(expected.item())
