"""The manifest of a clip: what it is, where it came from, signed by the device that cut it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from renzheng.contracts.base import CONTRACT_VERSION, Contract, UtcTime
from renzheng.contracts.check import PackReference


class ManifestSegment(Contract):
    """One piece of the recording that the clip was cut from."""

    name: str
    sha256: str
    start: UtcTime = Field(description="on the box's clock")
    end: UtcTime


class ClipManifest(Contract):
    """Everything that ties a clip to its check, its camera and its box."""

    contract_version: Literal[1] = CONTRACT_VERSION
    clip_id: str = Field(description="id of the check that the clip proves")
    device_id: str
    fixmedins_code: str
    camera_id: str
    sha256: str = Field(description="of the clip's bytes")
    size_bytes: int = Field(ge=1)
    start: UtcTime = Field(description="first picture, on the box's clock")
    end: UtcTime
    codec: str
    time_base: str = Field(description="of the clip's time stamps, seconds as a fraction")
    masked: bool
    segments: tuple[ManifestSegment, ...]
    clock_offset_s: float = Field(description="added to the terminal's time to reach the box's")
    pack: PackReference
    thresholds_name: str
    thresholds_digest: str
    agent_version: str
    made_at: UtcTime


class SignedManifest(Contract):
    """A manifest as the exact text that was signed, with the signature of the device."""

    manifest: str = Field(description="JSON text of a ClipManifest; the signature covers these bytes in UTF-8")
    key_id: str = Field(description="sha256 of the raw public key, hex")
    signature: str = Field(description="Ed25519, base64")
