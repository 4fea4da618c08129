"""What the box answers over HTTP: swipes from terminals, health, metrics, the status page.

By default it listens on loopback and answers only requests that name this machine, so that a page of somebody else's
cannot reach it through a browser under a name of its own. Where a token is configured every address but the health
checks asks for it: as a bearer token, or as the password of a browser's prompt.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import TypeAdapter

from edge_agent.box.metrics import CONTENT_TYPE, BoxMetrics
from edge_agent.box.pages import CONTENT_POLICY, Language, render_page, style
from edge_agent.box.swipes import add_swipe_routes
from edge_agent.box.view import BoxState, BoxView
from edge_agent.edge_config import HttpConfig, secret_of
from edge_agent.swipe_sources.intake import Intake
from renzheng.errors import BadInput

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "::1", "localhost")
OPEN_TO_ALL = ("/healthz", "/readyz")
CONNECTIONS_MAX = 256
STOP_WITHIN_S = 5
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_STATE = TypeAdapter(BoxState)

Handler = Callable[[Request], Awaitable[Response]]


def make_app(
    intake: Intake, view: BoxView, config: HttpConfig, fixmedins_code: str, metrics: BoxMetrics | None = None
) -> FastAPI:
    """The box's application. Raises :class:`~renzheng.errors.BadInput` when the token cannot be read."""
    app = FastAPI(title="Renzheng box", docs_url=None, redoc_url=None, openapi_url=None)
    counted = metrics or BoxMetrics(view)
    _add_guard(app, config)
    add_swipe_routes(app, intake, counted, fixmedins_code)
    _add_state_routes(app, view, counted)
    _add_page_routes(app, view)
    return app


def _add_guard(app: FastAPI, config: HttpConfig) -> None:
    token = secret_of(config.token_file)
    hosts = LOOPBACK if config.host in LOOPBACK else None

    @app.middleware("http")
    async def guard(request: Request, handle: Handler) -> Response:
        if hosts and _host_of(request) not in hosts:
            response: Response = _refusal(421, "wrong_host", "expected a request to this machine by its own name")
        elif token and request.url.path not in OPEN_TO_ALL and not _shows(request, token):
            response = _refusal(401, "token_needed", "expected the box's token")
            response.headers["WWW-Authenticate"] = 'Basic realm="Renzheng", charset="UTF-8"'
        else:
            response = await handle(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def _host_of(request: Request) -> str:
    """The name the request was sent to, without its port."""
    host = request.headers.get("host", "")
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0].lower()


def _shows(request: Request, token: str) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif kind.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode("utf-8"), token.encode("utf-8"))


def _refusal(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": code, "message": message}, status)


def _add_state_routes(app: FastAPI, view: BoxView, metrics: BoxMetrics) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        """The agent's loop turns."""
        return JSONResponse({"status": "ok"})

    @app.get("/readyz")
    async def readyz() -> Response:
        """Whether swipes are taken and checked, and the kinds of problems there are."""
        state = view.state()
        kinds = sorted({problem.kind.value for problem in state.problems})
        return JSONResponse({"ready": state.is_ready, "problems": kinds}, 200 if state.is_ready else 503)

    @app.get("/v1/status")
    async def status() -> Response:
        """Everything the page shows, for `renzheng edge status`."""
        return Response(_STATE.dump_json(view.state()), media_type="application/json")

    @app.get("/metrics")
    async def metrics_text() -> Response:
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})


def _add_page_routes(app: FastAPI, view: BoxView) -> None:
    @app.get("/")
    async def page(request: Request, camera: str | None = None) -> Response:
        return HTMLResponse(render_page(view.state(), _language(request), camera))

    @app.get("/style.css")
    async def style_sheet() -> Response:
        return Response(style(), media_type="text/css")

    @app.get("/cameras/{camera_id}/snapshot.jpg")
    async def snapshot(camera_id: str) -> Response:
        picture = await view.snapshot(camera_id)
        if picture is None:
            return _refusal(404, "no_picture", "no such camera, or no picture of it")
        return Response(picture, media_type="image/jpeg")


def _language(request: Request) -> Language:
    """As asked for, else as the browser prefers; Chinese when in doubt."""
    asked = request.query_params.get("lang")
    if asked not in ("zh", "en"):
        first = request.headers.get("accept-language", "").partition(",")[0].strip().lower()
        asked = "en" if first.startswith("en") else "zh"
    return "en" if asked == "en" else "zh"


def listen(host: str, port: int) -> socket.socket:
    """The open port, found by the system when ``port`` is 0. Raises :class:`BadInput` when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise BadInput(f"http: {host}:{port} cannot be listened on: {error.strerror or error}") from error


async def serve(app: FastAPI, listening: socket.socket, stop: asyncio.Event) -> None:
    """Answer on the open port until ``stop``, then finish what is being answered, for some seconds at most."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        listening.close()


class _Server(uvicorn.Server):
    """Leaves signals to the agent."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
