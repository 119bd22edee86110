"""Two detectors on the same images: who is right where the other is wrong, and how large the difference is."""

from typing import Any

import numpy as np

from dda.core import points, rankings
from dda.core.judgements import Judged, Settings
from dda.core.labels import FAKE
from dda.core.rankings import Ranking, Values
from dda.core.replicates import Number, number

METRICS = ("balanced_accuracy", "auroc")
SUFFIXES = ("_first", "_second")


def compare(first: Any, second: Any, settings: Settings) -> dict[str, Any]:
    """Two tables of predictions on one benchmark in one protocol (core.scores), on the images that both could judge.

    `counts`: what was compared, and every row that was not, by its reason. `mcnemar`: both right, one, none, at logit
    0, and the exact p-value. `balanced_accuracy`, `auroc`: see `_difference`; None without both classes. Raises
    ValueError where an image has two rows, or where the tables disagree on its label or cluster.
    """
    both, counts = joined(first, second)
    judged = [Judged.of(_renamed(both, suffix)) for suffix in SUFFIXES]
    labels, logits = judged[0].labels, [one.logits for one in judged]
    return {
        "counts": counts,
        "mcnemar": mcnemar(*((one > 0) == (labels == FAKE) for one in logits)),
        **_differences(judged, settings),
    }


def joined(first: Any, second: Any) -> tuple[Any, dict[str, int]]:
    """Images that both judged, by image_id and sha256, and how many rows of which kind were left out.

    A file of the same name but other bytes is another image. Tables without `sha256` are joined by image_id alone.
    """
    for table in (first, second):
        Judged.of(table)
    both = first.merge(second, on="image_id", suffixes=SUFFIXES, sort=True)
    counts = {"only_first": len(first) - len(both), "only_second": len(second) - len(both)}
    same = np.ones(len(both), bool)
    if "sha256_first" in both:
        same = (both["sha256_first"] == both["sha256_second"]).to_numpy(bool, na_value=False)
    counts["other_bytes"], both = int((~same).sum()), both[same]
    for column in ("label", "cluster"):
        differ = both["image_id"][(both[f"{column}_first"] != both[f"{column}_second"]).to_numpy(bool)]
        if len(differ):
            raise ValueError(f"{len(differ)} images have another {column} in each table, such as {differ.iloc[0]!r}")
    unread = [both[f"logit{suffix}"].isna().to_numpy(bool) for suffix in SUFFIXES]
    counts |= {
        "unreadable_first": int((unread[0] & ~unread[1]).sum()),
        "unreadable_second": int((unread[1] & ~unread[0]).sum()),
        "unreadable_both": int((unread[0] & unread[1]).sum()),
    }
    both = both[~(unread[0] | unread[1])]
    fakes = int((both["label_first"] == FAKE).sum())
    return both, {"images": len(both), "n_real": len(both) - fakes, "n_fake": fakes, **counts}


def _renamed(both: Any, suffix: str) -> Any:
    """One detector's columns of the joined table."""
    names = {f"{name}{suffix}": name for name in ("cluster", "label", "logit")}
    return both[["image_id", *names]].rename(columns=names)


def mcnemar(first_right: Values, second_right: Values) -> dict[str, Any]:
    """The two-by-two counts of right and wrong, and McNemar's exact p-value, two-sided.

    That of a binomial test of the images on which just one is right, against one half (McNemar 1947; in its exact
    form Fagerland, Lydersen and Laake 2013). It takes images as independent: where clusters hold several, the interval
    of the difference is the better judge. 1 where the two never differ.
    """
    from scipy.stats import binomtest

    only_first, only_second = (
        int((one & ~other).sum()) for one, other in ((first_right, second_right), (second_right, first_right))
    )
    n_differ = only_first + only_second
    return {
        "both_right": int((first_right & second_right).sum()),
        "only_first_right": only_first,
        "only_second_right": only_second,
        "both_wrong": int((~first_right & ~second_right).sum()),
        "p_value": float(binomtest(only_first, n_differ).pvalue) if n_differ else 1.0,
    }


def _differences(judged: list[Judged], settings: Settings) -> dict[str, Number | None]:
    """First minus second, with both values and the interval of the difference; both see the same draws of clusters.

    `share_not_above_zero`: of the draws, those in which the first is not the better one.
    """
    everything = np.ones(len(judged[0].labels), bool)
    ranked = [one.rankings({"all": everything})["all"] for one in judged]
    if not ranked[0].has_both:
        return dict.fromkeys(METRICS)
    drawn = [[_drawn(one, counts) for one in ranked] for counts in judged[0].draws(settings)]
    values = [_values(one) for one in judged]
    found: dict[str, Number | None] = {}
    for place, metric in enumerate(METRICS):
        gaps = np.concatenate([first[place] - second[place] for first, second in drawn])
        first, second = (one[place] for one in values)
        ends = number(first - second, gaps) or {}
        not_above = float(np.mean(gaps <= 0))
        found[metric] = {"first": first, "second": second, **ends, "share_not_above_zero": not_above}
    return found


def _drawn(ranking: Ranking, counts: Values) -> tuple[Values, Values]:
    """Balanced accuracy and AUROC of one detector under some draws, (B,) each."""
    sides = ranking, ranking.reals.drawn(counts), ranking.fakes.drawn(counts)
    real, fake = rankings.accuracies(*sides, 0.0)
    return (real + fake) / 2, rankings.auroc(*sides)


def _values(judged: Judged) -> tuple[float, float]:
    """Balanced accuracy and AUROC of one detector, by scikit-learn."""
    from sklearn.metrics import roc_auc_score

    balanced = points.accuracies(judged.labels, judged.logits, 0.0)["balanced_accuracy"]
    assert balanced is not None
    return balanced, float(roc_auc_score(judged.labels, judged.logits))
