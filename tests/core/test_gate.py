"""The promotion gate: a better detector passes, every other one is refused with its reason."""

import numpy as np
import pytest

from dda.core import scores
from dda.core.gate import Entrant, Rules, decide
from dda.core.judgements import Settings
from tests import judged

SETS = {"genimage": 0, "chameleon": 1, "wildrf": 2}
RULES = Rules(dict.fromkeys(SETS, 0.6), 0.3, 0.3, 500, 0)


def shifted(table, by):
    """The same images, each judged so much more in its class' direction."""
    return table.assign(logit=table["logit"] + np.where(table["label"] == 1, by, -by))


def entrant(by=0.0, tables=None, **changes):
    tables = tables or {name: shifted(judged.table(150, seed=seed), by) for name, seed in SETS.items()}
    facts = {"digests": dict.fromkeys(tables, "same"), "temperature": 1.0, "audits": {"tiny": ""}}
    return Entrant(changes.pop("name", "5"), tables, **facts | changes)


CHAMPION = entrant(name="3")


def refusals(challenger, champion=CHAMPION, rules=RULES):
    """The checks that failed, by name."""
    verdict = decide(challenger, champion, rules)
    assert not verdict.passed
    assert verdict.reasons == [check.reason for check in verdict.checks if not check.passed]
    return {(check.check, check.benchmark): check for check in verdict.checks if not check.passed}


def test_a_better_one_passes_every_check():
    verdict = decide(entrant(0.6), CHAMPION, RULES)
    assert verdict.passed
    assert verdict.reasons == []
    assert {check.check for check in verdict.checks} == {
        *("audit", "present", "floor", "calibration", "false positives", "same images", "worst", "mean")
    }
    (mean,) = [check for check in verdict.checks if check.check == "mean"]
    gains = [
        scores.benchmark_score(shifted(judged.table(150, seed=seed), 0.6), Settings(1))["value"]
        - scores.benchmark_score(judged.table(150, seed=seed), Settings(1))["value"]
        for seed in SETS.values()
    ]
    assert mean.value == pytest.approx(np.mean(gains))
    assert "on average over 3 benchmarks it changes the score by +" in mean.reason


def test_the_first_one_needs_no_champion():
    verdict = decide(entrant(), None, RULES)
    assert verdict.passed
    assert not {"worst", "mean", "same images"} & {check.check for check in verdict.checks}


def test_the_same_one_again_is_not_better():
    assert refusals(entrant()).keys() == {("mean", None)}


def test_a_worse_one_is_refused_by_its_mean_and_its_worst():
    found = refusals(entrant(-0.5), rules=Rules(dict.fromkeys(SETS, 0.0), 1, 1, 500, 0))
    assert found.keys() == {("mean", None), next(key for key in found if key[0] == "worst")}
    assert found["mean", None].value < 0
    assert "not better than chance explains" in found["mean", None].reason


def test_a_gain_within_chance_is_refused():
    tables = {name: judged.table(20, seed=seed) for name, seed in SETS.items()}
    slight = {name: shifted(table, 0.05) for name, table in tables.items()}
    rules = Rules(dict.fromkeys(SETS, 0.0), 1, 1, 500, 0)
    assert refusals(entrant(tables=slight), entrant(tables=tables), rules).keys() == {("mean", None)}


@pytest.mark.parametrize("whose", ["challenger", "champion"])
def test_one_with_a_missing_benchmark_is_refused(whose):
    some = {name: table for name, table in entrant(0.6).tables.items() if name != "wildrf"}
    if whose == "challenger":
        found = refusals(entrant(tables=some))
        assert found["present", "wildrf"].reason.startswith("5 was not judged on wildrf, which is required")
    else:
        found = refusals(entrant(0.6), entrant(tables=some, name="3"))
        assert "the champion 3 was not judged on wildrf" in found["same images", "wildrf"].reason
    assert found["mean", None].reason == "the mean difference is not known, for want of wildrf"


def test_a_benchmark_of_which_no_image_was_judged_is_missing():
    tables = dict(CHAMPION.tables)
    tables["wildrf"] = tables["wildrf"].assign(logit=float("nan"))
    assert ("present", "wildrf") in refusals(entrant(tables=tables), None)


def test_one_judged_on_other_data_is_refused():
    found = refusals(entrant(0.6, digests=dict.fromkeys(SETS, "same") | {"chameleon": "other"}))
    assert "were judged on different images of chameleon" in found["same images", "chameleon"].reason
    assert ("mean", None) in found


def test_one_that_gains_on_the_mean_and_loses_on_one_set_is_refused_for_that_set():
    tables = {name: shifted(table, -0.4 if name == "chameleon" else 1.0) for name, table in CHAMPION.tables.items()}
    found = refusals(entrant(tables=tables), rules=Rules(dict.fromkeys(SETS, 0.0), 1, 1, 500, 0))
    assert found.keys() == {("worst", "chameleon")}
    assert found["worst", "chameleon"].reason.endswith("worse by more than chance explains")


def test_a_loss_within_chance_on_one_set_is_allowed():
    tables = {name: shifted(table, -0.01 if name == "chameleon" else 1.0) for name, table in CHAMPION.tables.items()}
    verdict = decide(entrant(tables=tables), CHAMPION, RULES)
    assert verdict.passed
    (worst,) = [check for check in verdict.checks if check.check == "worst"]
    assert (worst.benchmark, worst.value <= 0) == ("chameleon", True)


def test_one_with_more_false_positives_than_allowed_is_refused():
    tables = {name: table.assign(logit=table["logit"] + 1.2) for name, table in CHAMPION.tables.items()}
    found = refusals(entrant(tables=tables), None, Rules(dict.fromkeys(SETS, 0.0), 0.3, 1, 500, 0))
    assert {key[0] for key in found} == {"false positives"}
    table = tables["genimage"]
    share = float((table["logit"][table["label"] == 0] > 0).mean())
    assert found["false positives", "genimage"].value == pytest.approx(share)
    assert f"share of real photos called fake {share:.3f} on genimage" in found["false positives", "genimage"].reason


def test_one_below_the_floor_of_a_single_benchmark_is_refused():
    found = refusals(entrant(0.6), rules=Rules({**dict.fromkeys(SETS, 0.6), "wildrf": 0.999}, 0.3, 0.3, 500, 0))
    assert found.keys() == {("floor", "wildrf")}
    assert found["floor", "wildrf"].limit == 0.999


def test_one_that_is_badly_calibrated_is_refused():
    strict = Rules(RULES.required, 1, 0.15, 500, 0)
    assert decide(entrant(), None, strict).passed
    found = refusals(entrant(temperature=0.05), None, strict)
    assert {key[0] for key in found} == {"calibration"}
    assert "calibration error 0.2" in found["calibration", "wildrf"].reason


@pytest.mark.parametrize(
    ("audits", "told"),
    [({"tiny": "the audit did not pass"}, "the audit did not pass"), ({}, "nothing says on which audited pairs")],
)
def test_one_without_a_passed_audit_is_refused(audits, told):
    assert told in refusals(entrant(0.6, audits=audits))["audit", None].reason


def test_fakes_alone_say_nothing_of_false_positives():
    fakes = {"evalgen": judged.table(150)}
    fakes["evalgen"] = fakes["evalgen"][fakes["evalgen"]["label"] == 1]
    found = refusals(entrant(tables=fakes), None, Rules({"evalgen": 0.0}, 1, 1, 500, 0))
    assert found.keys() == {("false positives", None)}


def test_images_that_only_the_challenger_cannot_answer_are_no_common_ground():
    tables = {name: shifted(table, 0.6) for name, table in CHAMPION.tables.items()}
    tables["wildrf"] = tables["wildrf"].assign(logit=tables["wildrf"]["logit"].where(tables["wildrf"].index > 2))
    assert "gives no answer for 3 images of wildrf" in refusals(entrant(tables=tables))["same images", "wildrf"].reason


def test_images_in_another_order_change_no_number():
    mixed = {name: table.sample(frac=1, random_state=7) for name, table in entrant(0.6).tables.items()}
    there, back = (decide(one, CHAMPION, RULES).checks for one in (entrant(tables=mixed), entrant(0.6)))
    assert [(one.check, one.benchmark, one.passed) for one in there] == [
        (one.check, one.benchmark, one.passed) for one in back
    ]
    values = [[np.nan if one.value is None else one.value for one in checks] for checks in (there, back)]
    np.testing.assert_allclose(*values, rtol=1e-12)


def test_a_check_says_what_was_found_and_what_is_asked():
    checks = decide(entrant(), None, RULES).checks
    (floor,) = [check for check in checks if (check.check, check.benchmark) == ("floor", "wildrf")]
    assert floor.reason == f"score {floor.value:.3f} on wildrf, at least 0.600 is asked"
