"""A detector behind HTTP: a page for people, and the same as JSON for programs. Images stay in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import dda
from dda.core import verdicts
from dda.core.cautions import cautions
from dda.core.errors import SetupError
from dda.io import answers, devices, uploaded
from dda.io.desk import Busy, Desk
from dda.io.detecting import Detector, Views
from dda.io.doorkeeper import Doorkeeper
from dda.io.schema import REQUEST, RESPONSES
from dda.io.uploaded import Body, Gone, Limits, Refused, Upload

LET_PASS_S = 1.0
PAGE = Path(__file__).parent / "webpage"
STATIC = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/static/page.css": ("page.css", "text/css; charset=utf-8"),
    "/static/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/static/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""The only files that are ever sent, read once at the start: no path of a request reaches the disk."""


@dataclass(frozen=True)
class Service:
    """What requests share: the detector, its card as Markdown, the limits, and the desk where they wait."""

    detector: Detector
    card: str
    limits: Limits
    desk: Desk

    def about(self) -> dict[str, Any]:
        """What a client may want to know before it sends anything."""
        description = self.detector.description
        calibration = description["calibration"]
        return {
            "name": description.get("name", "detector"),
            "version": dda.__version__,
            "calibrated": calibration["temperature"] is not None,
            "fitted_on": calibration.get("fitted_on"),
            "max_fpr": sorted(map(float, calibration["thresholds"])),
            "views": list(get_args(Views)),
            "input_px": self.detector.input_px,
            "cautions": cautions(description),
            "confidence": verdicts.CONFIDENCE,
            "limits": asdict(self.limits),
            "card": self.card,
        }


def application(detector: Detector, limits: Limits, card: str = "", names: tuple[str, ...] = ()) -> Doorkeeper:
    """The web application of a detector, for any server of ASGI; `names` are further hosts that it is known by."""
    desk = Desk(devices.cores(), limits.n_waiting, limits.held_bytes)
    service = Service(replace(detector, max_pixels=limits.image_pixels), card, limits, desk)

    @asynccontextmanager
    async def at_work(_: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()

    app = FastAPI(title="dda", version=dda.__version__, docs_url=None, redoc_url=None, lifespan=at_work)
    for path, (name, kind) in STATIC.items():
        _serve_file(app, path, (PAGE / name).read_bytes(), kind)
    _add_routes(app, service)
    _add_errors(app)
    return Doorkeeper(app, names)


def _serve_file(app: FastAPI, path: str, content: bytes, kind: str) -> None:
    async def file() -> Response:
        return Response(content, media_type=kind)

    app.add_api_route(path, file, methods=["GET", "HEAD"], include_in_schema=False)


def _add_routes(app: FastAPI, service: Service) -> None:
    @app.get("/health", summary="Whether the server answers, and how busy it is.")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "requests": service.desk.n_taken, "room_for": service.desk.n_places}

    @app.get("/api/model", summary="The detector, its calibration, and the limits of this server.")
    async def model() -> dict[str, Any]:
        return service.about()

    @app.post("/api/detect", summary="What the detector says of images.", openapi_extra=REQUEST, responses=RESPONSES)
    async def detect(request: Request) -> JSONResponse:
        return JSONResponse(await _answered(service, request))


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return _told(error.status, str(error), {"connection": "close"})

    @app.exception_handler(Busy)
    async def busy(_: Request, error: Busy) -> JSONResponse:
        return _told(503, str(error), {"retry-after": "5", "connection": "close"})

    @app.exception_handler(SetupError)
    async def mistaken(_: Request, error: SetupError) -> JSONResponse:
        return _told(422, str(error))

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: HTTPException) -> JSONResponse:
        return _told(error.status_code, error.detail, dict(error.headers or {}))

    @app.exception_handler(500)
    async def failed(_: Request, __: Exception) -> JSONResponse:
        return _told(500, "something went wrong here; the server's own output says what")


def _told(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, headers)


async def _answered(service: Service, request: Request) -> dict[str, Any]:
    """Read the request, wait for a thread, work; whatever was held in memory is given back at the end."""
    held = 0

    def hold(n_bytes: int) -> None:
        nonlocal held
        service.desk.hold(n_bytes)
        held += n_bytes

    def work(until: float) -> list[dict[str, Any]]:
        return answers.rows(service.detector, upload.images, question, until)

    try:
        upload = await _received(request, service.limits, hold)
        question = answers.asked(upload.options, service.detector)
        rows = await service.desk.answer(work, service.limits.answer_s)
    finally:
        service.desk.hold(-held)
    return {"model": service.detector.description.get("name", "detector"), "images": rows}


async def _received(request: Request, limits: Limits, hold: Callable[[int], None]) -> Upload:
    """The upload, or Refused: once what a client still sends was let pass for a moment, since it may not listen yet."""
    body = Body(request.receive)
    try:
        async with asyncio.timeout(limits.body_s):
            return await uploaded.read(body.pieces(), request.headers, limits, hold)
    except TimeoutError as error:
        raise Refused(408, f"the request was not here after {limits.body_s:g} seconds") from error
    except (Refused, Busy) as refusal:
        if body.begun and not isinstance(refusal, Gone):
            await body.let_pass(LET_PASS_S)
        raise
