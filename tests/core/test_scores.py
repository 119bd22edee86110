"""Summaries of predictions: values by scikit-learn, intervals over clusters, and what goes wrong elsewhere."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from dda.core import scores
from dda.core.judgements import by_generator, by_resolution
from tests import judged

SETTINGS = scores.Settings(samples=100, seed=0, temperature=0.7, thresholds={"0.01": 1.5, "0.05": 0.5})
NAMES = {"images", "failed", "n_real", "failed_real", "n_fake", "failed_fake"}
ALONE = {"accuracy_real", "accuracy_fake"}


def numbers(summary):
    return {name: found for name, found in summary.items() if name not in NAMES}


def test_values_equal_plain_scikit_learn():
    table = judged.table(80, step=0.25)
    labels, logits = table["label"].to_numpy(int), table["logit"].to_numpy(float)
    found = scores.summarise(table, SETTINGS)
    fpr, tpr, _ = metrics.roc_curve(labels, logits)
    fake = 1 / (1 + np.exp(-logits / 0.7))
    expected = {
        "accuracy_real": metrics.accuracy_score(labels[labels == 0], logits[labels == 0] > 0),
        "accuracy_fake": metrics.accuracy_score(labels[labels == 1], logits[labels == 1] > 0),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, logits > 0),
        "balanced_accuracy_at_fpr_0.05": metrics.balanced_accuracy_score(labels, logits > 0.5),
        "auroc": metrics.roc_auc_score(labels, logits),
        "average_precision": metrics.average_precision_score(labels, logits),
        "tpr_at_fpr_0.05": tpr[fpr <= 0.05].max(),
        "brier": metrics.brier_score_loss(labels, fake),
        "log_loss": metrics.log_loss(labels, fake),
    }
    assert {name: found[name]["value"] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert all(one["low"] <= one["high"] for one in numbers(found).values())


def test_the_value_is_the_replicate_of_a_draw_that_takes_everything_once():
    """Two ways to one number: scikit-learn's, and the one by weights, which the tests of replicates hold."""
    table = judged.table(50, step=0.5)
    single = table.assign(cluster="all")
    for found in numbers(scores.summarise(single, scores.Settings(5, 0, 0.7, {"0.01": 1.5}))).values():
        assert found["low"] == pytest.approx(found["value"], abs=1e-12)
        assert found["high"] == pytest.approx(found["value"], abs=1e-12)


def test_every_name_is_explained():
    plain = {name.partition("_at_fpr_")[0] for name in numbers(scores.summarise(judged.table(9), SETTINGS))}
    assert plain - {"tpr"} <= set(scores.MEANINGS)
    assert "tpr_at_fpr_0.01" in scores.MEANINGS


@pytest.mark.parametrize(("label", "name"), [(0, "real"), (1, "fake")])
def test_a_set_of_one_class_has_its_accuracy_and_no_number_that_needs_two(label, name):
    """Average precision of fakes alone would be 1, of reals alone 0, whatever the detector."""
    table = judged.table(40)
    found = numbers(scores.summarise(table[table["label"] == label], SETTINGS))
    there = {key for key, value in found.items() if value is not None}
    assert there == {f"accuracy_{name}{suffix}" for suffix in ("", "_at_fpr_0.01", "_at_fpr_0.05")}
    assert 0 < found[f"accuracy_{name}"]["low"] < found[f"accuracy_{name}"]["high"] < 1


def test_images_that_could_not_be_read_are_in_no_number_and_in_every_count():
    table = judged.table(30)
    broken = table.copy()
    broken.loc[[0, 1, 3], ["logit", "width", "height"]] = pd.NA
    found, rest = scores.summarise(broken, SETTINGS), scores.summarise(table.drop([0, 1, 3]), SETTINGS)
    assert (found["images"], found["failed"], found["failed_real"], found["failed_fake"]) == (60, 3, 1, 2)
    assert found["n_real"] + found["n_fake"] + found["failed"] == found["images"]
    assert numbers(found) == numbers(rest)
    parts = scores.breakdown(broken, SETTINGS)
    assert parts["resolutions"]["unknown"]["failed"] == 3
    assert sum(part["images"] for part in parts["resolutions"].values()) == 60
    assert sum(part["failed_real"] for part in parts["sources"].values()) == 1


def test_a_table_of_failures_alone_has_counts_and_no_numbers():
    table = judged.table(3)
    table["logit"] = pd.array([None] * 6, dtype="Float64")
    found = scores.summarise(table, SETTINGS)
    assert (found["images"], found["failed"], found["n_real"]) == (6, 6, 0)
    assert set(numbers(found).values()) == {None}
    assert scores.benchmark_score(table, SETTINGS) is None
    assert set(scores.presentation_attacks(table, SETTINGS).values()) == {None}


def test_two_images_of_one_name_are_refused():
    """Scores that are kept by a file's base name overwrite those of another folder."""
    table = judged.table(3)
    table["image_id"] = [name.partition("/")[2] for name in table["image_id"]]
    with pytest.raises(ValueError, match=r"4 rows repeat an image_id, such as 'real.png'"):
        scores.summarise(table, SETTINGS)


def test_several_protocols_and_infinite_logits_are_refused():
    table = judged.table(3)
    with pytest.raises(ValueError, match="several protocols: jpeg-50, native"):
        scores.summarise(table.assign(protocol=["native", "jpeg-50"] * 3), SETTINGS)
    with pytest.raises(ValueError, match=r"1 logits are infinite, such as that of '0/real.png'"):
        scores.summarise(table.assign(logit=[np.inf, *[0.0] * 5]), SETTINGS)


def test_the_detectors_threshold_is_never_fitted_on_the_set_that_it_judges():
    """The same logits moved by 10 have the same AUROC, but fall on one side of a threshold from elsewhere."""
    table = judged.table(50)
    moved = table.assign(logit=table["logit"] + 10)
    here, there = (scores.summarise(one, SETTINGS) for one in (table, moved))
    assert there["tpr_at_fpr_0.05"] == here["tpr_at_fpr_0.05"]
    assert there["balanced_accuracy_at_fpr_0.05"] == {"value": 0.5, "low": 0.5, "high": 0.5}


def test_whole_clusters_are_drawn():
    """Pairs half right: whole draws of them all have the same accuracy, single images have not."""
    table = judged.table(20).assign(logit=1.0)
    alone = table.assign(cluster=table["image_id"], label=1)
    together = alone.assign(cluster=table["cluster"], logit=[1.0, -1.0] * 20)
    found = scores.summarise(together, SETTINGS)["accuracy_fake"]
    assert found == {"value": 0.5, "low": 0.5, "high": 0.5}
    found = scores.summarise(together.assign(cluster=table["image_id"]), SETTINGS)["accuracy_fake"]
    assert found["low"] < 0.5 < found["high"]


def test_the_order_of_the_rows_changes_nothing_but_another_seed_does():
    table = judged.table(30, step=0.5)
    first, again = (scores.summarise(one, SETTINGS) for one in (table, table.sample(frac=1, random_state=2)))
    assert again["auroc"] == pytest.approx(first["auroc"], abs=1e-12)
    assert again["ece"] == pytest.approx(first["ece"], abs=1e-12)
    assert scores.summarise(table, scores.Settings(100, 1))["auroc"]["low"] != first["auroc"]["low"]


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    for seed in range(100):
        found = scores.summarise(judged.table(40, seed=seed), scores.Settings(200, 0))["auroc"]
        covered += found["low"] <= 0.8272 <= found["high"]  # normal(1.6 / (1.2 * sqrt(2))) of these tables
    assert 88 <= covered <= 99


def test_generators_are_judged_against_their_own_reals_else_shared_ones_else_all():
    table = pd.DataFrame(
        {"generator": ["a", "real", "c", "a", "b", "b"], "label": [0, 0, 0, 1, 1, 1]}, index=[9, 8, 7, 6, 5, 4]
    )
    assert {name: mask.nonzero()[0].tolist() for name, mask in by_generator(table).items()} == {
        "a": [0, 3],
        "b": [1, 4, 5],
    }
    without_shared = table[table["generator"] != "real"]
    assert by_generator(without_shared)["b"].tolist() == [True, True, False, True, True]


def test_a_breakdown_has_each_generator_source_and_resolution_with_counts():
    table = judged.table(60)
    found = scores.breakdown(table, SETTINGS)
    labels, logits = table["label"].to_numpy(int), table["logit"].to_numpy(float)
    assert {name: (one["n_real"], one["n_fake"]) for name, one in found["generators"].items()} == {
        "a": (60, 30),
        "b": (60, 30),
    }
    mine = (labels == 0) | (table["generator"] == "b").to_numpy()
    assert found["generators"]["b"]["auroc"]["value"] == metrics.roc_auc_score(labels[mine], logits[mine])
    reals = (labels == 0) & (table["source"] == "RAISE").to_numpy()
    called = found["sources"]["RAISE"]
    assert (called["n_real"], called["n_fake"]) == (20, 0)
    assert called["false_positive_rate"]["value"] == pytest.approx(np.mean(logits[reals] > 0))
    assert called["false_positive_rate"]["high"] == pytest.approx(1 - called["accuracy_real"]["low"])
    assert sum(one["images"] for one in found["resolutions"].values()) == 120


def test_resolutions_are_buckets_of_the_shorter_side():
    shorter = [255, 256, 511, 512, 1023, 1024, None]
    table = pd.DataFrame({"width": shorter, "height": [4000] * 7}, dtype="Int64")
    assert {name: mask.nonzero()[0].tolist() for name, mask in by_resolution(table).items()} == {
        "below-256": [0],
        "256-511": [1, 2],
        "512-1023": [3, 4],
        "from-1024": [5],
        "unknown": [6],
    }


def test_one_generator_broken_down_is_the_whole():
    table = judged.table(40, generators=("a",))
    assert scores.breakdown(table, SETTINGS)["generators"]["a"] == scores.summarise(table, SETTINGS)


def test_a_benchmarks_score_is_the_mean_over_generators_with_their_spread_and_the_means_interval():
    table = judged.table(90, generators=("a", "b", "c"))
    found = scores.benchmark_score(table, SETTINGS)
    parts = scores.breakdown(table, SETTINGS)["generators"].values()
    values = [part["balanced_accuracy"]["value"] for part in parts]
    assert found["value"] == pytest.approx(np.mean(values))
    assert found["spread"] == pytest.approx(np.std(values, ddof=1))
    assert (found["generators"], found["measure"]) == (3, "balanced_accuracy")
    assert found["low"] < found["value"] < found["high"]
    widths = [part["balanced_accuracy"]["high"] - part["balanced_accuracy"]["low"] for part in parts]
    assert found["high"] - found["low"] < min(widths)


def test_the_score_of_a_balanced_set_has_the_interval_of_its_balanced_accuracy():
    table = judged.table(60, generators=("a",))
    score, whole = scores.benchmark_score(table, SETTINGS), scores.summarise(table, SETTINGS)["balanced_accuracy"]
    assert {key: score[key] for key in whole} == pytest.approx(whole)
    assert score["spread"] is None


def test_the_score_of_fakes_alone_is_the_share_found_and_says_so():
    table = judged.table(60)
    fakes = table[table["label"] == 1]
    found = scores.benchmark_score(fakes, SETTINGS)
    shares = [np.mean(rows["logit"].to_numpy(float) > 0) for _, rows in fakes.groupby("generator")]
    assert found["measure"] == "accuracy_fake"
    assert found["value"] == pytest.approx(np.mean(shares))


def test_many_generators_of_one_image_each_still_have_a_score():
    table = judged.table(40, generators=[f"g{number}" for number in range(40)])
    found = scores.benchmark_score(table, SETTINGS)
    assert found["generators"] == 40
    assert found["low"] < found["value"] < found["high"]
    json.dumps(scores.breakdown(table, SETTINGS), allow_nan=False)


def test_presentation_attacks_are_told_by_the_kind_that_passes_most_often():
    table = judged.table(90, generators=("print", "replay", "mask"))
    found = scores.summarise(table, scores.Settings(100, 0, attacks=True))
    rows = dict(iter(table[table["label"] == 1].groupby("generator")))
    passed = {kind: np.mean(group["logit"].to_numpy(float) <= 0) for kind, group in rows.items()}
    refused = np.mean(table[table["label"] == 0]["logit"].to_numpy(float) > 0)
    assert found["apcer"]["attack"] == max(passed, key=passed.get)
    assert found["apcer"]["value"] == pytest.approx(max(passed.values()))
    assert found["bpcer"]["value"] == pytest.approx(refused)
    assert found["acer"]["value"] == pytest.approx((refused + max(passed.values())) / 2)
    assert "apcer" not in scores.summarise(table, SETTINGS)
    assert set(scores.presentation_attacks(table[table["label"] == 1], SETTINGS).values()) == {None}
