"""Metrics of many bootstrap draws at once: images are sorted by logit once, a draw is a weight for each of them.

A weight of 2 is an image that stands twice in a draw. Every number equals scikit-learn's of the repeated rows.
Shapes: B draws, n images of one class.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.labels import FAKE, REAL

Values = NDArray[Any]
FPRS = (0.01, 0.05)


@dataclass(frozen=True)
class Side:
    """Images of one class by falling logit: the numbers of their clusters, and minus their logits, which rise."""

    clusters: Values
    rising: Values

    @classmethod
    def of(cls, logits: Values, clusters: Values) -> "Side":
        """Images in any order (n,)."""
        order = np.argsort(-logits, kind="stable")
        return cls(clusters[order], -logits[order])

    def above(self, logits: Any) -> Values:
        """How many of its images lie above each of these logits."""
        return np.searchsorted(self.rising, -np.asarray(logits, float), side="left")

    def from_(self, logits: Any) -> Values:
        """How many of its images lie at or above each of these logits."""
        return np.searchsorted(self.rising, -np.asarray(logits, float), side="right")

    def drawn(self, counts: Values) -> "Drawn":
        """Its images under draws of clusters (B, clusters)."""
        weights = np.take(counts, self.clusters, axis=1)
        cumulated = np.zeros((len(weights), len(self.clusters) + 1))
        np.cumsum(weights, axis=1, out=cumulated[:, 1:])
        return Drawn(weights, cumulated)


@dataclass(frozen=True)
class Drawn:
    """A side under draws: weights (B, n), and how many images the first so many are worth (B, n + 1)."""

    weights: Values
    cumulated: Values

    @property
    def total(self) -> Values:
        """How many images each draw holds (B,)."""
        return self.cumulated[:, -1]

    def first(self, counts: Values) -> Values:
        """What the first so many images are worth in each draw: (B, len(counts))."""
        return np.take(self.cumulated, counts, axis=1)

    def share_above(self, count: Any) -> Values:
        """The share that the first so many images have in each draw (B,); not a number where a draw has none."""
        return divided(self.cumulated[:, int(count)], self.total)


def divided(part: Values, whole: Values) -> Values:
    """Part of whole, not a number where the whole is nothing."""
    shares: Values = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return shares


@dataclass(frozen=True)
class Ranking:
    """Reals and fakes told apart by their logits."""

    reals: Side
    fakes: Side

    @property
    def sides(self) -> dict[int, Side]:
        """Its sides by their labels."""
        return {REAL: self.reals, FAKE: self.fakes}

    @property
    def has_both(self) -> bool:
        """Whether there are images of both classes."""
        return bool(len(self.reals.clusters) and len(self.fakes.clusters))

    @cached_property
    def reals_above(self) -> Values:
        """For each fake, how many reals lie above it."""
        return self.reals.above(-self.fakes.rising)

    @cached_property
    def reals_from(self) -> Values:
        """For each fake, how many reals lie at its logit or above."""
        return self.reals.from_(-self.fakes.rising)

    @cached_property
    def fakes_from(self) -> Values:
        """For each fake, how many fakes lie at its logit or above: more than its place where logits are equal."""
        return self.fakes.from_(-self.fakes.rising)

    @cached_property
    def corners(self) -> tuple[Values, Values]:
        """The ROC's corners, from (0, 0): how many reals and how many fakes lie at or above each distinct logit."""
        thresholds = -np.unique(np.concatenate([self.reals.rising, self.fakes.rising]))
        return tuple(np.concatenate([[0], side.from_(thresholds)]) for side in (self.reals, self.fakes))  # type: ignore[return-value]


def auroc(ranking: Ranking, reals: Drawn, fakes: Drawn) -> Values:
    """How often a fake scores above a real; equals count half. (B,)"""
    above = reals.first(ranking.reals_from)
    if not np.array_equal(ranking.reals_above, ranking.reals_from):
        above = (above + reals.first(ranking.reals_above)) / 2
    lost = np.einsum("bn,bn->b", fakes.weights, above)
    share_lost = divided(lost, reals.total * fakes.total)
    return 1 - share_lost


def average_precision(ranking: Ranking, reals: Drawn, fakes: Drawn) -> Values:
    """Mean over the fakes of the precision at their logits; what is searched for are fakes. (B,)"""
    found = fakes.first(ranking.fakes_from)
    called = found + reals.first(ranking.reals_from)
    np.maximum(called, 1, out=called)  # nothing is called fake where a draw has nothing so high: its weight is 0 there
    np.divide(found, called, out=found)
    return divided(np.einsum("bn,bn->b", fakes.weights, found), fakes.total)


def tpr_at_fpr(ranking: Ranking, reals: Drawn, fakes: Drawn, max_fpr: float) -> Values:
    """The largest share of fakes that a threshold finds at no more than this false-positive rate. (B,)

    The threshold is chosen on these very images; corners of the ROC count, no points between them.
    """
    n_reals, n_fakes = ranking.corners
    allowed = np.floor(max_fpr * reals.total + 1e-9)
    draw = np.arange(len(allowed))
    after = _first(lambda at: reals.cumulated[draw, n_reals[at]] > allowed, len(n_reals), len(draw))
    return divided(fakes.cumulated[draw, n_fakes[after - 1]], fakes.total)


def eer(ranking: Ranking, reals: Drawn, fakes: Drawn) -> Values:
    """The equal error rate: where the ROC, straight between its corners, has as many misses as false alarms. (B,)"""
    n_reals, n_fakes = ranking.corners
    draw = np.arange(len(reals.total))

    def rates(at: Values) -> tuple[Values, Values]:
        fpr = divided(reals.cumulated[draw, n_reals[at]], reals.total)
        return fpr, fpr + divided(fakes.cumulated[draw, n_fakes[at]], fakes.total) - 1

    after = _first(lambda at: rates(at)[1] >= 0, len(n_reals), len(draw))
    (fpr_before, under), (fpr_after, over) = rates(np.maximum(after - 1, 0)), rates(np.minimum(after, len(n_reals) - 1))
    crossing: Values = fpr_before - (fpr_after - fpr_before) * divided(under, over - under)
    return crossing


def _first(holds: Callable[[Values], Values], n_places: int, n_draws: int) -> Values:
    """In each draw, the first place at which something holds that holds from there on; `n_places` where it never does.

    It does not hold at place 0. By halving: `holds` takes a place for each draw.
    """
    low, high = np.zeros(n_draws, int), np.full(n_draws, n_places)
    while (high - low > 1).any():
        middle = (low + high) // 2
        found = holds(middle)
        low, high = np.where(found, low, middle), np.where(found, middle, high)
    return high


def accuracies(ranking: Ranking, reals: Drawn, fakes: Drawn, threshold: float) -> tuple[Values, Values]:
    """The shares of reals at or below a logit, and of fakes above it. (B,) each"""
    right_reals = 1 - reals.share_above(ranking.reals.above(threshold))
    return right_reals, fakes.share_above(ranking.fakes.above(threshold))
