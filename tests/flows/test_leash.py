"""Whoever dies takes his stage along."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows.commands import LEASH

SLEEPER = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


def is_alive(process_id):
    """Whether a process runs; one that is dead and not yet buried does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(process_id, within_s=5):
    until = time.monotonic() + within_s
    while is_alive(process_id) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(process_id)


@pytest.mark.parametrize(("code", "status"), [("pass", 0), ("raise SystemExit(3)", 3)])
def test_the_exit_status_is_that_of_the_command(code, status):
    with subprocess.Popen([*LEASH, sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        assert process.wait() == status


def test_a_signal_is_told_as_a_shell_tells_it():
    code = "import os; os.kill(os.getpid(), 9)"
    with subprocess.Popen([*LEASH, sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        assert process.wait() == 128 + 9


def test_the_stage_dies_with_a_holder_that_was_killed():
    command = [*LEASH, sys.executable, "-c", SLEEPER]
    pipe = "stdin=subprocess.PIPE, start_new_session=True"
    holder = f"import subprocess\nsubprocess.Popen({command!r}, {pipe}).wait()"
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True) as process:
        stage = int(process.stdout.readline())
        assert is_alive(stage)
        os.kill(process.pid, signal.SIGKILL)
        assert gone(stage)
