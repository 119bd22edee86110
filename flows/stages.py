"""Bring DVC stages up to date from a Prefect flow. The order comes from DVC's own graph: it is written nowhere else."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import networkx as nx
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

DVC = (sys.executable, "-m", "dvc")


def levels(targets: Sequence[str] = ()) -> list[list[str]]:
    """Addresses of the stages that targets (with or without `@item`; none: all) need, in groups from first to last.

    Members of one group do not need each other. Raises ValueError for a target that dvc.yaml does not have.
    """
    from dvc.repo import Repo

    with Repo(".") as repo:
        graph = repo.index.graph.reverse()  # DVC's edges point to what a stage needs; these point downstream
    names = {stage: (stage.addressing, stage.addressing.partition("@")[0]) for stage in graph}
    for target in targets:
        if not any(target in pair for pair in names.values()):
            raise ValueError(f"dvc.yaml has no stage {target!r}")
    wanted = {stage for stage in graph if not targets or set(names[stage]) & set(targets)}
    needed = wanted.union(*(nx.ancestors(graph, stage) for stage in wanted))
    generations = nx.topological_generations(graph.subgraph(needed))
    groups = [sorted(stage.addressing for stage in level if not stage.is_data_source) for level in generations]
    return [group for group in groups if group]


@task(task_run_name="{stage}", cache_policy=NO_CACHE)
def bring_up_to_date(stage: str) -> None:
    """Run one stage if it has changed, its output in the run's log. Raises RuntimeError where it fails.

    It runs in a session of its own and is killed as a group when this task ends, so that no writer is left behind.
    """
    log = get_run_logger()
    command = [*DVC, "--wait-for-lock", "repro", "--single-item", stage]
    both = subprocess.PIPE, subprocess.STDOUT
    process = subprocess.Popen(command, stdout=both[0], stderr=both[1], text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            log.info(line.rstrip())
        status = process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if status:
        raise RuntimeError(f"stage {stage} failed with exit status {status}; its log says why")


def out_of_date() -> dict[str, object]:
    """What `dvc status` still finds changed; empty when all is up to date."""
    done = subprocess.run([*DVC, "status", "--json"], capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found
