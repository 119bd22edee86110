"""All numbers of a table of predictions, each with its 95 % interval, as a whole and by what the images are.

A table holds one detector's predictions on one benchmark in one protocol, a row an image: `image_id`, `cluster`,
`generator`, `source`, `label` (core.labels), `logit` (missing where the image could not be read), `width`, `height`.
A number is {"value", "low", "high"}: the value is scikit-learn's where it has one; the ends are the 2.5 and 97.5 %
quantiles of a bootstrap that draws whole clusters from all that the table has (Efron and Tibshirani 1993, ch. 13).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dda.core import points
from dda.core.judgements import Judged, Settings, by_generator, by_resolution, by_source
from dda.core.labels import FAKE, REAL
from dda.core.rankings import FPRS, Values
from dda.core.replicates import Number, number, replicates, shares_right, thresholds_of

__all__ = [
    "MEANINGS",
    "Number",
    "Settings",
    "benchmark_draws",
    "benchmark_score",
    "breakdown",
    "numbers",
    "presentation_attacks",
    "summarise",
]
MEANINGS = {
    "accuracy_real": "share of reals called real, that is with a logit of 0 or less",
    "accuracy_fake": "share of fakes called fake, that is with a logit above 0",
    "balanced_accuracy": "mean of the accuracies on real and on fake",
    "auroc": "area under the ROC curve: how often a fake scores above a real",
    "average_precision": "of finding fakes, by scikit-learn; it rises with the share of fakes in the set",
    **{
        f"tpr_at_fpr_{rate}": f"share of fakes found at {rate:.0%} false alarms, by a threshold chosen on this very set"
        for rate in FPRS
    },
    "eer": "error rate where misses and false alarms are equally frequent, by a threshold chosen on this very set",
    "ece": "expected calibration error of the calibrated probabilities, in 15 bins of equal width",
    "brier": "mean squared error of the calibrated probabilities",
    "log_loss": "mean log loss of the calibrated probabilities, in nats",
    "apcer": "share of attacks called bona fide, of the kind of attack with the largest share (ISO/IEC 30107-3)",
    "bpcer": "share of bona fide presentations called attacks (ISO/IEC 30107-3)",
    "acer": "mean of apcer and bpcer",
}
AT_OWN_THRESHOLD = "at the detector's own threshold, which called this share of its validation set's reals fake"
"""What `_at_fpr_0.01` means behind accuracy_real, accuracy_fake and balanced_accuracy."""
NEED_BOTH = ("auroc", "average_precision", *(f"tpr_at_fpr_{rate}" for rate in FPRS), "eer", "ece", "brier", "log_loss")


def summarise(table: Any, settings: Settings) -> dict[str, Any]:
    """Counts and all numbers of a table, by the names of MEANINGS; None for what needs a class that is not there.

    Images without a logit are in no number, and counted: `images` are `n_real`, `n_fake` and `failed`, which are
    `failed_real` and `failed_fake`. Calibration errors need both classes too: of one class alone they reward a
    detector that always says its name. Raises ValueError where an image has two rows, protocols differ, or a logit is
    infinite.
    """
    (found,) = _summaries(Judged.of(table), {"all": np.ones(len(table), bool)}, settings).values()
    return found | (presentation_attacks(table, settings) if settings.attacks else {})


def breakdown(table: Any, settings: Settings) -> dict[str, dict[str, dict[str, Any]]]:
    """Summaries by `generators`, `sources` and `resolutions`, all by the draws of the whole table.

    A generator's fakes are judged against its own reals, else those of generator "real", else all. A source's summary
    is that of its reals, with their `false_positive_rate`. Resolutions are buckets of the shorter side in pixels:
    below-256, 256-511, 512-1023, from-1024, and `unknown` where no size is known.
    """
    groups = {"generators": by_generator(table), "sources": by_source(table), "resolutions": by_resolution(table)}
    masks = {(kind, name): mask for kind, group in groups.items() for name, mask in group.items()}
    found: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in groups}
    for (kind, name), summary in _summaries(Judged.of(table), masks, settings).items():
        found[kind][name] = summary
        if kind == "sources":
            summary["false_positive_rate"] = _rest(summary["accuracy_real"])
    return found


def benchmark_score(table: Any, settings: Settings) -> Number | None:
    """The mean over generators of the balanced accuracy at logit 0, or of the accuracy on fake where no real is.

    `measure` names which of the two; `spread` is the standard deviation over generators with ddof 1, as the paper
    prints it (None for one generator), and says how generators differ; `low` and `high` are the bootstrap interval of
    the mean, and say how much chance is in it. `generators` is how many there are. None where no fake was judged.
    """
    of_generators, drawn, measure = _of_generators(table, settings)
    if not len(of_generators):
        return None
    return {
        **(number(float(of_generators.mean()), _mean_of_known(drawn)) or {}),
        "spread": float(of_generators.std(ddof=1)) if len(of_generators) > 1 else None,
        "generators": len(of_generators),
        "measure": measure,
    }


def benchmark_draws(table: Any, settings: Settings) -> tuple[float, Values] | None:
    """A benchmark's score and what each bootstrap draw makes of it (samples,); None where no fake was judged.

    Tables of the same images in the same order see the same draws, so that two detectors' can be subtracted.
    """
    of_generators, drawn, _ = _of_generators(table, settings)
    return (float(of_generators.mean()), _mean_of_known(drawn)) if len(of_generators) else None


def _of_generators(table: Any, settings: Settings) -> tuple[Values, Values, str]:
    """What each generator with a judged fake adds to the score (G,), the same in each draw (G, B), and its measure."""
    judged, masks = Judged.of(table), by_generator(table)
    sides = {
        (name, label): mask & (judged.labels == label) & judged.known
        for name, mask in masks.items()
        for label in (REAL, FAKE)
    }
    names = [name for name in masks if sides[name, FAKE].any()]
    has_reals = all(sides[name, REAL].any() for name in names)
    measure = "balanced_accuracy" if has_reals else "accuracy_fake"
    if not names:
        return np.empty(0), np.empty((0, 0)), measure
    kept = {(name, label): sides[name, label] for name in names for label in ((REAL, FAKE) if has_reals else (FAKE,))}
    values = {key: _share_right(judged, mask) for key, mask in kept.items()}
    spread = shares_right(judged, kept, settings)
    of_generators, drawn = (np.array([_mean_of(found, name) for name in names]) for found in (values, spread))
    return of_generators, drawn, measure


def _mean_of_known(drawn: Values) -> Values:
    """The mean over the generators that a draw holds (B,), of (G, B)."""
    known = ~np.isnan(drawn)
    mean: Values = np.nansum(drawn, axis=0) / np.where(known.any(0), known.sum(0), np.nan)
    return mean


def _mean_of(shares: Mapping[Any, Any], name: str) -> Any:
    """A generator's accuracy on fake, or its mean with that on real where there are any."""
    found = [shares[key] for key in ((name, REAL), (name, FAKE)) if key in shares]
    return sum(found) / len(found)


def numbers(table: Any, settings: Settings, in_parts: bool = True) -> dict[str, Any]:
    """All images together, the benchmark's `score`, and where that is asked, `generators`, `sources`, `resolutions`."""
    score = {"score": benchmark_score(table, settings)}
    return summarise(table, settings) | score | (breakdown(table, settings) if in_parts else {})


def presentation_attacks(table: Any, settings: Settings) -> dict[str, Number | None]:
    """APCER, BPCER and ACER at logit 0 of a table of face anti-spoofing, whose generators are kinds of attack.

    APCER is the largest share of attacks called bona fide over the kinds, of which `attack` names the worst (ISO/IEC
    30107-3); BPCER the share of bona fide called attacks; ACER their mean. The largest of several shares lies above
    any one's expectation, in each draw too. All are None where attacks or bona fide presentations are missing.
    """
    judged, generators = Judged.of(table), table["generator"].to_numpy(str)
    reals, fakes = (judged.known & (judged.labels == label) for label in (REAL, FAKE))
    masks: dict[Any, Values] = {str(kind): fakes & (generators == kind) for kind in np.unique(generators[fakes])}
    if not masks or not reals.any():
        return dict.fromkeys(("apcer", "bpcer", "acer"))
    masks[None] = reals
    values = {kind: 1 - _share_right(judged, mask) for kind, mask in masks.items()}
    drawn = {kind: 1 - shares for kind, shares in shares_right(judged, masks, settings).items()}
    bpcer, bpcer_drawn = values.pop(None), drawn.pop(None)
    worst, worst_drawn = max(values, key=lambda kind: values[kind]), np.fmax.reduce(list(drawn.values()))
    return {
        "apcer": {**(number(values[worst], worst_drawn) or {}), "attack": worst},
        "bpcer": number(bpcer, bpcer_drawn),
        "acer": number((values[worst] + bpcer) / 2, (worst_drawn + bpcer_drawn) / 2),
    }


def _share_right(judged: Judged, mask: Values) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(judged.labels[mask] == FAKE, judged.logits[mask] > 0))


def _rest(found: Number | None) -> Number | None:
    """One minus a number; its ends change places."""
    if found is None:
        return None
    value, low, high = (None if found[key] is None else 1 - found[key] for key in ("value", "high", "low"))
    return {"value": value, "low": low, "high": high}


def _summaries(judged: Judged, masks: Mapping[Any, Values], settings: Settings) -> dict[Any, dict[str, Any]]:
    """Counts, values and intervals of sets of rows."""
    drawn = replicates(judged, masks, settings)
    return {
        key: judged.counts(mask)
        | {name: number(value, drawn[key].get(name)) for name, value in _values(judged, mask, settings).items()}
        for key, mask in masks.items()
    }


def _values(judged: Judged, mask: Values, settings: Settings) -> dict[str, float | None]:
    """Every number's value for a set of rows."""
    kept = mask & judged.known
    labels, logits = judged.labels[kept], judged.logits[kept]
    found: dict[str, float | None] = {}
    for suffix, threshold in thresholds_of(settings).items():
        at_threshold = points.accuracies(labels, logits, threshold)
        found |= {f"{name}{suffix}": value for name, value in at_threshold.items()}
    if len(np.unique(labels)) < 2:
        return found | dict.fromkeys(NEED_BOTH)
    calibrated = points.calibration_errors(labels, logits, settings.temperature or 1.0)
    return found | points.separation(labels, logits) | dict(calibrated)
