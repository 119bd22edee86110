"""No worker while a schedule passes several times, or the clock jumps.    python bench/faults/missed_schedule.py

One late run is done, and cancels the others: their work is the same. Without this the worker would do them one by one.
"""

import time

import drill
from kill_worker import WORKER

PERIOD_S = 15


def main() -> None:
    """The drill."""
    with drill.project(schedule=f"schedules: [{{interval: {PERIOD_S}, slug: often, active: true}}]"), drill.server():
        drill.deploy()
        drill.until("four scheduled times have passed", lambda: len(drill_late()) >= 4, within_s=240)
        pause()
        missed = {run.id for run in drill_late()}
        with drill.process(*WORKER, log="worker.log"):
            drill.until("no run is waiting any more", lambda: not drill_late(), within_s=240)
            drill.until("and none is running", idle, within_s=240)
        ends = sorted(run.state.name for run in drill.runs() if run.id in missed)
        drill.say(f"of {len(missed)} missed runs: {', '.join(ends)}")
        drill.expect(ends.count("Completed") == 1, "not exactly one late run was done")
        drill.expect(set(ends) <= {"Completed", "Missed", "Cancelled"}, "a run ended otherwise")
        drill.check()
    drill.conclude()


def drill_late() -> list[object]:
    """Scheduled runs whose time has passed."""
    return [
        run
        for run in drill.runs()
        if run.state.type == "SCHEDULED" and run.expected_start_time.timestamp() < time.time()
    ]


def idle() -> bool:
    """Whether no run is on its way."""
    return not any(run.state.type in ("PENDING", "RUNNING") for run in drill.runs())


def pause() -> None:
    """Stop the schedule, so that only missed runs are left."""
    with drill.client() as server:
        deployment = server.read_deployment_by_name("first/one")
        for schedule in deployment.schedules:
            server.update_deployment_schedule(deployment.id, schedule.id, active=False)


if __name__ == "__main__":
    main()
