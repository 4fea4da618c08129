"""The signed manifest of a clip: written beside it, and checked against its bytes before anybody believes the clip."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from pydantic import ValidationError

from renzheng.contracts import BedCheck, ClipManifest, IdentityCheck, ManifestSegment, SignedManifest
from renzheng.crypto import SigningKey, Tampered
from renzheng.errors import BadInput
from renzheng.files import sha256_file, write_atomic

MANIFEST_NAME = "manifest.json"


def make_manifest(
    check: IdentityCheck | BedCheck,
    clip_path: Path,
    *,
    device_id: str,
    camera_id: str,
    codec: str,
    time_base: Fraction,
    segments: Sequence[ManifestSegment],
    made_at: datetime,
) -> ClipManifest:
    """What ties the clip at ``clip_path`` to its check, its camera and its box.

    ``time_base`` is that of the clip's time stamps, seconds. Raises :class:`BadInput` when the check names no clip,
    :class:`Tampered` when the file is not the one it names.
    """
    check_id = check.swipe_id if isinstance(check, IdentityCheck) else check.check_id
    if check.clip is None:
        raise BadInput(f"{check_id}: expected a check with a clip")
    digest = sha256_file(clip_path)
    if digest != check.clip.sha256:
        raise Tampered(f"{clip_path}: is not the clip that check {check_id} names")
    return ClipManifest(
        clip_id=check_id,
        device_id=device_id,
        fixmedins_code=check.fixmedins_code,
        camera_id=camera_id,
        sha256=digest,
        size_bytes=clip_path.stat().st_size,
        start=check.clip.start,
        end=check.clip.end,
        codec=codec,
        time_base=str(time_base),
        masked=check.clip.masked,
        segments=tuple(segments),
        clock_offset_s=check.clock_offset_s if isinstance(check, IdentityCheck) else 0.0,
        pack=check.pack,
        thresholds_name=check.thresholds.name,
        thresholds_digest=check.thresholds.digest,
        agent_version=check.agent_version,
        made_at=made_at,
    )


def sign_manifest(manifest: ClipManifest, key: SigningKey) -> SignedManifest:
    """The manifest's text and the device's signature over its bytes in UTF-8."""
    text = manifest.model_dump_json()
    return SignedManifest(manifest=text, key_id=key.key_id, signature=key.sign(text.encode()))


def manifest_beside(clip_path: Path) -> Path:
    """Where the manifest of a clip lies."""
    return clip_path.with_name(MANIFEST_NAME)


def write_manifest(signed: SignedManifest, clip_path: Path) -> Path:
    """Write it beside its clip, durably. Raises :class:`StorageFull`."""
    path = manifest_beside(clip_path)
    write_atomic(path, signed.model_dump_json() + "\n")
    return path


def read_manifest(path: Path) -> SignedManifest:
    """What :func:`write_manifest` wrote; nothing is verified. Raises :class:`BadInput`."""
    try:
        return SignedManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: the manifest cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BadInput(f"{path}: expected a signed manifest: {error.error_count()} fields are wrong") from error
