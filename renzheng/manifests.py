"""Whether a clip is what its device signed; asked by boxes, by the server, and of exported evidence."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from renzheng.contracts import ClipManifest, SignedManifest
from renzheng.crypto import Tampered, verify
from renzheng.files import sha256_file


def verify_manifest(signed: SignedManifest, public_key: bytes, clip_path: Path, check_id: str) -> ClipManifest:
    """The manifest, once its signature is that device's, it is of that check, and the clip's bytes are those it names.

    ``public_key`` is the raw Ed25519 key, 32 bytes. A clip of the same device that is offered for another check is
    refused like any other. Raises :class:`Tampered`, which says what does not fit.
    """
    if signed.key_id != hashlib.sha256(public_key).hexdigest():
        raise Tampered(f"{clip_path}: the manifest is signed with another key, {signed.key_id[:12]}…")
    verify(public_key, signed.manifest.encode(), signed.signature)
    try:
        manifest = ClipManifest.model_validate_json(signed.manifest)
    except ValidationError as error:
        raise Tampered(f"{clip_path}: what was signed is not a manifest of a clip") from error
    if manifest.clip_id != check_id:
        raise Tampered(f"{clip_path}: the manifest is of the check {manifest.clip_id}, not of {check_id}")
    if not clip_path.is_file():
        raise Tampered(f"{clip_path}: the clip is not there")
    size = clip_path.stat().st_size
    if size != manifest.size_bytes:
        raise Tampered(f"{clip_path}: expected {manifest.size_bytes} bytes, found {size}")
    if sha256_file(clip_path) != manifest.sha256:
        raise Tampered(f"{clip_path}: the clip's bytes are not those that were signed")
    return manifest
