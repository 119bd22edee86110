"""A web application on an address of this machine, until somebody stops it."""

import asyncio
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dda.core.errors import SetupError

N_CONNECTIONS = 512
LAST_ANSWERS_S = 1


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes any free one. Raises SetupError where that is not possible."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=N_CONNECTIONS)
    except OverflowError as error:
        raise SetupError(f"no port {port}: ports are numbers from 0 to 65535") from error
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0].lower()  # Python adds the address to what the system says
        told = f"cannot listen on {host}, port {port}: {reason}"
        raise SetupError(f"{told}. Choose another one by --port, such as --port {port % 60000 + 1}") from error


def address_of(listening: socket.socket) -> str:
    """What to open in a browser, such as `http://127.0.0.1:7861/`."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def server(app: Any, header_s: float) -> uvicorn.Server:
    """A server of an application of ASGI; a connection must send its headers within `header_s`. It logs no requests."""

    class Protocol(Patient):
        patience_s = header_s

    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=N_CONNECTIONS,
        timeout_graceful_shutdown=LAST_ANSWERS_S,
    )
    return uvicorn.Server(config)


class Patient(H11Protocol):
    """Closes connections that are open without a whole request's headers, which uvicorn would wait for for ever."""

    patience_s = 10.0
    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client is there; nothing was sent yet."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Some bytes more: of a request's headers, or of its body."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """An answer is out; part of the next request may be here already."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went away."""
        super().connection_lost(exc)
        if self._alarm:
            self._alarm.cancel()

    def _is_between(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        if self._alarm and not self._is_between():
            self._alarm.cancel()
            self._alarm = None
        elif self._alarm is None and self._is_between():
            self._alarm = self.loop.call_later(self.patience_s, self._give_up)

    def _give_up(self) -> None:
        self._alarm = None
        if self._is_between():
            self.transport.abort()
