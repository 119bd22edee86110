"""Steps outside DVC, each a task: what travels to and from DVC's remote, publishing, the registry, the gate."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.events import emit_event

from dda.core.errors import SetupError
from dda.io import releases, remote, s3, versioning
from dda.params.sections import Paths
from flows import commands, graph, receipts
from flows.commands import DDA, DVC, CommandError

WAITS_S = [10.0, 30.0, 90.0]
TRANSFER_LIMIT_S = 24 * 3600.0
REGISTRY_LIMIT_S = 6 * 3600.0  # the gate may judge two detectors anew
Step = TypeVar("Step")


def transfer_may_help(_task: Any, _run: Any, state: State) -> bool:
    """DVC's exit status does not say why a transfer failed, and what arrived is kept: try again."""
    return isinstance(state.result(raise_on_failure=False), CommandError)


def service_may_help(_task: Any, _run: Any, state: State) -> bool:
    """Whether a service was away; a wrong setup or a set that may not be published stays so."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, CommandError):
        return error.away
    return isinstance(error, SetupError) and bool(commands.AWAY.search(str(error)))


RETRIED: Mapping[str, Any] = {"retries": len(WAITS_S), "retry_delay_seconds": WAITS_S}
TASK: Mapping[str, Any] = {"cache_policy": NO_CACHE, "result_serializer": "json"}


@task(**TASK, **RETRIED, retry_condition_fn=transfer_may_help)
def fetch() -> list[str]:
    """Get what this checkout lacks from DVC's remote, as far as it is there; the addresses that lacked something.

    In a checkout of a worker (DDA_BRANCH is set) what we were given follows git: else DVC would take the older photos
    that lie here for a change, and undo what a person committed to `data.dvc`.
    """
    stale = graph.out_of_date()
    given = {one.address for group in graph.steps() for one in group if one.given} & set(stale)
    lacking = sorted({*graph.missing(stale), *(given if os.environ.get("DDA_BRANCH") else ())})
    name = remote.use()
    if lacking and name:
        command = [*DVC, "pull", "--remote", name, "--allow-missing", "--force", *lacking]
        commands.run("dvc pull", command, TRANSFER_LIMIT_S)
    elif lacking:
        get_run_logger().info("DDA_REMOTE is not set: what lacks here is made, not fetched (%s)", ", ".join(lacking))
    return lacking


@task(**TASK, **RETRIED, retry_condition_fn=transfer_may_help)
def push() -> bool:
    """Put what was made into DVC's remote; False where none is set."""
    name = remote.use()
    if name is None:
        get_run_logger().warning("DDA_REMOTE is not set: nothing is pushed, what was made lies in this checkout only")
        return False
    commands.run("dvc push", [*DVC, "push", "--remote", name], TRANSFER_LIMIT_S)
    return True


def publishing_key(vae: str, paths: Paths) -> str:
    """What a published version follows from."""
    digest = versioning.recorded_digest(paths.aligned / vae)
    return receipts.key([paths.audits / f"{vae}.json"], digest, os.environ.get("DDA_PUBLISH"))


def is_published(vae: str, paths: Paths) -> bool:
    """Whether nothing is left to publish."""
    return not os.environ.get("DDA_PUBLISH") or receipts.holds(f"publish-{vae}", publishing_key(vae, paths))


@task(**TASK, **RETRIED, retry_condition_fn=service_may_help, task_run_name="publish {vae}")
def publish(vae: str, paths: Paths) -> str | None:
    """Publish an audited set, and emit `dataset.published` for its version; that, None without DDA_PUBLISH.

    The event is told at least once: a run that died in between is followed by one that tells it. `training` finds
    nothing to do where it is told again.
    """
    address = os.environ.get("DDA_PUBLISH")
    if not address:
        get_run_logger().info("DDA_PUBLISH is not set: %s is not published", vae)
        return None
    key = publishing_key(vae, paths)
    commands.run(f"dda publish {vae}", [*DDA, "publish", vae, address], TRANSFER_LIMIT_S)
    version = latest(address, vae)
    told = receipts.key([], address, version)
    if not receipts.holds(f"told-{vae}", told):
        labels = {
            "prefect.resource.id": f"dda.dataset.{vae}",
            "prefect.resource.name": vae,
            "dda.version": version or "",
        }
        emit_event("dataset.published", resource=labels)
        receipts.write(f"told-{vae}", told)
    receipts.write(f"publish-{vae}", key)
    return version


def latest(address: str, vae: str) -> str | None:
    """The version that the store calls the latest one."""
    root = s3.place(address).below(vae)
    with s3.told(root):
        found, _ = releases.latest(s3.client(), root)
    return found.version if found else None


def registry_key() -> str:
    """What a version and its verdict follow from: all that was made, all that was asked, and where the registry is."""
    return receipts.key([Path("dvc.lock"), Path("params.yaml")], os.environ.get("MLFLOW_TRACKING_URI"))


def is_registered() -> bool:
    """Whether the registry has this detector with these numbers."""
    return receipts.holds("register", registry_key())


def is_judged() -> bool:
    """Whether the gate has said its word on what is here."""
    return receipts.holds("release", registry_key())


@task(**TASK, **RETRIED, retry_condition_fn=service_may_help)
def register() -> None:
    """Make the detector a version of the registered model, or complete its version."""
    key = registry_key()
    commands.run("dda register", [*DDA, "register"], REGISTRY_LIMIT_S)
    receipts.write("register", key)


@task(**TASK, **RETRIED, retry_condition_fn=service_may_help)
def promote(version: str) -> dict[str, Any]:
    """The gate's answer on a version, as `dda promote --json` gives it."""
    key = registry_key()
    # exit status 1: refused, or rolled back; the answer says which
    said = commands.answer("dda promote", [*DDA, "promote", version, "--json"], REGISTRY_LIMIT_S, allowed=(0, 1))
    try:
        told: dict[str, Any] = json.loads(said)
    except json.JSONDecodeError as error:
        raise CommandError("dda promote", 1, [*said.splitlines(), f"no JSON document: {error}"]) from error
    if told["outcome"] != "rolled back":
        receipts.write("release", key)
    return told
