"""A challenger becomes champion, or is refused with its reason; whatever happens, there is one clear state."""

import json
import shutil

import pytest

from dda.app import champions, promote, rollback
from dda.app.promote import Asked
from dda.core.errors import SetupError
from dda.io import promotions
from dda.io.registry import Registry
from dda.stages import evaluate
from tests import versions

BENCHMARK = "aligned-tiny"
LIMITS = {"required": {BENCHMARK: 0.5}, "max_false_positive_rate": 0.75, "max_calibration_error": 0.5}


@pytest.fixture(scope="module")
def store(finished, empty_store, tmp_path_factory):
    """A local store with versions of one detector: 1 good, 2 better, 3 worse, 4 better with wrong stored logits."""
    folder = tmp_path_factory.mktemp("registry") / "store"
    shutil.copytree(empty_store, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for place, (by, wrong) in enumerate(((0.0, False), (0.7, False), (-0.5, False), (1.5, True)), start=1):
            tables = {BENCHMARK: versions.answered(by)}
            detector = finished / "artifacts/detectors/embedded"
            made = versions.version(folder / f"v{place}", detector, tables, wrong_logits=wrong)
            assert made.number == place
    return folder


@pytest.fixture
def registry(store, copied_line, monkeypatch):
    """That store as a copy of this test's own, and the parameters of a project to judge in."""
    shutil.copytree(store / "artifacts/mlflow", "artifacts/mlflow", dirs_exist_ok=True)
    # artifacts are found by the address that the store has recorded: where they were written
    return Registry.open(versions.MODEL)


@pytest.fixture
def params(copied_line):
    settings = copied_line.promote.model_copy(update=LIMITS)
    return copied_line.model_copy(update={"promote": settings})


@pytest.fixture
def ask(params, registry):
    """ask(version, dry=False): what `dda promote` comes to."""

    def asked(name, dry=False):
        return promote.promoted(params, registry, Asked(str(name), dry), evaluate.run)

    return asked


def state(registry):
    """The champion, and what the log says of every decision."""
    log = [(one.action, one.facts["version"], one.outcome) for one in promotions.events(registry)]
    return champions.serving(registry), log


def test_the_first_one_is_promoted_and_a_better_one_takes_its_place(ask, registry):
    assert (ask(1).reasons, ask(1).outcome) == ([], "unchanged")
    found = ask("2")
    assert (found.outcome, found.champion, found.reasons) == ("promoted", 1, [])
    assert state(registry) == ("2", [("promote", "1", "promoted"), ("promote", "2", "promoted")])
    assert registry.version("champion").tags["gate.outcome"] == "promoted"
    assert registry.load("champion", "cpu").predict is not None


def test_a_worse_one_is_refused_with_its_reasons_once_for_the_same_evidence(ask, registry):
    ask(1)
    found = ask(3)
    assert (found.outcome, champions.serving(registry)) == ("refused", "1")
    assert any("not better than chance explains" in reason for reason in found.reasons)
    assert ask(3) == found
    assert state(registry)[1] == [("promote", "1", "promoted"), ("promote", "3", "refused")]
    assert "not better" in registry.version("3").tags["gate.reasons"]


def test_one_that_does_not_answer_as_it_did_is_taken_back_at_once(ask, registry):
    ask(1)
    found = ask(4)
    assert (found.outcome, champions.serving(registry)) == ("rolled back", "1")
    assert "gives logits that are not its detector's" in found.reasons[0]
    assert state(registry)[1][-1] == ("promote", "4", "rolled back")


def test_a_first_one_that_does_not_answer_leaves_no_champion(ask, registry):
    assert ask(4).outcome == "rolled back"
    assert champions.serving(registry) == ""


def test_a_dry_run_says_the_same_and_changes_nothing(ask, registry):
    assert ask(1, dry=True).outcome == "promoted"
    assert state(registry) == ("", [])


def test_the_way_back_is_one_command_and_again_one(ask, registry, params, capsys):
    ask(1)
    ask(2)
    rollback.run(params, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"outcome": "rolled back", "version": 2, "champion": 1}
    assert champions.serving(registry) == "1"
    with pytest.raises(SetupError, match="version 1 is the first champion"):
        rollback.run(params, as_json=False)


def test_what_was_taken_back_comes_again_only_by_its_number(ask, registry, params):
    ask(1)
    ask(2)
    rollback.run(params, as_json=False)
    registry.move("challenger", registry.version("2"))
    refused = ask("challenger")
    assert (refused.outcome, champions.serving(registry)) == ("refused", "1")
    assert "was taken back" in refused.reasons[0]
    assert ask("2").outcome == "promoted"
    assert champions.predecessor(promotions.events(registry), "2") == "1"


@pytest.mark.parametrize(("moved", "version", "outcome"), [(False, 2, "interrupted"), (True, 2, "promoted")])
def test_a_promotion_that_was_killed_is_brought_to_an_end_by_the_next(ask, registry, moved, version, outcome):
    ask(1)
    promotions.begin(registry, "promote", {"version": str(version), "champion": "1", "evidence": "x"})
    if moved:
        registry.move("champion", registry.version(str(version)))
    ask(3)
    assert state(registry)[1][1:] == [("promote", "2", outcome), ("promote", "3", "refused")]
    assert champions.serving(registry) == ("2" if moved else "1")


def test_a_half_moved_alias_to_one_that_does_not_answer_goes_back(ask, registry):
    ask(1)
    promotions.begin(registry, "promote", {"version": "4", "champion": "1", "evidence": "x"})
    registry.move("champion", registry.version("4"))
    champions.settle(registry)
    assert state(registry) == ("1", [("promote", "1", "promoted"), ("promote", "4", "rolled back")])
    assert registry.version("4").tags["gate.outcome"] == "rolled back"


@pytest.mark.parametrize(("moved", "outcome"), [(False, "interrupted"), (True, "rolled back")])
def test_a_rollback_that_was_killed_is_brought_to_an_end(ask, registry, moved, outcome):
    ask(1)
    ask(2)
    promotions.begin(registry, "rollback", {"version": "2", "champion": "1"})
    if moved:
        registry.move("champion", registry.version("1"))
    champions.settle(registry)
    assert state(registry) == ("1" if moved else "2", [*state(registry)[1][:2], ("rollback", "2", outcome)])


def test_versions_judged_on_other_images_both_answer_again_on_those_that_are_here(ask, registry, params, tmp_path):
    """On the project's own pairs both are the same real detector, and neither is better."""
    detector = params.paths.detectors / "embedded"
    for place, n_pairs in ((5, 30), (6, 40)):
        made = versions.version(tmp_path / f"v{place}", detector, {BENCHMARK: versions.answered(0.9, n_pairs)})
        assert made.number == place
    assert ask(5).outcome == "promoted"
    found = ask(6)
    assert found.outcome == "refused"
    same = [check for check in found.checks if check.check == "same images"]
    assert [check.passed for check in same] == [True]
    for name in ("5", "6"):
        table = versions.read(registry, registry.version(name), BENCHMARK, tmp_path / name)
        rows = table[table["protocol"] == "native"].set_index("image_id")["logit"]
        assert (rows - evaluated(params)).abs().max() < 1e-4


def evaluated(params):
    """The detector's logits on the project's pairs, as the line itself has them."""
    from dda.io import predictions, tables

    table = tables.read(predictions.path_of(params.paths.predictions, "embedded", BENCHMARK))
    return table[table["protocol"] == "native"].set_index("image_id")["logit"]


def test_a_benchmark_that_is_not_here_cannot_be_judged_again_and_the_reason_says_so(ask, registry, params, tmp_path):
    ask(1)
    shutil.rmtree(params.paths.aligned)
    tables = {BENCHMARK: versions.answered(0.9, n_pairs=40)}
    made = versions.version(tmp_path / "v5", params.paths.detectors / "embedded", tables)
    found = ask(made.number)
    assert found.outcome == "refused"
    assert any("judged on different images" in reason for reason in found.reasons)
    assert any(reason.startswith("aligned-tiny could not be judged again") for reason in found.reasons)


def test_one_whose_audit_did_not_pass_is_refused(ask, registry, params, tmp_path):
    tables = {BENCHMARK: versions.answered(0.9)}
    made = versions.version(tmp_path / "v5", params.paths.detectors / "embedded", tables, audit_passed=False)
    assert "the audit did not pass" in ask(made.number).reasons[0]


def test_a_second_promotion_waits_and_is_told_who_is_at_work(params, registry):
    with (
        registry.locked("promote 1"),
        pytest.raises(SetupError, match=r"the registry is held by process .*promote 1"),
        registry.locked("promote 2", wait_s=0.2),
    ):
        raise AssertionError("both had the lock")


def test_the_verdict_is_one_json_document_and_the_status_says_who_serves(params, registry, capsys):
    assert promote.run(params, Asked("1"), evaluate.run, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["outcome"], document["version"], document["champion"]) == ("promoted", 1, None)
    assert {"check", "benchmark", "passed", "value", "limit", "reason"} == set(document["checks"][0])
    assert not promote.run(params, Asked("3"), evaluate.run, as_json=False)
    told = capsys.readouterr().out
    assert "dda-detector version 3 is refused; the champion stays" in told
    assert "not better than chance explains" in told
