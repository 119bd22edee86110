"""Pool, GPU slot, deployments and the watch over crashed runs, on Prefect's server.    python -m flows.deploy

May be done again: what exists keeps the limits that somebody chose, deployments become those of prefect.yaml.
"""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessWorker

from dda.core.errors import SetupError
from flows import slots

POOL = "gpu"
ZOMBIES = "runs that went silent have crashed"
SILENCE_S = 180.0  # six heartbeats of `make worker`: a server's restart takes less
ENDS = ("Completed", "Failed", "Cancelled", "Crashed")


def pool(name: str = POOL) -> None:
    """Make the pool: processes, one run at a time. One that exists without a limit gets it."""
    with get_client(sync_client=True) as client:
        try:
            found = client.read_work_pool(name)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            wanted = WorkPoolCreate(name=name, type="process", base_job_template=template, concurrency_limit=1)
            client.create_work_pool(wanted)
            return
        if found.concurrency_limit is None:
            client.update_work_pool(name, WorkPoolUpdate(concurrency_limit=1))


def watch(silence_s: float = SILENCE_S) -> None:
    """Make the automation that marks a run as crashed when its heartbeats end without its end."""
    wanted = zombies(silence_s)
    with get_client(sync_client=True) as client:
        known = client.read_automations_by_name(ZOMBIES)
        for other in known[1:]:
            client.delete_automation(other.id)
        if known:
            client.update_automation(known[0].id, wanted)
        else:
            client.create_automation(wanted)


def zombies(silence_s: float) -> AutomationCore:
    """The automation: after a heartbeat, neither another one nor an end within so many seconds."""
    beat = "prefect.flow-run.heartbeat"
    return AutomationCore(
        name=ZOMBIES,
        description="A process that was killed with -9, or whose machine is gone, cannot say so itself.",
        trigger=EventTrigger(
            after={beat},
            expect={beat, *(f"prefect.flow-run.{end}" for end in ENDS)},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=silence_s),
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed", state=StateType.CRASHED, message=f"silent for {silence_s:.0f} s", force=False
            )
        ],
    )


def deploy() -> None:
    """Make the deployments of prefect.yaml. Raises SetupError in Prefect's words."""
    if not Path("prefect.yaml").is_file():
        raise SetupError("no prefect.yaml here: run this in the project's folder")
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    # else the placeholder in the pull steps would be filled now, with the folder of this machine
    environment = {name: value for name, value in os.environ.items() if name != "DDA_CHECKOUT"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SetupError(f"prefect deploy failed:\n{done.stdout.strip()}\n{done.stderr.strip()}")


def main() -> int:
    """All of it; exit status 2 where the setup is wrong."""
    try:
        address = get_current_settings().api.url
        if not address:
            raise SetupError("PREFECT_API_URL is not set: a schedule needs a server; `make services` starts one")
        pool()
        slots.ensure()
        deploy()
        watch()
    except SetupError as error:
        print(f"flows.deploy: {error}", file=sys.stderr)
        return error.exit_status
    print(f"deployed to {address}; start a worker in a clone of its own: make worker")
    return 0


if __name__ == "__main__":
    sys.exit(main())
