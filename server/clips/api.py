"""JSON routes of clips, and their video; boxes upload them by :mod:`server.clips.tus`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path
from fastapi.responses import StreamingResponse

from server.access import Needs, Subject
from server.clips import service
from server.clips.messages import ClipEvidence
from server.context import LoggedTransaction, ServerOfRequest, Transaction
from server.permissions import Permission
from server.problems import Problem
from server.query import NO_NUL, Purpose

router = APIRouter(tags=["clips"])

ClipId = Annotated[str, Path(max_length=32, pattern=NO_NUL)]


@router.get("/v1/clips/{clip_id}", summary="Show a clip's manifest", responses={404: {"model": Problem}})
def show_clip(
    subject: Annotated[Subject, Depends(Needs(Permission.SEE_CHECKS))], session: Transaction, clip_id: ClipId
) -> ClipEvidence:
    """The manifest as the box signed it, with the key that it can be verified with."""
    return service.show_clip(session, subject, clip_id)


@router.get(
    "/v1/clips/{clip_id}/video",
    summary="Look at a clip",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"video/mp4": {}}},
        206: {"content": {"video/mp4": {}}, "description": "the part that was asked for by Range"},
        404: {"model": Problem},
        416: {"model": Problem},
    },
)
def look_at_video(
    subject: Annotated[Subject, Depends(Needs(Permission.SEE_FACES))],
    session: LoggedTransaction,
    server: ServerOfRequest,
    clip_id: ClipId,
    purpose: Purpose,
    asked_range: Annotated[str | None, Header(alias="Range", description="one part, such as bytes=0-1023")] = None,
) -> StreamingResponse:
    """The video, or a part of it. Each request goes into the audit log with its purpose and the bytes it asked for."""
    video = service.look_at_video(session, server, subject, clip_id, purpose, asked_range)
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(video.part.length if video.part else video.size)}
    if video.part is not None:
        headers["Content-Range"] = video.part.content_range
    return StreamingResponse(video.blocks, 206 if video.part else 200, headers=headers, media_type="video/mp4")
