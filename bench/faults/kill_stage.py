"""kill -9 of the stage: the same run tries it again, and it goes on.    python bench/faults/kill_stage.py"""

import sys

import drill


def main() -> None:
    """The drill."""
    with drill.project(), drill.server(), drill.process(sys.executable, "first.py") as flow:
        drill.until("three parts are made", lambda: drill.parts() >= 3)
        drill.kill(drill.stage_process() or 0)
        drill.say("killed the stage")
        drill.expect(flow.wait(timeout=180) == 0, "the flow did not end well")
        drill.check(may_be_missing=1)
        drill.expect([run.state.name for run in drill.runs()] == ["Completed"], "the run is not completed")
    drill.conclude()


if __name__ == "__main__":
    main()
