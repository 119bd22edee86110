"""Stages through Prefect on a small project: which run, beside whom, how often, and the same dvc.lock as by hand."""

import json
import sys
from pathlib import Path

import pytest
import yaml
from prefect import flow

from flows import slots, stages
from flows.commands import CommandError
from tests.flows.conftest import repro

pytestmark = pytest.mark.usefixtures("server", "quick")
SPAN = "import sys, time; a = time.time(); time.sleep(0.4); open(sys.argv[1], 'w').write(f'{a} {time.time()}')"
FAILS_FIRST = """
import os, sys
from pathlib import Path
tries = Path("tries.txt")
n = int(tries.read_text()) if tries.exists() else 0
tries.write_text(str(n + 1))
if n < int(sys.argv[1]):
    {how}
Path("out.txt").write_text("made")
"""


def copying(source, target, **more):
    return {"cmd": f"cp {source} {target}", "deps": [source], "outs": [target], **more}


def spanning(name, **meta):
    """A stage that writes when it began and when it ended."""
    return {"cmd": f"{sys.executable} span.py {name}.txt", "outs": [f"{name}.txt"], "meta": meta}


def failing(folder, how, times, retries):
    """A project's stage that fails so many times in this way."""
    (folder / "fails.py").write_text(FAILS_FIRST.format(how=how))
    return {"cmd": f"{sys.executable} fails.py {times}", "outs": ["out.txt"], "meta": {"retries": retries}}


def lock():
    """The entries of dvc.lock; their order is that in which stages ended for the first time."""
    return yaml.safe_load(Path("dvc.lock").read_text())


@flow
def brought(*targets):
    return stages.bring(targets)


def spans():
    return sorted(tuple(map(float, path.read_text().split())) for path in Path().glob("s*.txt"))


def test_only_what_changed_and_what_follows_runs_and_the_lock_is_that_of_a_repro_by_hand(project):
    same = {"cmd": "echo same > same.txt", "deps": ["in.txt"], "outs": ["same.txt"]}
    below = copying("same.txt", "below.txt")
    folder = project(
        one=copying("in.txt", "one.txt", meta={"retries": 1}), two=copying("one.txt", "two.txt"), same=same, below=below
    )
    (folder / "in.txt").write_text("1")
    assert brought() == ["below", "one", "same", "two"]
    (folder / "in.txt").write_text("2")
    assert brought() == ["one", "same", "two"]  # `same` made what it had made before: nothing below it is touched
    assert (folder / "two.txt").read_text() == "2"
    by_flow = lock()
    (folder / "dvc.lock").unlink()
    repro("--force")
    assert lock() == by_flow
    assert brought() == []


def test_two_stages_with_a_gpu_never_overlap_while_others_do(project):
    gpu = {f"s{n}": spanning(f"s{n}", gpu=True) for n in range(2)}
    folder = project(**gpu)
    (folder / "span.py").write_text(SPAN)
    brought()
    (_, first_ended), (second_began, _) = spans()
    assert first_ended <= second_began


def test_stages_of_one_level_run_side_by_side(project):
    folder = project(**{f"s{n}": spanning(f"s{n}") for n in range(2)})
    (folder / "span.py").write_text(SPAN.replace("0.4", "3"))
    brought()
    (_, first_ended), (second_began, _) = spans()
    assert second_began < first_ended


@pytest.mark.parametrize(
    ("how", "retries", "tries"),
    [
        ("os.kill(os.getpid(), 9)", 2, 2),  # ends well at the second try
        ("os.kill(os.getpid(), 9)", 0, 1),  # a stage that asks for no retries gets none
        ("sys.exit(2)", 2, 1),  # a SetupError
        ("sys.exit(1)", 2, 1),  # an AuditError
        ("print('torch.OutOfMemoryError: CUDA out of memory'); sys.exit(1)", 2, 2),
    ],
)
def test_only_a_crash_is_tried_again(project, how, retries, tries):
    folder = project()
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"it": failing(folder, how, 1, retries)}}))
    if tries == 2:
        assert brought() == ["it"]
    else:
        with pytest.raises(CommandError):
            brought()
    assert (folder / "tries.txt").read_text() == str(tries)


def test_a_failing_stage_lets_its_siblings_end_and_names_its_error(project):
    folder = project(
        bad={"cmd": "echo the reason; exit 2", "outs": ["bad.txt"]},
        good={"cmd": "sleep 1; echo 1 > good.txt", "outs": ["good.txt"]},
    )
    with pytest.raises(CommandError, match=r"bad failed: exit status 2(?s:.*)the reason"):
        brought()
    assert (folder / "good.txt").read_text() == "1\n"
    assert "good" in (folder / "dvc.lock").read_text()


def test_a_slot_that_exists_keeps_its_limit():
    from prefect import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

    slots.ensure()
    with get_client(sync_client=True) as client:
        client.update_global_concurrency_limit(slots.GPU, GlobalConcurrencyLimitUpdate(limit=3))
        slots.ensure()
        assert client.read_global_concurrency_limit_by_name(slots.GPU).limit == 3
        client.update_global_concurrency_limit(slots.GPU, GlobalConcurrencyLimitUpdate(limit=1))
