"""Processes of the Procfile, run by honcho: together or not at all."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from dda.core.errors import SetupError
from flows import health

ROOT = Path(__file__).parents[1]
POLL_S = 0.5
START_S = 180  # on two busy cores, with databases to be made
STOP_S = 10  # honcho kills after five
SET_CHILD_SUBREAPER, SET_PARENT_DEATH_SIGNAL = 36, 1  # Linux only: elsewhere a killed supervisor leaves honcho behind


def run(names: list[str], report: Callable[[], object]) -> int:
    """Run services until they are to stop, and report once all are well; the exit status.

    No process is left behind, whoever ends first. Raises SetupError where a service ended by itself.
    """
    _prctl(SET_CHILD_SUBREAPER, 1)
    command = [sys.executable, "-m", "honcho", "--app-root", str(ROOT), "--env", os.devnull, "start", *names]
    process = subprocess.Popen(
        command,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 (it only tells the kernel something)
    )
    asked: list[int] = []

    def stop(number: int, _: object) -> None:
        asked.append(number)
        process.terminate()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        if _all_well(names, process):
            report()
            print("all are well; Ctrl-C stops them, their data stay", flush=True)
        process.wait()
    finally:
        _end_all(process)
    if not asked:
        raise SetupError("a service ended by itself, and so all were stopped: the lines above say which, and why")
    return 0


def _all_well(names: list[str], process: subprocess.Popen[bytes]) -> bool:
    """Wait until each service was well; False where they are stopped meanwhile. Raises SetupError when too late."""
    began = time.monotonic()
    for name in names:
        while process.poll() is None and not health.of(name).healthy:
            if time.monotonic() - began > START_S:
                raise SetupError(f"{name} was not well after {START_S} s: its lines above say why")
            time.sleep(POLL_S)
    return process.poll() is None


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """End honcho, and whatever is left of its services: what left their process groups is ours by now."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
    left = psutil.Process().children(recursive=True)
    for one in left:
        one.kill()
    psutil.wait_procs(left, STOP_S)


def _die_with_parent() -> None:
    _prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
