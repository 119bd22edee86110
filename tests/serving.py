"""The project's services in a folder and on ports of a test's own, and PostgreSQL, where the machine has it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from flows import serve

ROOT = Path(__file__).parents[1]
START_S = 150


def free_ports(n):
    """Ports that nobody listens on at the moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def write_settings(folder, **changes):
    """services.env with other ports and what else a test wants: the file, and its values."""
    values = serve.read(ROOT / "services.env")
    ports = iter(free_ports(3))
    for name in ("AWS_ENDPOINT_URL", "MLFLOW_TRACKING_URI"):
        values[name] = f"http://127.0.0.1:{next(ports)}"
    values["PREFECT_API_URL"] = f"http://127.0.0.1:{next(ports)}/api"
    values |= changes
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "services.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return file, values


def environment(values):
    """This process's, without settings of services, and with those of a file."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MLFLOW_", "PREFECT_"))}
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return {**mine, **values, "PYTHONPATH": paths, "AWS_CONFIG_FILE": os.devnull}


class Running:
    """`python -m flows.serve start` as a process of its own, and what it says."""

    def __init__(self, file, folder):
        self.folder, self.began = folder, time.monotonic()
        self.log = folder.with_suffix(".log")
        command = [sys.executable, "-m", "flows.serve", "start", "--env", file, "--folder", folder]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment({}), cwd=folder.parent
            )

    def said(self):
        return self.log.read_text("utf-8")

    def wait(self):
        """Until all are well; the processes that run then."""
        while "all are well" not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() - self.began < START_S, self.said()
            time.sleep(0.1)
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(30)


@contextlib.contextmanager
def running(file, folder):
    started = Running(file, folder)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.stop(signal.SIGTERM)


def postgres_programs():
    """Where initdb and pg_ctl are: in the path, or where Debian keeps them; None where there are none."""
    found = [Path(shutil.which("initdb") or "nowhere"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    return next((path.parent for path in reversed(found) if path.is_file()), None)


@contextlib.contextmanager
def postgres(*databases):
    """PostgreSQL on a port of its own with these databases; the address of each is `{address}/NAME`. Never as root."""
    programs, user = postgres_programs(), "nobody" if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="dda-postgres-"))
    if user:
        shutil.chown(folder, user)
    (port,) = free_ports(1)

    def run(name, *arguments):
        subprocess.run([programs / name, *arguments], user=user, cwd=folder, capture_output=True, check=True)

    run("initdb", "--pgdata", folder / "data", "--auth=trust", "--username=dda", "--no-sync")
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
    run("pg_ctl", "start", "--wait", "-D", folder / "data", "-l", folder / "log", "-o", options)
    try:
        for name in databases:
            run("createdb", "--host=127.0.0.1", f"--port={port}", "--username=dda", name)
        yield f"dda:of-tests@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "stop", "-D", folder / "data", "-m", "immediate")
        shutil.rmtree(folder)
