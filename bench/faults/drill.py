"""What the fault drills share: a small project whose stage can be killed at any moment, a real server, real workers.

The stage `parts` makes ten parts, one after the other, and keeps those that it finds. It notes each part that it
finished in a journal, and also where another process writes at the same time: so the journal says what was lost or
done twice.
"""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from material import DEPLOYMENTS, FLOW, STAGES, WORK

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # for flows and tests, which no installation has
N_PARTS = 10
DVC = (sys.executable, "-m", "dvc")
PASSED = "nothing lost, nothing doubled, next run completes"


def say(what: str) -> None:
    """A line with the time."""
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def expect(holds: bool, what: str) -> None:
    """End the drill where something does not hold."""
    if not holds:
        raise SystemExit(f"FAILED: {what}")


def until(what: str, true: Callable[[], Any], within_s: float = 120) -> Any:
    """Wait until something is true; what it then is."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        found = true()
        if found:
            say(what)
            return found
        time.sleep(0.2)
    raise SystemExit(f"FAILED: not within {within_s:.0f} s: {what}")


@contextlib.contextmanager
def project(seconds: float = 0.5, schedule: str = "") -> Iterator[Path]:
    """The small project; it is the current folder."""
    with tempfile.TemporaryDirectory(prefix="drill-") as name, contextlib.chdir(name):
        folder = Path(name)
        os.environ |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}:{os.environ.get('PYTHONPATH', '')}",
            "PREFECT_HOME": str(folder / ".prefect"),
            "DDA_CHECKOUT": str(folder),
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        }
        for unset in ("DDA_BRANCH", "DDA_REMOTE", "DDA_PUBLISH"):
            os.environ.pop(unset, None)
        (folder / "work.py").write_text(WORK)
        (folder / "dvc.yaml").write_text(STAGES.format(python=sys.executable, n=N_PARTS, seconds=seconds))
        (folder / "prefect.yaml").write_text(DEPLOYMENTS.format(schedule=schedule))
        (folder / "input.txt").write_text("1")
        for flow in ("first", "second"):
            (folder / f"{flow}.py").write_text(FLOW.format(name=flow))
        for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
            subprocess.run(command, check=True)
        yield folder


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Prefect's own server on a free port, its database in the project; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    import flows  # noqa: F401 (it sets what a server needs)

    with process("prefect", "server", "start", "--port", str(port), log="server.log"):
        until("the server answers", lambda: answers(f"http://127.0.0.1:{port}/api/health"))
        yield os.environ["PREFECT_API_URL"]


def answers(address: str) -> bool:
    """Whether something answers there."""
    try:
        with urllib.request.urlopen(address, timeout=2):  # noqa: S310 (our own)
            return True
    except OSError:
        return False


@contextlib.contextmanager
def process(*command: str, log: str = "run.log", group: bool = True) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in a session of its own, killed at the end, by default with all of that session."""
    with Path(log).open("ab") as file:
        started = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    try:
        yield started
    finally:
        kill(started.pid, group)
        started.wait()


def kill(process_id: int, group: bool = False) -> None:
    """kill -9, of a whole group if so wanted."""
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process_id, signal.SIGKILL)


def deploy(silence_s: float = 60) -> None:
    """As `make deploy` does it."""
    from flows import deploy as verb

    verb.pool()
    verb.deploy()
    verb.watch(silence_s)
    say("deployed")


def client() -> Any:
    """A client of the server."""
    from prefect import get_client

    return get_client(sync_client=True)


def start(name: str) -> Any:
    """Ask for a run of a deployment; its id."""
    with client() as server:
        return server.create_flow_run_from_deployment(server.read_deployment_by_name(name).id).id


def runs() -> list[Any]:
    """All runs of flows, by when they began."""
    from prefect.client.schemas.sorting import FlowRunSort

    with client() as server:
        return list(server.read_flow_runs(limit=200, sort=FlowRunSort.START_TIME_ASC))


def state(run_id: Any) -> str:
    """The name of a run's state."""
    with client() as server:
        return str(server.read_flow_run(run_id).state.name)


def parts() -> int:
    """How many parts are finished."""
    return len([path for path in Path("parts").glob("*") if path.suffix == ""])


def stage_process() -> int | None:
    """The stage's process, while it runs."""
    try:
        found = int(Path("stage.pid").read_text())
        os.kill(found, 0)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return found


def check(may_be_missing: int = 0) -> None:
    """End the drill unless every part was made exactly once and what follows is whole.

    `may_be_missing`: a stage that was killed may have finished a part and not noted it.
    """
    lines = Path("journal.txt").read_text().splitlines()
    expect("two writers" not in lines, "two stages wrote at once")
    expect(len(set(lines)) == len(lines), f"a part was made twice: {lines}")
    expect(N_PARTS - len(lines) <= may_be_missing, f"parts are missing: {lines}")
    whole = b"".join(bytes([n]) * 100_000 for n in range(N_PARTS))
    expect(Path("whole.bin").read_bytes() == whole, "whole.bin is wrong")
    status = subprocess.run([*DVC, "status", "--json"], capture_output=True, check=True).stdout
    expect(status.strip() == b"{}", f"out of date: {status!r}")
    with Path("writer.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def conclude() -> None:
    """The line that a drill that was passed ends with."""
    print(PASSED)
