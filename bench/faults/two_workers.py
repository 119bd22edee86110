"""Two workers on one pool: its limit of one lets a single run in at a time.    python bench/faults/two_workers.py"""

from itertools import pairwise

import drill
from kill_worker import WORKER


def main() -> None:
    """The drill."""
    with drill.project(), drill.server():
        drill.deploy()
        with (
            drill.process(*WORKER, "--name", "a", log="a.log"),
            drill.process(*WORKER, "--name", "b", log="b.log"),
        ):
            asked = [drill.start(name) for name in ("first/one", "second/one", "first/one")]
            drill.until("all have ended", lambda: all(drill.state(one) in ENDS for one in asked), within_s=300)
        done = sorted((run for run in drill.runs() if run.state.name == "Completed"), key=lambda run: run.start_time)
        spans = [(run.start_time, run.end_time) for run in done]
        drill.expect(len(done) >= 2, f"only {len(done)} runs completed")
        drill.expect(all(one[1] <= other[0] for one, other in pairwise(spans)), f"runs overlap: {spans}")
        drill.say(f"{len(done)} runs completed, one after the other; {len(asked) - len(done)} cancelled")
        drill.check()
    drill.conclude()


ENDS = ("Completed", "Cancelled", "Failed", "Crashed")

if __name__ == "__main__":
    main()
