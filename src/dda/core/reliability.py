"""What probabilities cost that do not mean what they say: calibration error, Brier score, log loss."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.rankings import Drawn, Side

Values = NDArray[Any]
BINS = 15
LOSS_EPSILON = float(np.finfo(float).eps)  # scikit-learn's: no image costs more than 36 nats


def probabilities(logits: Values, temperature: float) -> Values:
    """Of "fake", in [0, 1]: sigmoid(logit / temperature)."""
    from scipy.special import expit

    found: Values = expit(np.asarray(logits, float) / temperature)
    return found


def bins(fake: Values) -> Values:
    """The number of each probability's bin: 15 of equal width, closed at the right; the first also holds 0."""
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], fake)


@dataclass(frozen=True)
class Costs:
    """What each image of a side costs (n,), by falling logit, and where its bins end, from the highest down."""

    squares: Values
    losses: Values
    gaps: Values
    ends: tuple[int, ...]

    @classmethod
    def of(cls, side: Side, label: int, temperature: float) -> "Costs":
        """Of images that all have this label."""
        fake = probabilities(-side.rising, temperature)
        gaps = fake - label
        losses = -np.log(np.clip(1 - np.abs(gaps), LOSS_EPSILON, 1 - LOSS_EPSILON))
        ends = np.cumsum(np.bincount(bins(fake), minlength=BINS)[::-1])
        return cls(gaps**2, losses, gaps, tuple(map(int, ends)))

    def under(self, drawn: Drawn) -> Values:
        """Sums of each draw (B, 2 + BINS): of squares, of losses, and of the gaps in each bin."""
        starts = (0, *self.ends[:-1])
        spans = [slice(start, end) for start, end in zip(starts, self.ends, strict=True)]
        sums = [drawn.weights @ self.squares, drawn.weights @ self.losses]
        return np.stack([*sums, *(drawn.weights[:, span] @ self.gaps[span] for span in spans)], axis=1)


def errors(sums: Values, n_images: Values) -> dict[str, Values]:
    """Expected calibration error, Brier score and log loss in nats of draws, (B,) each; not a number of no images.

    `sums` (B, 2 + BINS) are those of the costs of both sides. The first is the sum over bins of |sum of (probability -
    label)| / n (Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3).
    """
    means = sums / np.where(n_images > 0, n_images, np.nan)[:, None]
    return {"ece": np.abs(means[:, 2:]).sum(axis=1), "brier": means[:, 0], "log_loss": means[:, 1]}
