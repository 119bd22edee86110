"""S3 dies during `dvc push` and comes back: the push is tried again.    python bench/faults/store_away.py"""

import os
import subprocess
import sys
from pathlib import Path

import drill

sys.path.insert(0, str(drill.ROOT))
from tests import stores


def main() -> None:
    """The drill."""
    with drill.project(seconds=0.1) as folder, drill.server():
        store = stores.Rclone(folder / "store")
        port = int(store.address.rpartition(":")[2])
        with stores.gate(store.address) as gate:
            gate.before = dies_at_the_third_object(store)
            os.environ |= stores.environment(gate.address) | {"DDA_REMOTE": f"s3://{stores.BUCKET}/dvc"}
            with drill.process(sys.executable, "first.py") as flow:
                drill.until("the store died during the push", lambda: store.process.poll() is not None)
                drill.until("the push failed", lambda: "dvc push failed" in Path("run.log").read_text(), within_s=240)
                gate.before = None
                store = stores.Rclone(folder / "store", port=port)
                drill.say("the store is back")
                drill.expect(flow.wait(timeout=300) == 0, "the flow did not end well")
            drill.check()
            in_cloud(folder)
            store.die()
    drill.conclude()


def dies_at_the_third_object(store: stores.Rclone) -> object:
    """What a gate does before each request."""
    sent = []

    def before(request: str) -> None:
        sent.append(request)
        if sum(one.startswith("PUT") for one in sent) == 3:
            store.die()

    return before


def in_cloud(folder: Path) -> None:
    """End the drill unless the store has everything, and a new checkout gets it from there."""
    subprocess.run([*drill.DVC, "status", "--cloud", "--remote", "dda"], check=True)
    (folder / "cache").mkdir()
    os.rename(folder / ".dvc/cache", folder / "cache/old")  # noqa: PTH104
    before = (folder / "whole.bin").read_bytes()
    (folder / "whole.bin").unlink()
    subprocess.run([*drill.DVC, "pull", "-q", "--remote", "dda"], check=True)
    drill.expect((folder / "whole.bin").read_bytes() == before, "what came back differs")


if __name__ == "__main__":
    main()
