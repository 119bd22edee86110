"""Progress: a bar on a terminal, a line every ten seconds in a log."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Advance = Callable[[int], None]
LOG_INTERVAL_S = 10.0


def tracked(items: Sequence[Item], name: str) -> Iterator[Item]:
    """The items, one by one, with their progress shown on standard error."""
    with shown(name, len(items)) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def shown(name: str, total: int, unit: str = "") -> Iterator[Advance]:
    """A function to call with how many more are done: it shows how many a second, and the time left."""
    with _bar(name, total, unit) if sys.stderr.isatty() else _log(name, total, unit) as advance:
        yield advance


class Clock:
    """Counts what is done, and how fast, since the first of it was: models take a while to load."""

    def __init__(self) -> None:
        self.done = self.first = 0
        self.started = 0.0

    def advance(self, count: int) -> None:
        """So many more are done."""
        self.done += count
        if not self.first:
            self.first, self.started = self.done, time.monotonic()

    def speed(self) -> float:
        """How many a second; 0 as long as nothing is known."""
        since = time.monotonic() - self.started
        return max(0, self.done - self.first) / since if since > 0 else 0.0


@contextmanager
def _bar(name: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    # names of files may hold what rich or str.format would take for their own
    words = {key: TextColumn(f"{{task.fields[{key}]}}", markup=False) for key in ("name", "unit", "speed")}
    columns = (words["name"], BarColumn(), MofNCompleteColumn(), words["unit"], words["speed"], TimeRemainingColumn())
    clock = Clock()
    # what is printed meanwhile goes above the bar, but standard output that is no terminal stays what it is
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task(name, total=total, name=name, unit=unit, speed="")

        def advance(count: int) -> None:
            clock.advance(count)
            bar.update(task, advance=count, speed=f"{clock.speed():.1f} a second")

        yield advance


@contextmanager
def _log(name: str, total: int, unit: str) -> Iterator[Advance]:
    clock, last = Clock(), time.monotonic()

    def advance(count: int) -> None:
        nonlocal last
        clock.advance(count)
        if time.monotonic() - last >= LOG_INTERVAL_S and clock.speed():
            last = time.monotonic()
            what = f"{clock.done} of {total} {unit}".rstrip()
            line = f"{name}: {what}, {clock.speed():.1f} a second, {(total - clock.done) / clock.speed():.0f} s left"
            print(line, file=sys.stderr, flush=True)

    yield advance
