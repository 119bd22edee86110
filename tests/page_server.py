"""A small detector behind the real web server, on a free port of this machine."""

import http.client
import json
import socket
import threading
from contextlib import contextmanager
from io import BytesIO

import numpy as np
import torch
from PIL import Image

from dda import Detector
from dda.core.descriptions import describe
from dda.core.networks import build_network
from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import detectors, listening, webserver
from dda.io.uploaded import Limits
from tests import small_detector

CALIBRATION = {**small_detector.CALIBRATION, "fitted_on": {"real": 15, "fake": 15}}
PHOTOS = [originals(photograph)[0] for photograph in PHOTOGRAPHS[:3]]


def fitted_detector(folder):
    """The small one, calibrated on few images, as its page has to say."""
    torch.manual_seed(0)
    description = {**describe("small", small_detector.ROW, "dda 0.0.0"), "calibration": CALIBRATION}
    detectors.save(folder, build_network(description["architecture"]).eval(), description, "# card of small")
    return Detector.load(str(folder), "cpu")


def encoded(image, kind="JPEG", **options):
    """A file's bytes."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(n_bytes):
    """A PNG of about this many bytes, which no compression makes smaller."""
    side = int((n_bytes / 3) ** 0.5)
    return encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)), "PNG")


@contextmanager
def running(detector, **limits):
    """The port of a server with these limits; it is stopped at the end."""
    allowed = Limits(**limits)
    listener = listening.bound("127.0.0.1", 0)
    server = listening.server(webserver.application(detector, allowed, "# card"), allowed.header_s)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def form(images=(), **options):
    """Body and headers of an upload; an image is its bytes, or its name and bytes."""
    parts = [(f'name="images"; filename="{name}"', content) for name, content in map(_named, images)]
    parts += [(f'name="{name}"', value.encode()) for name, value in options.items()]
    return written(*parts)


def _named(image):
    return image if isinstance(image, tuple) else ("a.jpg", image)


def written(*parts):
    """Body and headers of multipart/form-data with these (disposition, content)."""
    begun = [b"--border\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (a.encode(), b) for a, b in parts]
    return b"".join(begun) + b"--border--\r\n", {"Content-Type": "multipart/form-data; boundary=border"}


def ask(port, method, path, body=None, headers=None):
    """Status, headers and content (from JSON where it is that) of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers or {}, encode_chunked=not isinstance(body, bytes | None))
        response = connection.getresponse()
        content = response.read()
        is_json = response.getheader("content-type") == "application/json" and content
        return response.status, response.headers, json.loads(content) if is_json else content
    finally:
        connection.close()


def raw(port, content, timeout_s=10):
    """All that comes back for these bytes, until the server closes the connection or it takes too long."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as client:
        client.sendall(content)
        found = b""
        while piece := client.recv(65536):
            found += piece
        return found
