"""kill -9 of the worker, alone and with its run, as when a machine is gone.    python bench/faults/kill_worker.py

A run whose worker died goes on and ends by itself. One that died with its worker is marked as crashed by the automation
of `make deploy`, and the next run completes.
"""

import drill

WORKER = ("prefect", "worker", "start", "--pool", "gpu", "--type", "process")


def main() -> None:
    """The drill."""
    with drill.project(seconds=2), drill.server():
        drill.deploy(silence_s=60)
        with drill.process(*WORKER, log="worker.log", group=False) as worker:
            first = drill.start("first/one")
            drill.until("two parts are made", lambda: drill.parts() >= 2)
            drill.kill(worker.pid)
            drill.say("killed the worker alone")
        drill.until("its run completes", lambda: drill.state(first) == "Completed", within_s=180)
        drill.check()
        begin_anew()
        with drill.process(*WORKER, log="worker.log") as worker:
            second = drill.start("first/one")
            drill.until("two parts are made", lambda: drill.parts() >= 2)
            processes = descendants(worker.pid)
            for one in (worker.pid, *processes):
                drill.kill(one)
            drill.say("killed the worker and all below it")
        drill.expect(drill.state(second) == "Running", "a dead run cannot say that it is dead")
        drill.until("it is marked as crashed", lambda: drill.state(second) == "Crashed", within_s=240)
        with drill.process(*WORKER, log="worker.log"):
            third = drill.start("first/one")
            drill.until("the next run completes", lambda: drill.state(third) == "Completed", within_s=240)
        drill.check(may_be_missing=1)
    drill.conclude()


def begin_anew() -> None:
    """Let the stage make its parts once more."""
    from pathlib import Path

    for path in (*Path("parts").iterdir(), Path("journal.txt")):
        path.unlink()
    Path("input.txt").write_text("2")


def descendants(process_id: int) -> list[int]:
    """All processes below one."""
    import psutil

    return [child.pid for child in psutil.Process(process_id).children(recursive=True)]


if __name__ == "__main__":
    main()
