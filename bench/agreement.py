"""Whether Python, the command, the page's server and MLflow's say the same of the same files.

    python bench/agreement.py FOLDER... --views centre

Prints how many images each of them judged, and the largest difference of a logit to Python's. Fails above 1e-4.
"""

import argparse
import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import serve

from dda import quiet

LIMIT = 1e-4
BORDER = "border"
Rows = list[dict[str, Any]]


def main() -> None:
    """Ask all four, and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--model", default="artifacts/detectors/embedded")
    parser.add_argument("--views", default="centre")
    options = parser.parse_args()
    from dda.io import gathering

    paths = list(gathering.gather(options.folders, null=False).paths)
    wanted = by_python(options.model, paths, options.views)
    ways = {"dda detect": by_command, "dda web": by_page, "mlflow models serve": by_server}
    print(f"{len(paths)} images, {options.views}; Python: {told(wanted)}", flush=True)
    worst = [compared(name, way(options.model, paths, options.views), wanted) for name, way in ways.items()]
    if max(worst) > LIMIT:
        sys.exit(f"a logit differs by {max(worst):.1e}, more than {LIMIT:g}")


def told(rows: Rows) -> str:
    """How many have a verdict, and how many a reason instead."""
    unreadable = sum(row["verdict"] == "unreadable" for row in rows)
    return f"{len(rows) - unreadable} judged, {unreadable} not"


def compared(name: str, rows: Rows, wanted: Rows) -> float:
    """The largest difference of logits, which is printed; infinite where one has a verdict and the other none."""
    differences = [0.0]
    for row, known in zip(rows, wanted, strict=True):
        logits = (row["logit"], known["logit"])
        if None in logits or row["verdict"] != known["verdict"]:
            differences.append(0.0 if logits == (None, None) else float("inf"))
        else:
            differences.append(abs(logits[0] - logits[1]))
    print(f"{name}: {told(rows)}, logits differ by at most {max(differences):.1e}", flush=True)
    return max(differences)


def by_python(model: str, paths: Sequence[str], views: Any) -> Rows:
    """Through `from dda import Detector`."""
    from dda import Detector

    return [found.as_row() for found in Detector.load(model).predict(list(paths), views)]


def by_command(model: str, paths: Sequence[str], views: str) -> Rows:
    """Through the command, which reads the list from its standard input."""
    command = [sys.executable, "-m", "dda", "detect", "-", "--json", "--model", model, "--views", views]
    done = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, check=False)
    found: Rows = json.loads(done.stdout)["images"]
    return found


def by_page(model: str, paths: Sequence[str], views: str) -> Rows:
    """Through the server of the page, some images a request."""
    from dda import Detector
    from dda.io import listening, webserver
    from dda.io.uploaded import Limits

    limits = Limits(image_bytes=10**9, request_bytes=10**10, held_bytes=10**10)
    with listening.bound("127.0.0.1", 0) as listener:
        server = listening.server(webserver.application(Detector.load(model), limits), limits.header_s)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        port = listener.getsockname()[1]
        rows = [row for some in batches(paths, limits.n_images) for row in uploaded(port, some, views)]
        server.should_exit = True
        thread.join()
    return rows


def uploaded(port: int, paths: Sequence[str], views: str) -> Rows:
    """The rows of one request."""
    head = f'--{BORDER}\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'.encode()
    parts = b"".join(head + Path(path).read_bytes() + b"\r\n" for path in paths)
    option = f'--{BORDER}\r\nContent-Disposition: form-data; name="views"\r\n\r\n{views}\r\n--{BORDER}--\r\n'
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    kind = {"Content-Type": f"multipart/form-data; boundary={BORDER}"}
    connection.request("POST", "/api/detect", parts + option.encode(), kind)
    rows: Rows = json.loads(connection.getresponse().read())["images"]
    connection.close()
    return rows


def by_server(model: str, paths: Sequence[str], views: str) -> Rows:
    """Through `mlflow models serve` of the detector as it is registered."""
    with tempfile.TemporaryDirectory() as scratch:
        address, process = serve.start(Path(model), Path(scratch), 1)
        try:
            return [row for some in batches(paths, 32) for row in invoked(address, some, views)]
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def invoked(address: str, paths: Sequence[str], views: str) -> Rows:
    """The rows of one request."""
    images = [[base64.b64encode(Path(path).read_bytes()).decode()] for path in paths]
    body = {"dataframe_split": {"columns": ["image"], "data": images}, "params": {"views": views}}
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310 (our own)
    with urllib.request.urlopen(request, timeout=600) as reply:  # noqa: S310
        rows: Rows = json.load(reply)["predictions"]
    return rows


def batches(paths: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The paths, so many at a time."""
    return (paths[first : first + size] for first in range(0, len(paths), size))


if __name__ == "__main__":
    quiet.apply()
    main()
