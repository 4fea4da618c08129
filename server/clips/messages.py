"""What people are shown of clips, beside their video."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from server.messages import Message


class ClipEvidence(Message):
    """A clip's manifest as its device signed it, with what is needed to verify it."""

    id: str
    check_id: int
    sha256: str
    size_bytes: int
    start: datetime = Field(description="first picture, on the box's clock")
    end: datetime
    manifest: str = Field(description="the exact text that was signed, JSON of a ClipManifest")
    key_id: str
    signature: str = Field(description="Ed25519, base64")
    public_key: str = Field(description="raw Ed25519 key of the device, base64")
    received_at: datetime
