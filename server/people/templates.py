"""Templates as they are stored: float32 little endian, sealed for their row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from server.key_ring import KeyRing
from server.tables import FaceTemplate
from vision.types import FloatArray


def _context(template_id: str) -> str:
    return f"face_templates.sealed:{template_id}"


def seal_template(keys: KeyRing, template_id: str, embedding: FloatArray) -> bytes:
    """One unit vector (D,), sealed."""
    return keys.seal(np.asarray(embedding, "<f4").tobytes(), _context(template_id))


def open_template(keys: KeyRing, template_id: str, sealed: bytes) -> FloatArray:
    """What :func:`seal_template` sealed. Raises :class:`renzheng.crypto.Tampered`."""
    return np.frombuffer(keys.open(sealed, _context(template_id)), "<f4").astype(np.float32)


def open_templates(keys: KeyRing, templates: Sequence[FaceTemplate]) -> FloatArray:
    """M × D unit rows; 0 × 0 for none."""
    rows = [open_template(keys, template.id, template.sealed) for template in templates]
    return np.stack(rows) if rows else np.empty((0, 0), np.float32)
