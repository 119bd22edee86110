"""The services that run on this machine.    python -m flows.serve start|check [--env FILE] [--folder FOLDER]

What they are stands in Procfile, and honcho runs it; where they are stands in services.env. Here is what lies between:
only services whose address is this machine's are started, one group at a time, and none outlives the command.
"""

import argparse
import fcntl
import ipaddress
import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from dda.core.errors import SetupError
from dda.io import encryption
from flows import health, supervision
from flows.health import ADDRESSES, MLFLOW, PREFECT, S3, WORKER

ROOT = Path(__file__).parents[1]
NAMES = (S3, MLFLOW, PREFECT, WORKER)
SAID_S = 20  # longer than a service on this machine takes
LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=([^\s\"'\\$`&;|<>()]*)")  # nothing that a shell would take for its own


def read(file: Path) -> dict[str, str]:
    """The settings of a file. Raises SetupError for a line that shells and systemd would not both read so."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except OSError as error:
        raise SetupError(f"no settings of services at {file} ({error.strerror}): name them by --env FILE") from error
    found = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            if not (match := LINE.fullmatch(line.rstrip())):
                raise SetupError(f"{file}, line {number}: write NAME=value, without spaces, quotes or $ & ;")
            found[match[1]] = match[2]
    return found


def is_local(name: str) -> bool:
    """Whether a service is to run here: its address is of loopback. Workers always are: they need no address."""
    return name == WORKER or _is_loopback(urlsplit(os.environ.get(ADDRESSES[name], "")).hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listens_at(name: str) -> tuple[str, int]:
    """Host and port of a local service. Raises SetupError where its address names no port."""
    parts = urlsplit(os.environ[ADDRESSES[name]])
    if not parts.port:
        raise SetupError(f"{ADDRESSES[name]} names no port: write one such as http://127.0.0.1:9010")
    return str(parts.hostname), parts.port


def start(file: Path, folder: Path) -> int:
    """Run the services of this machine until Ctrl-C, or until one of them ends; the exit status."""
    addresses = {name: health.address(name) for name in NAMES}
    names = [name for name in NAMES if is_local(name)]
    with _alone(folder):
        for name in names[:-1]:
            _check_port(name, file)
        for name in NAMES:
            if name not in names:
                print(f"{name:8} is at {addresses[name]}, not on this machine: not started", flush=True)
        _make_folders(folder)
        os.environ.update(_settings(folder))
        return supervision.run(names, report)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder for ourselves. Raises SetupError where its services run already."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise SetupError(
                f"the services of {folder} run already, process {lock.read().strip() or 'unknown'}: stop them there "
                "with Ctrl-C; `make services-check` says how they are"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _check_port(name: str, file: Path) -> None:
    host, port = listens_at(name)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            lines = file.read_text("utf-8").splitlines()
            line = next((n for n, text in enumerate(lines, 1) if text.startswith(f"{ADDRESSES[name]}=")), "?")
            raise SetupError(
                f"{name} cannot listen on {host}:{port} ({error.strerror}): stop what does, or write another port "
                f"into line {line} of {file} ({ADDRESSES[name]})"
            ) from error


def _make_folders(folder: Path) -> None:
    """Folders of data; a bucket of the local store is a folder."""
    buckets = [f"s3/{place.bucket}" for place in health.places()] if is_local(S3) else []
    for name in ("prefect", *buckets):
        (folder / name).mkdir(parents=True, exist_ok=True)


def _settings(folder: Path) -> dict[str, str]:
    """What the commands of Procfile read from the environment, besides what the file of settings says."""
    told = {"DDA_SERVICES": str(folder), "PREFECT_HOME": str(folder / "prefect"), "PYTHONUNBUFFERED": "1"}
    if is_local(S3):
        keys = (os.environ.get(name, "") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
        told |= {"RCLONE_ADDR": "{}:{}".format(*listens_at(S3)), "RCLONE_AUTH_KEY": f'"{",".join(keys)}"'}  # a CSV
        told |= {"RCLONE_CONFIG": os.devnull, "RCLONE_CACHE_DIR": str(folder / "rclone")}
    if is_local(MLFLOW):
        host, port = listens_at(MLFLOW)
        # what judges language models runs in eight processes of its own, which nobody here needs
        told |= {"MLFLOW_HOST": host, "MLFLOW_PORT": str(port), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        told["MLFLOW_BACKEND_STORE_URI"] = (
            os.environ.get("MLFLOW_BACKEND_STORE_URI") or f"sqlite:///{folder / 'mlflow.db'}"
        )
        if chosen := encryption.settings():
            told["MLFLOW_S3_UPLOAD_EXTRA_ARGS"] = json.dumps(chosen)
    if is_local(PREFECT):
        host, port = listens_at(PREFECT)
        told |= {"PREFECT_SERVER_API_HOST": host, "PREFECT_SERVER_API_PORT": str(port)}
        # its pages are unpacked at every start: else into the library's own folder
        told["PREFECT_SERVER_UI_STATIC_DIRECTORY"] = str(folder / "prefect/pages")
    return told


def report() -> bool:
    """Print a line for each service; whether all are well."""
    found = {name: health.of(name) for name in NAMES}
    width = max(len(health.address(name)) for name in NAMES)
    for name, one in found.items():
        well = "well" if one.healthy else "NOT WELL"
        print(f"{name:8} {health.address(name):{width}}  {well}: {one.state}  {one.version}".rstrip(), flush=True)
    return all(one.healthy for one in found.values())


def wait(name: str) -> None:
    """Return when a service is well; says so where that takes long. Raises SetupError where it is not in time."""
    began, told = time.monotonic(), False
    while not (found := health.of(name)).healthy:
        waited_s = time.monotonic() - began
        if waited_s > supervision.START_S:
            raise SetupError(f"{name} at {health.address(name)} is not well after {waited_s:.0f} s: {found.state}")
        if waited_s > SAID_S and not told:
            told = True
            print(f"waiting for {name} at {health.address(name)}: {found.state}", flush=True)
        time.sleep(supervision.POLL_S)


def main() -> int:
    """What the command line asks for; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("start", "check", "wait"))
    parser.add_argument("service", nargs="?", choices=NAMES, help="for which to wait")
    parser.add_argument("--env", type=Path, help="settings; they win over the environment (default: services.env)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".services", help="where the services keep their data")
    options = parser.parse_args()
    file = options.env or ROOT / "services.env"
    if options.verb in ("start", "check"):
        os.environ.update(read(file))
    if options.verb == "start":
        return start(file, options.folder.resolve())
    if options.verb == "check":
        return 0 if report() else 1
    wait(options.service)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SetupError as error:
        print(f"services: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
