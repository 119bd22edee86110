"""One flow at a time in one checkout: two would write the same outputs."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from prefect import get_run_logger

from flows.receipts import FOLDER

WAIT_S = 2.0
_inside = False


@contextmanager
def alone(doing: str) -> Iterator[None]:
    """Wait until no other process runs a flow in this checkout, keep others out; a flow in a flow may enter.

    The system frees the lock of a process that died. Prefect's limits know runs and no checkouts: a run by hand, or
    one that only seemed to have crashed, would work beside another.
    """
    global _inside  # noqa: PLW0603 (a process is inside or not, as the lock itself is the process's)
    if _inside:
        yield
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("a+", encoding="utf-8") as file:
        _wait(file)
        file.seek(0)
        file.truncate()
        print(f"{doing}, process {os.getpid()}", file=file, flush=True)
        _inside = True
        try:
            yield
        finally:
            _inside = False
            file.truncate(0)


def _wait(file: IO[str]) -> None:
    """Take the lock; says once who has it."""
    said = False
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if not said:
            file.seek(0)
            get_run_logger().warning(
                "this checkout is busy (%s): waiting for it", file.read().strip() or "another flow"
            )
            said = True
        time.sleep(WAIT_S)
