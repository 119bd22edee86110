"""Time, and runs in processes of their own with the peak of their memory."""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

SAMPLE_INTERVAL_S = 0.1
REST = 30  # times as long as looking takes: to count gigabytes of pages needs a good part of a core


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that work takes, and what it gives."""
    began = time.perf_counter()
    given = work()
    return time.perf_counter() - began, given


def measured(script: str, kind: str, task: dict[str, Any]) -> dict[str, Any]:
    """What `script --work KIND FILE` prints last, as JSON, with the peak of its and its children's memory in bytes."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "task.json"
        file.write_text(json.dumps(task))
        command = [sys.executable, script, "--work", kind, str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            peak = Peak(process.pid)
            out, _ = process.communicate()
        if process.returncode:
            sys.exit(f"the {kind} run failed")
    return json.loads(out.splitlines()[-1]) | {"peak_bytes": peak.bytes}


class Peak(threading.Thread):
    """Watches the memory of a process and its children; pages that they share count once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process, self.bytes = psutil.Process(pid), 0
        self.start()

    def run(self) -> None:
        """Look until the process has ended."""
        with contextlib.suppress(psutil.Error):
            while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
                began = time.monotonic()
                everybody = [self.process, *self.process.children(recursive=True)]
                self.bytes = max(self.bytes, sum(proportional_bytes(one) for one in everybody))
                time.sleep(max(SAMPLE_INTERVAL_S, REST * (time.monotonic() - began)))


def proportional_bytes(process: psutil.Process) -> int:
    """A process's memory, shared pages in proportion; 0 where it has ended."""
    try:
        full = process.memory_full_info()
    except (psutil.Error, OSError):
        return 0
    return int(getattr(full, "pss", full.uss))
