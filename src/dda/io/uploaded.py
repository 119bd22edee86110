"""Images that a client sends, as multipart/form-data: read as they come in, counted, and never written to a disk."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

FILES = "images"
OPTIONS = ("views", "max_fpr", "heatmap", "facts")
MAX_OPTION_BYTES = 100
MB = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What one client may ask, and all together; the units stand in the names.

    `request_bytes` bounds a whole request, `held_bytes` all that are in memory at once. `n_waiting` requests may wait
    for a free core. A request's body must be there after `body_s`, its headers after `header_s`, its answer after
    `answer_s`.
    """

    image_bytes: int = 20 * MB
    request_bytes: int = 100 * MB
    held_bytes: int = 1000 * MB
    n_images: int = 20
    image_pixels: int = 50_000_000
    n_waiting: int = 128
    header_s: float = 10
    body_s: float = 120
    answer_s: float = 120


class Refused(Exception):
    """A request that is not answered: the status of HTTP, and a sentence for whoever sent it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Gone(Refused):
    """The client went away, so that nobody will hear this."""


class Body:
    """A request's body as ASGI's `receive` gives it: how far it has come is known."""

    def __init__(self, receive: Callable[[], Awaitable[Any]]) -> None:
        self._receive = receive
        self.begun = self.ended = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """As they come. Raises Gone where the client goes away."""
        while not self.ended:
            self.begun = True
            message = await self._receive()
            if message["type"] != "http.request":
                raise Gone(400, "the client went away")
            self.ended = not message.get("more_body", False)
            yield message.get("body", b"")

    async def let_pass(self, limit_s: float) -> None:
        """Read and forget the rest, or some seconds of it: a client that still sends would not hear an answer."""
        with suppress(TimeoutError, Gone):
            async with asyncio.timeout(limit_s):
                async for _ in self.pieces():
                    pass


@dataclass
class Upload:
    """The files' bytes in their order, and the options as text. Names of files are not kept, so none can do harm."""

    images: list[bytes] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)


async def read(stream: AsyncIterable[bytes], headers: Any, limits: Limits, hold: Callable[[int], None]) -> Upload:
    """The upload in a request's body, whose pieces come from `stream`; `hold` is told the bytes of each.

    Raises Refused as soon as a limit is passed: before the first piece where `Content-Length` says so.
    """
    announced = headers.get("content-length", "0")
    if not announced.isascii() or not announced.isdigit() or int(announced) > limits.request_bytes:
        raise _too_large(limits)
    kind, told = parse_options_header(headers.get("content-type"))
    if kind != b"multipart/form-data" or not told.get(b"boundary"):
        raise Refused(422, f"send files as multipart/form-data in fields named {FILES!r}; addresses are never fetched")
    parts = _Parts(limits)
    n_bytes = 0
    try:
        parser = MultipartParser(told[b"boundary"], parts.callbacks())  # type: ignore[arg-type]
        async for piece in stream:
            n_bytes += len(piece)
            if n_bytes > limits.request_bytes:
                raise _too_large(limits)
            hold(len(piece))
            parser.write(piece)
        parser.finalize()
    except FormParserError as error:
        raise Refused(422, "the request is no well-formed multipart/form-data") from error
    if not parts.ended:
        raise Refused(422, "the request ends too early")
    if not parts.upload.images:
        raise Refused(422, f"the request holds no file: send at least one in a field named {FILES!r}")
    return parts.upload


def _too_large(limits: Limits) -> Refused:
    told = f"a request may have {limits.request_bytes / MB:g} MB, in a body with a valid Content-Length or in chunks"
    return Refused(413, f"the request is too large: {told}")


class _Parts:
    """What a parser of multipart/form-data finds, taken over part by part."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.upload = Upload()
        self.ended = False
        self._field, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._content = bytearray()

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """By the names that the parser calls them."""
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_headers_finished": self._begin,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _header(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _begin(self) -> None:
        _, told = parse_options_header(self._headers.get(b"content-disposition"))
        self._name = told.get(b"name", b"").decode("utf-8", "replace")
        if self._name == FILES:
            if b"filename" not in told:
                raise Refused(422, f"{FILES!r} must be files: text and addresses are never fetched or opened")
            if len(self.upload.images) == self.limits.n_images:
                raise Refused(413, f"too many images: a request may have {self.limits.n_images}")
        elif self._name not in OPTIONS or self._name in self.upload.options:
            raise Refused(
                422, f"fields are {FILES!r}, any number of them, and at most one each of {', '.join(OPTIONS)}"
            )

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._content += memoryview(data)[start:end]
        if self._name == FILES and len(self._content) > self.limits.image_bytes:
            raise Refused(
                413,
                f"image {len(self.upload.images) + 1} is too large: {self.limits.image_bytes / MB:g} MB are allowed",
            )
        if self._name != FILES and len(self._content) > MAX_OPTION_BYTES:
            raise Refused(422, f"{self._name} is too long")

    def _end(self) -> None:
        if self._name == FILES:
            self.upload.images.append(bytes(self._content))
        else:
            self.upload.options[self._name] = self._content.decode("utf-8", "replace").strip()
        self._content = bytearray()

    def _finish(self) -> None:
        self.ended = True
