"""What DVC's graph says: which stages there are, who needs whom, how each runs, and which are out of date."""

import json
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import networkx as nx

from dda.core.errors import SetupError, did_you_mean
from flows.commands import DVC

STATUS_LIMIT_S = 6 * 3600.0  # hashes whatever changed: hours for terabytes


@dataclass(frozen=True)
class How:
    """How a stage runs, from `meta:` of its entry in dvc.yaml: DVC keeps it out of dvc.lock and of `dvc status`."""

    gpu: bool = False
    hours: float = 24
    retries: int = 0


@dataclass(frozen=True)
class Step:
    """A stage, or a file such as data.dvc that versions what we were given; `needs` are addresses of steps."""

    address: str
    how: How
    needs: frozenset[str]
    given: bool


def how(stage: str, meta: Mapping[str, Any] | None) -> How:
    """What `meta:` says. Raises SetupError for a word that nobody would obey, such as `gpus`."""
    known = {field.name for field in fields(How)}
    for word in meta or {}:
        if word not in known:
            raise SetupError(f"dvc.yaml, meta of {stage}: no word {word!r}. {did_you_mean(word, known)}")
    return How(**(meta or {}))


def steps(targets: Sequence[str] = ()) -> list[list[Step]]:
    """What targets (stages with or without `@item`; none: all) need, and themselves, in groups from first to last.

    Members of one group do not need each other. Raises SetupError for a target that dvc.yaml does not have.
    """
    from dvc.repo import Repo

    with Repo(".") as repo:
        graph = repo.index.graph.reverse()  # DVC's edges point to what a stage needs; these point downstream
    names = {stage: (stage.addressing, stage.addressing.partition("@")[0]) for stage in graph}
    for target in targets:
        if not any(target in pair for pair in names.values()):
            known = {name for _, name in names.values()}
            raise SetupError(f"dvc.yaml has no stage {target!r}. {did_you_mean(target, known)}")
    wanted = {stage for stage in graph if not targets or set(names[stage]) & set(targets)}
    needed = graph.subgraph(wanted.union(*(nx.ancestors(graph, stage) for stage in wanted)))
    groups = [[step(stage, needed) for stage in level] for level in nx.topological_generations(needed)]
    return [sorted(group, key=lambda one: one.address) for group in groups]


def step(stage: Any, graph: Any) -> Step:
    """DVC's stage as one of ours."""
    needs = frozenset(other.addressing for other in graph.predecessors(stage))
    name = stage.addressing.partition("@")[0]
    return Step(stage.addressing, how(name, getattr(stage, "meta", None)), needs, bool(stage.is_data_source))


def levels(targets: Sequence[str] = ()) -> list[list[str]]:
    """Addresses of the stages that targets need, in groups from first to last; without what we were given."""
    groups = [[one.address for one in group if not one.given] for group in steps(targets)]
    return [group for group in groups if group]


def out_of_date() -> dict[str, Any]:
    """What `dvc status` finds changed, by address; empty when all is up to date.

    A stage below a changed one shows only after that one ran.
    """
    done = subprocess.run(
        [*DVC, "status", "--json"], capture_output=True, text=True, check=False, timeout=STATUS_LIMIT_S
    )
    if done.returncode:
        raise SetupError(f"DVC cannot say what is out of date: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def due(targets: Sequence[str], stale: Collection[str]) -> list[str]:
    """Of what targets need, the addresses that are stale or follow from something stale."""
    found: set[str] = set()
    for step in (one for group in steps(targets) for one in group):
        if step.address in stale or step.needs & found:
            found.add(step.address)
    return sorted(found)


def missing(stale: Mapping[str, Any]) -> list[str]:
    """Of what is stale, the addresses of which an output is not there: in a new clone, all."""
    changes = [(address, one) for address, told in stale.items() for one in told if isinstance(one, dict)]
    outs = [(address, Path(out)) for address, one in changes for out in one.get("changed outs", {})]
    return sorted({address for address, out in outs if not out.exists()})
