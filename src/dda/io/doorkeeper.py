"""What every request passes: it must mean this server, and come from its own page or from no page at all."""

import asyncio
import ipaddress
import json
from collections.abc import Collection
from typing import Any

SAFE = ("GET", "HEAD")
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


class Doorkeeper:
    """Around an application of ASGI: refuses what is not meant for it, adds headers to every answer.

    `names` are the hosts, besides `localhost`, that a request may name; an address in figures always may, since no
    page of others can be served under one that is ours. That stops DNS rebinding. A request that changes or computes
    anything must not come from a page of another site.
    """

    def __init__(self, app: Any, names: Collection[str] = (), send_s: float = 60) -> None:
        self.app = app
        self.names = {"localhost", *(name.lower() for name in names)}
        self.send_s = send_s

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, as ASGI passes it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            async with asyncio.timeout(self.send_s):  # a client that does not read its answer must not keep it here
                await send(message)

        problem = self._problem(scope["method"], scope["headers"])
        if problem is None:
            await self.app(scope, receive, sending)
        else:
            await _answer(sending, *problem)

    def _problem(self, method: str, given: list[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        hosts = [value.decode("latin-1") for name, value in given if name == b"host"]
        if len(hosts) != 1 or not self._is_ours(host_of(hosts[0])):
            return (
                421,
                "this server is not known by that name: open it by the address that it printed, or name it by --name",
            )
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in given}
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        foreign = origin is not None and origin.partition("://")[2].lower() != hosts[0].lower()
        if method not in SAFE and (foreign or site not in ("same-origin", "none")):
            return 403, "pages of other sites may not use this server"
        return None

    def _is_ours(self, host: str) -> bool:
        return host in self.names or is_address(host)


def host_of(value: str) -> str:
    """A `Host` header's host without its port, in small letters; an IPv6 address without its brackets."""
    if value.startswith("["):
        return value[1:].partition("]")[0].lower()
    return value.partition(":")[0].lower()


def is_address(host: str) -> bool:
    """Whether this is an IP address in figures."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


async def _answer(send: Any, status: int, sentence: str) -> None:
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
