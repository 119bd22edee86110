"""What was decided about versions, in an order that nobody rewrites: one MLflow run for each decision."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dda.io import mlflow_store, tracking
from dda.io.mlflow_store import told
from dda.io.registry import Registry, everything

EXPERIMENT = "dda-promotions"
MODEL, ACTION, OUTCOME, FACT = "dda.model", "dda.action", "dda.outcome", "dda.fact."
VERDICT = "verdict.json"


@dataclass(frozen=True)
class Event:
    """Something that was done or refused; `outcome` is None where it was begun and never finished."""

    id: str
    action: str
    outcome: str | None
    facts: Mapping[str, str]
    moment_s: float


def begin(registry: Registry, action: str, facts: Mapping[str, str]) -> str:
    """Note that something is being done; the event's id."""
    with told(f"note {action}"):
        experiment = mlflow_store.experiment(registry.client, EXPERIMENT)
        tags = {MODEL: registry.model, ACTION: action, **{f"{FACT}{name}": value for name, value in facts.items()}}
        return str(registry.client.create_run(experiment, tags=tags, run_name=_name(tags)).info.run_id)


def finish(registry: Registry, event: str, outcome: str, document: Mapping[str, Any]) -> None:
    """Note how it ended, with all that was weighed as `verdict.json`. Again with the same, it changes nothing."""
    with told(f"note {outcome}"):
        registry.client.log_text(event, json.dumps(document, indent=2, ensure_ascii=False) + "\n", VERDICT)
        registry.client.set_tag(event, OUTCOME, outcome)
        tags = registry.client.get_run(event).data.tags
        registry.client.update_run(event, name=f"{_name(tags)}: {outcome}")  # MLflow's page lists names
        registry.client.set_terminated(event, "FINISHED", end_time=int(time.time() * 1000))


def events(registry: Registry) -> list[Event]:
    """All that was done about the registry's model, the oldest first."""
    if not tracking.has_runs():
        return []
    with told("read events"):
        known = registry.client.get_experiment_by_name(EXPERIMENT)
        if known is None:
            return []
        query = f"tags.`{MODEL}` = '{registry.model}'"
        order = {"order_by": ["attributes.start_time ASC", "attributes.run_id ASC"]}
        ids = [known.experiment_id]
        found = everything(lambda text, **page: registry.client.search_runs(ids, text, **order, **page), query)
    return [_event(run) for run in found]


def _event(run: Any) -> Event:
    tags = run.data.tags
    facts = {name.removeprefix(FACT): value for name, value in tags.items() if name.startswith(FACT)}
    return Event(run.info.run_id, tags.get(ACTION, ""), tags.get(OUTCOME), facts, run.info.start_time / 1000)


def _name(tags: Mapping[str, str]) -> str:
    """What is done to which version, in words."""
    return " ".join(word for word in (tags[ACTION], tags.get(f"{FACT}version")) if word)
