"""Bring DVC stages up to date from a Prefect flow. The order comes from DVC's own graph: it is written nowhere else."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.tasks import Task

from flows import commands, graph, shown, slots
from flows.graph import How, Step

BACK_OFF_S = 30.0
UNCHANGED, RESTORED, RAN = "unchanged", "restored", "ran"


def may_help(_task: Any, _run: Any, state: State) -> bool:
    """Whether a second try of a stage can end otherwise: after a crash, never where the setup or the data are wrong."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, commands.CommandError) and error.crashed


@task(task_run_name="{stage}", cache_policy=NO_CACHE, result_serializer="json", retry_condition_fn=may_help)
def bring_up_to_date(stage: str, how: How) -> str:
    """Run one stage if it has changed; whether it ran, was restored from DVC's cache, or had not changed.

    Raises CommandError where it fails.
    """
    progress = shown.Progress()
    outcome = Outcome(stage)

    def seen(line: str) -> None:
        progress.update(line)
        outcome.update(line)

    with slots.gpu() if how.gpu else nullcontext():
        commands.run(stage, [*commands.DVC, "repro", "--single-item", stage], how.hours * 3600, seen)
    return outcome.word


class Outcome:
    """What DVC did, from its own lines."""

    def __init__(self, stage: str) -> None:
        self.word = RAN
        self._words = {
            f"Stage '{stage}' didn't change, skipping": UNCHANGED,
            f"'{stage}' didn't change, skipping": UNCHANGED,
        }
        self._words[f"Stage '{stage}' is cached - skipping run, checking out outputs"] = RESTORED

    def update(self, line: str) -> None:
        """Another line."""
        self.word = self._words.get(line, self.word)


def with_retries(one: Step) -> "Task[[str, How], str]":
    """The task of a stage, which retries as often as its `meta:` says, waiting twice as long each time."""
    waits = [BACK_OFF_S * 2**n for n in range(one.how.retries)]
    return bring_up_to_date.with_options(retries=one.how.retries, retry_delay_seconds=waits)


def bring(targets: Sequence[str]) -> list[str]:
    """Bring stages and what they need up to date, level by level; the addresses of those that DVC ran or restored.

    What is up to date costs one `dvc status` for all. Stages of one level run side by side; where one fails, the others
    end in peace, what they made is kept, and then the first error is raised.
    """
    stale = graph.out_of_date()
    touched: set[str] = set()
    for group in graph.steps(targets):
        outcomes = _run_level([one for one in group if one.address in stale or one.needs & touched])
        touched |= {address for address, outcome in outcomes.items() if outcome != UNCHANGED}
    if touched:
        _check(targets)
    get_run_logger().info("%s: %s", ", ".join(targets) or "all", f"{len(touched)} made" if touched else "up to date")
    return sorted(touched)


def _run_level(group: Sequence[Step]) -> dict[str, str]:
    """Outcomes by address."""
    if any(one.how.gpu for one in group):
        slots.ensure()
    try:
        runs = {one.address: with_retries(one).submit(one.address, one.how) for one in group}
        for run in runs.values():
            run.wait()
    except BaseException:  # the flow is cancelled: its threads would wait for what they run
        commands.kill_all()
        raise
    return {address: run.result() for address, run in runs.items()}


def _check(targets: Sequence[str]) -> None:
    """Raise RuntimeError where something that targets need is still out of date."""
    needed = {one.address for group in graph.steps(targets) for one in group}
    left = sorted(needed & set(graph.out_of_date()))
    if left:
        raise RuntimeError(f"still out of date after the run: {', '.join(left)}; did somebody change them meanwhile?")
