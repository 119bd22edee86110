"""A detector as a page on this machine.    dda web --model FOLDER"""

import os
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dda.io import desk, listening, sources, webserver
from dda.io.detecting import Detector
from dda.io.detectors import CARD
from dda.io.doorkeeper import Doorkeeper, is_loopback
from dda.io.uploaded import MB, Limits

__all__ = ["MB", "Limits", "Place", "card_of", "run"]


@dataclass(frozen=True)
class Place:
    """Where the page is served, and the further hosts that it is known by."""

    host: str = "127.0.0.1"
    port: int = 7861
    names: tuple[str, ...] = ()


def run(model: str | Path, place: Place, limits: Limits) -> None:
    """Load the detector, say where the page is, and serve it until Ctrl-C."""
    with listening.bound(place.host, place.port) as listener:  # a taken port is told before weights are loaded
        folder = sources.folder_of(model)
        detector = Detector.load(folder)
        app = webserver.application(detector, limits, card_of(folder), (place.host, *place.names))
        if not is_loopback(place.host):
            told = "everybody who reaches this machine can use it: there is no password and no encryption (docs/web.md)"
            print(f"dda: listening on {place.host}: {told}", file=sys.stderr)
        name = detector.description.get("name", "detector")
        print(f"{name} answers at {listening.address_of(listener)} (Ctrl-C ends it)", flush=True)
        _serve(app, limits, listener)


def card_of(folder: Path) -> str:
    """The card of a detector's folder as Markdown, empty where it has none."""
    card = folder / CARD
    return card.read_text("utf-8", "replace") if card.is_file() else ""


def _serve(app: Doorkeeper, limits: Limits, listener: socket.socket) -> None:
    with suppress(KeyboardInterrupt):
        listening.server(app, limits.header_s).run(sockets=[listener])
    if any(thread.name.startswith(desk.THREADS) for thread in threading.enumerate()):
        sys.stdout.flush()
        os._exit(130)  # Python would wait for images that nobody waits for any more
