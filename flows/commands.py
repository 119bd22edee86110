"""Commands that a flow runs: each in a session of its own, killed as a group, limited in time, its lines in the log."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from prefect import get_run_logger

LEASH = (sys.executable, "-I", str(Path(__file__).with_name("leash.py")))
DVC = (sys.executable, "-m", "dvc", "--wait-for-lock")
DDA = (sys.executable, "-m", "dda")
LAST_LINES = 20
TIMED_OUT = 124  # as coreutils' timeout says it
# DVC itself exits with 1 or 255, whatever became of the stage
STAGE_STATUS = re.compile(r"failed to reproduce .*exited with (-?\d+)")
OUT_OF_MEMORY = re.compile(r"OutOfMemoryError|CUDA out of memory|^MemoryError|Cannot allocate memory")
AWAY = re.compile(
    r"no answer from|cannot be reached|is away|does not answer|connection (refused|reset|aborted)|timed? ?out"
    r"|EndpointConnection",
    re.IGNORECASE,
)
_alive: set["subprocess.Popen[str]"] = set()


class CommandError(RuntimeError):
    """A command failed: its name, its exit status (that of DVC's stage, where DVC ran one), and its last lines."""

    def __init__(self, name: str, status: int, lines: Sequence[str]) -> None:
        self.status, self.lines = stage_status(status, lines), list(lines)
        how = "ran past its time limit and was killed" if status == TIMED_OUT else f"exit status {self.status}"
        super().__init__(f"{name} failed: {how}; the last that it said:\n" + "\n".join(lines))

    @property
    def crashed(self) -> bool:
        """Whether a signal ended it, or memory did not suffice: a second try goes on from what is there."""
        return self.status < 0 or 128 < self.status < 160 or any(map(OUT_OF_MEMORY.search, self.lines))

    @property
    def away(self) -> bool:
        """Whether a service did not answer; what else exits with 1 or 2 (AuditError, SetupError) stays wrong."""
        return self.status not in (1, 2, TIMED_OUT) or any(map(AWAY.search, self.lines))


def stage_status(status: int, lines: Sequence[str]) -> int:
    """The exit status of the stage that DVC tells, negative for a signal; else the command's own."""
    told = [found for line in lines if (found := STAGE_STATUS.search(line))]
    return int(told[-1][1]) if told and status != TIMED_OUT else status


def run(
    name: str,
    command: Sequence[str],
    limit_s: float,
    seen: Callable[[str], None] | None = None,
) -> list[str]:
    """Run a command, every line of it in the run's log and given to `seen`; the last lines.

    It is killed with everything that it started when this function ends, when this process dies, and after `limit_s`
    seconds. Raises CommandError where it fails.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    log = get_run_logger()
    with started(command, limit_s, subprocess.STDOUT) as (process, status):
        for line in lines_of(process.stdout):
            log.info("%s", line)
            last.append(line)
            if seen:
                seen(line)
    if status():
        raise CommandError(name, status(), last)
    return list(last)


def answer(name: str, command: Sequence[str], limit_s: float, allowed: Sequence[int] = (0,)) -> str:
    """The same for a command that answers on standard output: what it answers; its errors go to the log."""
    last: deque[str] = deque(maxlen=LAST_LINES)
    with TemporaryFile("w+", encoding="utf-8") as said:
        with started(command, limit_s, said) as (process, status):
            for line in lines_of(process.stdout):
                get_run_logger().info("%s", line)
                last.append(line)
        said.seek(0)
        text = said.read()
    if status() not in allowed:
        raise CommandError(name, status(), [*text.splitlines()[-LAST_LINES:], *last])
    return text


@contextmanager
def started(
    command: Sequence[str], limit_s: float, other: int | IO[str]
) -> Iterator[tuple["subprocess.Popen[str]", Callable[[], int]]]:
    """A process below its leash, and what gives its exit status afterwards.

    Its standard output is to be read; where `other` is a file, that goes there, and standard error is to be read.
    """
    to_file = not isinstance(other, int)
    process = subprocess.Popen(
        [*LEASH, *command],
        stdin=subprocess.PIPE,
        stdout=other if to_file else subprocess.PIPE,
        stderr=subprocess.PIPE if to_file else other,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    if to_file:
        process.stdout = process.stderr
    _alive.add(process)
    late: list[bool] = []
    watcher = threading.Thread(target=_watch, args=(process, limit_s, late), daemon=True)
    watcher.start()
    try:
        yield process, lambda: TIMED_OUT if late else process.returncode
    finally:
        kill(process)
        watcher.join()
        _alive.discard(process)
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def _watch(process: "subprocess.Popen[str]", limit_s: float, late: list[bool]) -> None:
    """Kill what a process left behind when it has ended, so that its output ends too; itself, when its time is over."""
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        late.append(True)
    kill(process)
    process.wait()


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a process's whole group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def kill_all() -> None:
    """Kill all that runs now: the flow is cancelled."""
    for process in list(_alive):
        kill(process)


def lines_of(stream: IO[str] | None) -> Iterator[str]:
    """Lines without their ends; a bar that redraws itself by carriage returns gives a line each time."""
    for line in stream or ():
        yield line.rstrip()
