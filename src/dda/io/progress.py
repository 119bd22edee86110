"""Progress: a bar on a terminal, a line every ten seconds in a log."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
LOG_INTERVAL_S = 10.0


def tracked(items: Sequence[Item], name: str) -> Iterator[Item]:
    """The items, one by one, with their progress shown on standard error."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, description=name, console=Console(stderr=True))
    else:
        yield from _logged(items, name, len(items))


def _logged(items: Iterable[Item], name: str, total: int) -> Iterator[Item]:
    started = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= LOG_INTERVAL_S:
            speed = done / (now - started)
            left_s = (total - done) / speed
            print(
                f"{name}: {done} of {total}, {speed:.1f} a second, {left_s:.0f} s left",
                file=sys.stderr,
                flush=True,
            )
            last = now
