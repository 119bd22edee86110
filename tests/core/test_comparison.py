"""Two detectors on the same images: counts, McNemar's test, differences with paired intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn import metrics

from dda.core.comparison import compare, mcnemar
from dda.core.judgements import Settings
from tests import judged

SETTINGS = Settings(samples=300, seed=0)


def better(table, by=0.8):
    """The same images judged by a detector that sees a bit more."""
    shift = np.where(table["label"] == 1, by, -by)
    return table.assign(logit=table["logit"] + shift)


def test_a_better_detector_is_better_by_what_scikit_learn_says():
    second = judged.table(80)
    first = better(second)
    found = compare(first, second, SETTINGS)
    labels = second["label"].to_numpy(int)
    areas = [metrics.roc_auc_score(labels, one["logit"].to_numpy(float)) for one in (first, second)]
    shares = [metrics.balanced_accuracy_score(labels, one["logit"].to_numpy(float) > 0) for one in (first, second)]
    for name, (one, other) in {"auroc": areas, "balanced_accuracy": shares}.items():
        assert (found[name]["first"], found[name]["second"]) == pytest.approx((one, other))
        assert found[name]["value"] == pytest.approx(one - other)
        assert 0 < found[name]["low"] < found[name]["value"] < found[name]["high"]
        assert found[name]["share_not_above_zero"] == 0
    assert found["mcnemar"]["only_second_right"] == 0
    assert found["counts"] == {
        **{"images": 160, "n_real": 80, "n_fake": 80, "only_first": 0, "only_second": 0, "other_bytes": 0},
        **{"unreadable_first": 0, "unreadable_second": 0, "unreadable_both": 0},
    }


def test_the_other_way_round_everything_changes_its_sign():
    table = judged.table(60)
    other = table.assign(logit=judged.table(60, seed=1)["logit"])
    there, back = compare(table, other, SETTINGS), compare(other, table, SETTINGS)
    assert there["auroc"]["value"] == -back["auroc"]["value"]
    assert there["auroc"]["low"] == pytest.approx(-back["auroc"]["high"])
    assert there["mcnemar"]["p_value"] == back["mcnemar"]["p_value"]


def test_a_detector_and_itself_do_not_differ():
    table = judged.table(30)
    found = compare(table, table, SETTINGS)
    assert found["auroc"] | {"first": 0, "second": 0} == {
        **{"first": 0, "second": 0, "value": 0.0, "low": 0.0, "high": 0.0, "share_not_above_zero": 1.0}
    }
    assert found["mcnemar"]["p_value"] == 1.0


def test_both_see_the_same_draws_so_that_the_difference_is_known_better_than_either():
    second = judged.table(80)
    found = compare(better(second, 0.1), second, SETTINGS)["auroc"]
    from dda.core.scores import summarise

    alone = summarise(second, SETTINGS)["auroc"]
    assert found["high"] - found["low"] < (alone["high"] - alone["low"]) / 3


def test_mcnemar_is_the_exact_binomial_of_the_images_on_which_one_alone_is_right():
    first = np.array([True] * 9 + [False] * 2 + [True] * 5 + [False] * 3)
    second = np.array([False] * 9 + [True] * 2 + [True] * 5 + [False] * 3)
    found = mcnemar(first, second)
    counts = {"both_right": 5, "only_first_right": 9, "only_second_right": 2, "both_wrong": 3}
    assert {name: found[name] for name in counts} == counts
    assert found["p_value"] == pytest.approx(2 * binom.cdf(2, 11, 0.5))


def test_rows_that_cannot_be_compared_are_counted_by_their_reasons():
    first, second = judged.table(20), judged.table(20)
    first = first.drop(0)
    second = second.drop([1, 2])
    first.loc[[10, 11], "logit"] = pd.NA
    second.loc[[11, 12, 13], "logit"] = pd.NA
    first.loc[20, "sha256"] = "another file"
    found = compare(first.sample(frac=1, random_state=0), second, SETTINGS)["counts"]
    assert found["images"] == 32
    assert (found["only_first"], found["only_second"], found["other_bytes"]) == (2, 1, 1)
    assert (found["unreadable_first"], found["unreadable_second"], found["unreadable_both"]) == (1, 2, 1)


def test_fakes_alone_are_compared_by_mcnemar_only():
    table = judged.table(20)
    fakes = table[table["label"] == 1]
    found = compare(better(fakes), fakes, SETTINGS)
    assert found["auroc"] is found["balanced_accuracy"] is None
    assert found["mcnemar"]["only_first_right"] > 0


def test_nothing_in_common_is_told_in_counts():
    table = judged.table(5)
    found = compare(table, table.assign(image_id="other/" + table["image_id"]), SETTINGS)
    assert (found["counts"]["images"], found["counts"]["only_first"]) == (0, 10)
    assert found["auroc"] is None


@pytest.mark.parametrize("column", ["label", "cluster"])
def test_tables_that_contradict_each_other_are_refused(column):
    table = judged.table(5)
    other = table.assign(label=1 - table["label"]) if column == "label" else table.assign(cluster=table["image_id"])
    with pytest.raises(ValueError, match=f"10 images have another {column} in each table"):
        compare(table, other, SETTINGS)
