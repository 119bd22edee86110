"""The five flows on a small project; `dda` is a stand-in that writes down what it is asked."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from prefect import get_client

from flows import graph, shown
from flows.commands import CommandError
from flows.dataset import dataset
from flows.evaluation import evaluation
from flows.nightly import NOTHING, nightly
from flows.release import release
from flows.training import training
from tests.flows.test_services import PROMOTED

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("server")
STAMP = {"name": "tiny", "passed": True, "pairs": 20, "probes": [{"probe": "spectrum", "auroc": {"value": 0.5123}}]}
RUN = {"run_id": "0123456789abcdef", "tracking_uri": "http://127.0.0.1:5000"}


def making(out, deps, cmd, cache):
    """A stage with one output."""
    return {"cmd": f"mkdir -p {Path(out).parent} && {cmd}", "deps": deps, "outs": [{out: {"cache": cache}}]}


@pytest.fixture
def line(project, stand_in):
    """audit -> train -> report, each one file; `asked()` is what `dda` was asked since the last time."""
    stamp, detector, table = "reports/audit/tiny.json", "artifacts/detectors/embedded", "reports/results.md"
    folder = project(
        audit=making(stamp, ["stamp.json", "verdict"], f"cp stamp.json {stamp} && sh verdict", cache=False),
        train=making(detector, ["run.json", stamp], f"mkdir {detector} && cp run.json {detector}/", cache=True),
        report=making(table, ["table.md", detector], f"cp table.md {table}", cache=False),
    )
    shutil.copy(ROOT / "params.yaml", folder)
    files = {
        "stamp.json": json.dumps(STAMP),
        "run.json": json.dumps(RUN),
        "table.md": "| a |\n| - |\n",
        "verdict": "true",
    }
    for name, text in (files | {"answer.json": json.dumps(PROMOTED)}).items():
        (folder / name).write_text(text)
    stand_in(
        """
        with open("asked.txt", "a") as file:
            print(words[0], file=file)
        if words[0] == "promote":
            told = json.loads(Path("answer.json").read_text())
            print(json.dumps(told))
            sys.exit(told["outcome"] not in ("promoted", "unchanged"))
        """
    )

    def asked():
        path = folder / "asked.txt"
        said = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return said

    return asked


def last_run(name):
    """The newest run of a flow, as the server has it."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        of = FlowFilter(name=FlowFilterName(any_=[name]))
        return client.read_flow_runs(flow_filter=of, limit=1, sort=FlowRunSort.START_TIME_DESC)[0]


def artifacts(run):
    """Artifacts of a run: key -> data."""
    asked = {"artifacts": {"flow_run_id": {"any_": [str(run.id)]}}, "limit": 50}
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/artifacts/filter", json=asked).json()
    return {one["key"]: one["data"] for one in found}


def test_a_night_does_all_once_and_the_next_nothing_and_a_change_what_follows_from_it(line):
    done = nightly()
    assert done["dataset"]["made"] == ["audit"]
    assert done["training"]["made"] == ["train"]
    assert done["evaluation"]["made"] == ["report"]
    assert done["release"]["outcome"] == "promoted"
    assert line() == ["register", "register", "promote"]
    Path("artifacts/flows/register.json").unlink()  # as if the registry had been away
    assert nightly()["evaluation"]["made"] == []
    assert line() == ["register"]
    again = nightly()
    assert {again[name] for name in ("dataset", "training", "evaluation", "release")} == {NOTHING}
    assert line() == []
    Path("table.md").write_text("| b |\n| - |\n")
    changed = nightly()
    assert (changed["dataset"], changed["training"]) == (NOTHING, NOTHING)
    assert changed["evaluation"]["made"] == ["report"]
    assert line() == ["register", "promote"]


def test_each_part_shows_what_it_made(line):
    dataset()
    assert json.loads(artifacts(last_run("dataset"))["audits"]) == [
        {"set": "tiny", "passed": True, "pairs": 20, "spectrum": 0.512}
    ]
    training()
    assert f"{RUN['tracking_uri']}/#/runs/{RUN['run_id']}" in artifacts(last_run("training"))["mlflow-embedded"]
    evaluation()
    assert artifacts(last_run("evaluation"))["results"] == "| a |\n| - |\n"


def test_a_wrong_audit_ends_the_run_and_is_shown(line):
    Path("stamp.json").write_text(json.dumps(STAMP | {"passed": False}))
    Path("verdict").write_text("echo the probe found more than chance; exit 1")
    with pytest.raises(CommandError, match="more than chance"):
        nightly()
    assert line() == []
    run = last_run("dataset")
    assert run.state.name == "Failed"
    assert json.loads(artifacts(run)["audits"])[0]["passed"] is False
    assert last_run("nightly").state.name == "Failed"


def test_a_refusal_is_a_run_that_did_its_work_and_shows_why(line):
    check = {
        "check": "floor",
        "benchmark": "x",
        "passed": False,
        "value": 0.4,
        "limit": 0.5,
        "reason": "below its floor",
    }
    told = PROMOTED | {"outcome": "refused", "reasons": ["x is below its floor"], "checks": [check]}
    Path("answer.json").write_text(json.dumps(told))
    assert release()["outcome"] == "refused"
    run = last_run("release")
    assert (run.state.type.value, run.state.name) == ("COMPLETED", "Refused")
    assert "x is below its floor" in run.state.message
    found = artifacts(run)
    assert json.loads(found["gate"])[0]["value"] == 0.4
    assert "- x is below its floor" in found["release"]


def test_a_version_that_was_rolled_back_is_a_run_that_failed(line):
    Path("answer.json").write_text(json.dumps(PROMOTED | {"outcome": "rolled back", "reasons": ["smoke test: 0.3"]}))
    with pytest.raises(Exception, match=r"rolled back(?s:.*)smoke test"):
        release()
    assert last_run("release").state.name == "RolledBack"


def test_two_flows_never_work_in_one_checkout(project):
    """The lock is the process's, and the system frees it with the process."""
    import fcntl
    import threading

    from prefect import flow

    from flows import alone

    project()
    Path("artifacts/flows").mkdir(parents=True)
    entered = threading.Event()

    @flow
    def one():
        with alone.alone("one"), alone.alone("within"):
            entered.set()

    with Path("artifacts/flows/lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        threading.Timer(1.5, lambda: fcntl.flock(file, fcntl.LOCK_UN) if not entered.is_set() else None).start()
        one()
    assert entered.is_set()


@pytest.mark.parametrize(
    ("line", "name", "share"),
    [
        ("reconstruct tiny: 2 of 20 photos, 12.4 a second, 1 s left", "reconstruct tiny", 10.0),
        ("digests: 5 of 10, 1.0 a second, 5 s left", "digests", 50.0),
    ],
)
def test_the_lines_of_a_stage_are_a_bar(line, name, share):
    found = shown.LINE.fullmatch(line)
    assert found["name"] == name
    assert 100 * int(found["done"]) / int(found["total"]) == share


def test_other_lines_are_no_bar():
    assert not shown.LINE.fullmatch("tiny: 20 photos = 20 reconstructed (mean 30.74 dB) + 0 failed")


def test_the_bar_is_that_of_the_real_log(capsys, monkeypatch):
    from dda.io import progress

    monkeypatch.setattr(progress, "LOG_INTERVAL_S", 0.0)
    list(progress.tracked(range(3), "reconstruct tiny"))
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(shown.LINE.fullmatch(one) for one in lines)


def test_deployments_are_of_flows_that_exist_and_only_one_has_an_active_schedule():
    told = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    flows = {"dataset": dataset, "training": training, "evaluation": evaluation, "release": release, "nightly": nightly}
    assert {one["name"]: one["entrypoint"] for one in told} == {name: f"flows/{name}.py:{name}" for name in flows}
    for one in told:
        assert set(one["parameters"]) == set(flows[one["name"]].parameters.properties)
        assert one["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        assert all(schedule["timezone"] == "UTC" for schedule in one["schedules"])
    assert [one["name"] for one in told for schedule in one["schedules"] if schedule["active"]] == ["nightly"]


def modules():
    """The flows that bring stages up to date, with their modules."""
    return [(one, sys.modules[one.fn.__module__]) for one in (dataset, training, evaluation)]


def test_every_target_of_a_flow_is_a_stage_of_ours():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert {module.TARGET for _, module in modules()} <= set(stages)
    assert graph.how("report", stages["report"]["meta"]).hours == 6
