"""The page's server under load: 64 clients on this machine, four requests each.    python bench/web.py"""

import argparse
import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np

from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import listening, webserver
from dda.io.detecting import Detector
from dda.io.uploaded import Limits

BOUNDARY = "border"


def upload(number: int) -> bytes:
    """The body of a request with one photograph."""
    buffer = BytesIO()
    originals(PHOTOGRAPHS[number % len(PHOTOGRAPHS)])[0].save(buffer, "JPEG", quality=90)
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n'
    return head.encode() + buffer.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode()


def asked(port: int, body: bytes) -> tuple[int, float]:
    """Status of an answer, and the seconds that it took from connecting to its last byte."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/api/detect", body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, time.perf_counter() - begun


def load(port: int, clients: int, requests: int) -> None:
    """Send that many requests by that many clients at once, and print what became of them."""
    bodies = [upload(number) for number in range(len(PHOTOGRAPHS))]
    asked(port, bodies[0])
    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda number: asked(port, bodies[number % len(bodies)]), range(requests)))
    seconds = time.perf_counter() - begun
    waited = [one for _, one in answers]
    errors = sum(status != 200 for status, _ in answers)
    p50, p95 = np.quantile(waited, [0.5, 0.95])
    print(f"{requests} requests of {clients} clients: {errors} errors, {requests / seconds:.1f} a second")
    print(f"waited for an answer: p50 {p50:.2f} s, p95 {p95:.2f} s, longest {max(waited):.2f} s")


def main() -> None:
    """Start a server on a free port, load it, stop it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", type=Path, default=Path("artifacts/detectors/embedded"))
    options.add_argument("--clients", type=int, default=64)
    options.add_argument("--requests", type=int, default=256)
    chosen = options.parse_args()
    limits = Limits()
    with listening.bound("127.0.0.1", 0) as listener:
        server = listening.server(webserver.application(Detector.load(chosen.model), limits), limits.header_s)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        load(listener.getsockname()[1], chosen.clients, chosen.requests)
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
