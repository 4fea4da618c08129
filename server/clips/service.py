"""What people may see of clips."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from server.access import Subject
from server.audit_log.service import Deed, record
from server.clips import repository
from server.clips.messages import ClipEvidence
from server.clips.ranges import Part, part_asked
from server.context import Server
from server.errors import NotFound

BLOCK_BYTES = 256 * 2**10
_NO_CLIP = "there is no such clip"


@dataclass(frozen=True)
class Video:
    """The bytes of a clip, or the part of them that was asked for."""

    blocks: Iterator[bytes]
    size: int
    part: Part | None


def show_clip(session: Session, subject: Subject, clip_id: str) -> ClipEvidence:
    """The signed manifest of a clip. Raises :class:`NotFound`."""
    found = repository.visible(session, subject, clip_id)
    if found is None:
        raise NotFound(_NO_CLIP)
    clip, _, key = found
    return ClipEvidence(
        id=clip.id,
        check_id=clip.check_id,
        sha256=clip.sha256,
        size_bytes=clip.size_bytes,
        start=clip.start,
        end=clip.end,
        manifest=clip.manifest,
        key_id=clip.key_id,
        signature=clip.signature,
        public_key=base64.b64encode(key.public_key).decode(),
        received_at=clip.received_at,
    )


def look_at_video(
    session: Session, server: Server, subject: Subject, clip_id: str, purpose: str, asked_range: str | None
) -> Video:
    """The video of a clip, logged with the part that is looked at. Raises :class:`NotFound`, :class:`BeyondTheEnd`."""
    found = repository.visible(session, subject, clip_id)
    if found is None:
        raise NotFound(_NO_CLIP)
    clip, check, _ = found
    part = part_asked(asked_range, clip.size_bytes)
    start, length = (part.start, part.length) if part else (0, clip.size_bytes)
    stream = server.store.open(clip.store_key, start)

    def blocks() -> Iterator[bytes]:
        left = length
        with stream:
            while left and (block := stream.read(min(left, BLOCK_BYTES))):
                left -= len(block)
                yield block

    told = {"start": start, "bytes": length, "check": str(check.id)}
    record(session, Deed(subject.actor, "looked_at_video", "clip", clip.id, purpose, check.district_code, told))
    return Video(blocks(), clip.size_bytes, part)
