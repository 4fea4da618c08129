"""tus 1.0 (https://tus.io/protocols/resumable-upload): tuspyserver behind a guard of our own.

tuspyserver writes a request's bytes before it asks who sends them, and offers more extensions than a box needs. So
:func:`_guard` comes before all of it: who asks, whose upload it is, and that the request is one of those we take.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from tuspyserver.router import create_tus_router

from server.access import Box
from server.clips import uploads
from server.clips.upload_folder import UploadFolder
from server.context import Server
from server.errors import ServerError, TooLarge, Unacceptable
from server.limits import MB
from server.problems import Problem

PREFIX: Final = "/v1/clips"
VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,termination,expiration"
_BYTES: Final = "application/offset+octet-stream"

_WORDS: Final = {
    "POST": (
        "Begin an upload",
        "The clip's check has to be here. `Upload-Metadata` says what docs/contracts/uplink.md asks.",
    ),
    "HEAD": ("Ask how far an upload is", "`Upload-Offset` is what counts; an upload of another box is not there."),
    "PATCH": (
        "Send bytes of an upload",
        "At the last byte the clip is compared with its signed manifest: 460 says that it was thrown away. An empty"
        " request at the end is answered as the last one was.",
    ),
    "DELETE": ("End an upload", "What has arrived is deleted."),
}
_STATUSES: Final = {
    "POST": (400, 409, 412, 413, 429),
    "HEAD": (400, 404, 410, 412),
    "PATCH": (400, 404, 409, 410, 412, 413, 415, 460),
    "DELETE": (400, 404, 410, 412),
}

Metadata = Mapping[object, str]


class WrongVersion(ServerError):
    """Not the version of tus that is spoken here."""

    status = 412


class WrongRequest(ServerError):
    """A request of an extension that is not offered, or half a one."""

    status = 400


class WrongType(ServerError):
    """Not the content type of tus."""

    status = 415


def upload_folder(server: Server) -> UploadFolder:
    """Where the uploads of a server are while they run."""
    return UploadFolder(server.settings.data_dir / "uploads")


def upload_router(server: Server) -> APIRouter:
    """The routes by which boxes upload clips."""
    folder = upload_folder(server)

    def pre_create(request: Request, box: Box) -> Callable[[Metadata, dict[str, Any]], Awaitable[None]]:
        async def begin(metadata: Metadata, told: dict[str, Any]) -> None:
            begun = await run_in_threadpool(uploads.begin, server, folder, box, metadata, told["size"])
            request.state.upload_id = begun

        return begin

    def file_of(request: Request) -> Callable[[Metadata], dict[str, str] | None]:
        def chosen(_metadata: Metadata) -> dict[str, str] | None:
            begun = getattr(request.state, "upload_id", None)
            return None if begun is None else {"uid": begun}

        return chosen

    def at_the_end(request: Request, box: Box) -> Callable[[str, Metadata], Awaitable[None]]:
        async def finish(_path: str, metadata: Metadata) -> None:
            upload_id = request.path_params["uuid"]
            await run_in_threadpool(uploads.finish, server, folder, box, upload_id, metadata)

        return finish

    def guard(request: Request, box: Box) -> None:
        _guard(server, request, box)

    inner = create_tus_router(
        prefix=PREFIX,
        files_dir=str(folder.folder),
        max_size=server.settings.clip_mb * MB,
        days_to_keep=uploads.KEEP.days,
        pre_create_dep=pre_create,
        upload_complete_dep=at_the_end,
        file_dep=file_of,
        storage=folder,
    )
    router = APIRouter(tags=["clips"], dependencies=[Depends(guard)])
    options = _options(server.settings.clip_mb * MB)
    router.add_api_route(f"{PREFIX}/", options, methods=["OPTIONS"], status_code=204, summary="Ask about uploads")
    for route in inner.routes:
        if (route.methods, route.path) in (({"OPTIONS"}, f"{PREFIX}/"), ({"POST"}, PREFIX)):
            continue  # ours says what we offer; one address is enough
        (method,) = route.methods
        summary, description = _WORDS[method]
        router.add_api_route(
            route.path,
            route.endpoint,
            methods=[method],
            status_code=route.status_code,
            response_class=Response,
            responses={status: {"model": Problem} for status in _STATUSES[method]},
            name=f"clip_upload_{method.lower()}",
            summary=summary,
            description=description,
        )
    return router


def _options(bytes_max: int) -> Callable[[], Response]:
    def clip_upload_options() -> Response:
        """Which version and extensions of tus are spoken here, and how large a clip may be."""
        headers = {
            "Tus-Resumable": VERSION,
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(bytes_max),
        }
        return Response(status_code=204, headers=headers)

    return clip_upload_options


def _guard(server: Server, request: Request, box: Box) -> None:
    method, headers = request.method, request.headers
    if method == "OPTIONS":
        return
    if "uuid" in request.path_params:
        uploads.own_upload(server, box, request.path_params["uuid"])
    if headers.get("Tus-Resumable") != VERSION:
        raise WrongVersion(f"expected Tus-Resumable {VERSION}")
    if method == "POST":
        _guard_creation(server, request)
    if method == "PATCH":
        if headers.get("Content-Type") != _BYTES:
            raise WrongType(f"expected Content-Type {_BYTES}")
        _number(request, "Upload-Offset")
        _number(request, "Content-Length")
        if "Upload-Length" in headers:
            raise WrongRequest("expected no Upload-Length: the length was told when the upload began")


def _guard_creation(server: Server, request: Request) -> None:
    headers = request.headers
    for name in ("Upload-Concat", "Upload-Defer-Length", "Transfer-Encoding"):
        if name in headers:
            raise WrongRequest(f"expected no {name}: neither parts nor bytes come with the creation here")
    if headers.get("Content-Length", "0") != "0":
        raise WrongRequest("expected no bytes with the creation")
    size = _number(request, "Upload-Length")
    if size == 0:
        raise Unacceptable("expected at least one byte", "Upload-Length")
    if size > server.settings.clip_mb * MB:
        raise TooLarge(f"expected a clip of at most {server.settings.clip_mb} MiB")


def _number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise WrongRequest(f"expected a number in {name}")
    return int(text)
