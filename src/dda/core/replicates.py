"""What each bootstrap draw makes of each number: arrays with a value a draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core import rankings
from dda.core.judgements import Judged, Settings
from dda.core.labels import FAKE
from dda.core.rankings import FPRS, Drawn, Ranking
from dda.core.reliability import Costs, errors

Values = NDArray[Any]
QUANTILES = (0.025, 0.975)
Number = dict[str, Any]
"""{"value", "low", "high"}, and what else is said of it."""


@dataclass(frozen=True)
class Weighed:
    """A side under some draws, and the sums of what its images cost."""

    drawn: Drawn
    sums: Values


def replicates(judged: Judged, masks: Mapping[Any, Values], settings: Settings) -> dict[Any, dict[str, Values]]:
    """Every number of sets of rows (N, bool), (samples,), from draws of all the table's clusters.

    Not a number where a draw has no image of a class that a number needs; sets of one class have fewer numbers.
    """
    ranked = judged.rankings(masks)
    sides = {id(side): (side, label) for one in ranked.values() for label, side in one.sides.items()}
    costs = {key: Costs.of(side, label, settings.temperature or 1.0) for key, (side, label) in sides.items()}
    found: dict[Any, list[dict[str, Values]]] = {name: [] for name in masks}
    for counts in judged.draws(settings):
        weighed = {}  # once for all that share a side, such as generators their reals
        for key, (side, _) in sides.items():
            drawn = side.drawn(counts)
            weighed[key] = Weighed(drawn, costs[key].under(drawn))
        for name, ranking in ranked.items():
            reals, fakes = weighed[id(ranking.reals)], weighed[id(ranking.fakes)]
            found[name].append(_numbers(ranking, reals, fakes, settings))
    return {
        name: {number: np.concatenate([part[number] for part in parts]) for number in (parts[0] if parts else ())}
        for name, parts in found.items()
    }


def _numbers(ranking: Ranking, reals: Weighed, fakes: Weighed, settings: Settings) -> dict[str, Values]:
    """All numbers of one set of images under some draws, (B,) each."""
    sides = ranking, reals.drawn, fakes.drawn
    found: dict[str, Values] = {}
    for suffix, threshold in thresholds_of(settings).items():
        real, fake = rankings.accuracies(*sides, threshold)
        found |= {f"accuracy_real{suffix}": real, f"accuracy_fake{suffix}": fake}
        found[f"balanced_accuracy{suffix}"] = (real + fake) / 2
    if ranking.has_both:
        n_reals, n_fakes = reals.drawn.total, fakes.drawn.total
        apart = {"auroc": rankings.auroc(*sides), "average_precision": rankings.average_precision(*sides)}
        apart |= {f"tpr_at_fpr_{rate}": rankings.tpr_at_fpr(*sides, rate) for rate in FPRS}
        apart |= {"eer": rankings.eer(*sides), **errors(reals.sums + fakes.sums, n_reals + n_fakes)}
        lacking = (n_reals == 0) | (n_fakes == 0)
        found |= {name: np.where(lacking, np.nan, values) for name, values in apart.items()}
    return found


def thresholds_of(settings: Settings) -> dict[str, float]:
    """The detector's logits by the ending of a number's name: none for 0, `_at_fpr_0.01` for its own."""
    return {"": 0.0} | {f"_at_fpr_{rate}": logit for rate, logit in settings.thresholds.items()}


def shares_right(judged: Judged, masks: Mapping[Any, Values], settings: Settings) -> dict[Any, Values]:
    """The share of each set of rows (N, bool) that lies on the right side of logit 0, (samples,), by the same draws."""
    from scipy.sparse import csr_array

    right = (judged.logits > 0) == (judged.labels == FAKE)
    places = [np.flatnonzero(mask & judged.known) for mask in masks.values()]
    rows, sets = np.concatenate(places), np.repeat(np.arange(len(places)), [len(place) for place in places])
    shape = (int(judged.clusters.max()) + 1, len(places))
    n_images, n_right = (
        csr_array((values, (judged.clusters[rows], sets)), shape) for values in (np.ones(len(rows)), right[rows] * 1.0)
    )
    shares = [rankings.divided(counts @ n_right, counts @ n_images) for counts in judged.draws(settings)]
    return dict(zip(masks, np.concatenate(shares).T, strict=True))


def number(value: float | None, values: Values | None) -> Number | None:
    """A value with its interval: the 2.5 and 97.5 % quantiles of its replicates; None without a value.

    Replicates that are not a number are left out, which is as if such draws had been drawn again. The ends are None
    where none is left.
    """
    if value is None:
        return None
    known = np.array([]) if values is None else values[~np.isnan(values)]
    low, high = map(float, np.quantile(known, QUANTILES)) if len(known) else (None, None)
    return {"value": float(value), "low": low, "high": high}
