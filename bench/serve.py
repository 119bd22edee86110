"""A served detector under load: many clients at once on this machine, against one client after another.

    python bench/serve.py --detector artifacts/detectors/embedded --clients 64 --requests 256

Prints images a second and the 50th and 95th percentile of a request's seconds. No request may fail.
"""

import argparse
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from dda import quiet

START_S = 180


def start(detector: Path, folder: Path, workers: int) -> tuple[str, subprocess.Popen[bytes]]:
    """`mlflow models serve` of a detector's folder, once it is well: its address, and the process."""
    from dda.app import smoke
    from dda.io import packing

    packing.write(folder / "model", detector, smoke.pictures()[:1], {}, packing.Identity("m-" + "0" * 32, "1" * 32))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    programs = Path(sys.executable).parent
    command = [programs / "mlflow", "models", "serve", "-m", folder / "model", "--env-manager", "local"]
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--workers", str(workers)],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
            return f"http://127.0.0.1:{port}/invocations", process
        time.sleep(0.1)
    raise SystemExit((folder / "log").read_text())


def body(path: Path, images: int) -> bytes:
    """A request of so many times the same image."""
    row = [base64.b64encode(path.read_bytes()).decode()]
    return json.dumps({"dataframe_split": {"columns": ["image"], "data": [row] * images}}).encode()


def ask(address: str, content: bytes) -> float:
    """The seconds of one request. Raises where it is not answered as it should be."""
    began = time.monotonic()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})  # noqa: S310 (our own)
    with urllib.request.urlopen(request, timeout=300) as reply:  # noqa: S310
        rows = json.load(reply)["predictions"]
    assert all(row["error"] is None for row in rows), rows
    return time.monotonic() - began


def load(address: str, content: bytes, clients: int, requests: int) -> tuple[float, np.ndarray]:
    """Requests a second of so many clients at once, and the seconds of each request."""
    began = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        seconds = list(pool.map(lambda _: ask(address, content), range(requests)))
    return requests / (time.monotonic() - began), np.array(seconds)


def main(arguments: list[str] | None = None) -> None:
    """Serve a detector and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detector", type=Path, default=Path("artifacts/detectors/embedded"))
    parser.add_argument("--image", type=Path, help="the image that is sent; a drawn one of 401 x 299 pixels else")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=256)
    parser.add_argument("--images", type=int, default=1, help="of a request")
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args(arguments)
    quiet.apply()
    from dda.app import smoke

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        image = chosen.image or folder / "drawn.png"
        if not chosen.image:
            image.write_bytes(smoke.pictures()[-1])
        content = body(image, chosen.images)
        address, process = start(chosen.detector, folder, chosen.workers)
        try:
            for clients, requests in ((1, max(8, chosen.requests // 8)), (chosen.clients, chosen.requests)):
                rate, seconds = load(address, content, clients, requests)
                low, high = np.percentile(seconds, [50, 95])
                times = f"p50 {low:.3f} s, p95 {high:.3f} s"
                print(f"{clients} clients, {requests} requests: {rate * chosen.images:.1f} images a second, {times}")
        finally:
            os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
