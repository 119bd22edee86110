"""kill -9 of the flow: its stage dies with it, the next run gets the GPU slot.    python bench/faults/kill_flow.py"""

import sys

import drill


def main() -> None:
    """The drill."""
    with drill.project(), drill.server():
        with drill.process(sys.executable, "first.py") as flow:
            drill.until("three parts are made", lambda: drill.parts() >= 3)
            drill.kill(flow.pid)
            drill.say("killed the flow")
            drill.until("its stage is dead too", lambda: drill.stage_process() is None, within_s=5)
        made = drill.parts()
        with drill.process(sys.executable, "first.py") as flow:
            drill.expect(drill.parts() == made, "somebody still wrote")
            drill.expect(flow.wait(timeout=300) == 0, "the next run did not end well")
        drill.check(may_be_missing=1)
    drill.conclude()


if __name__ == "__main__":
    main()
