"""Names that are safe to use as file names."""

from __future__ import annotations

import hashlib
import re
import secrets
import time

BED_CHECK_PREFIX = "bed-"
"""Begins the ids that a box gives its bed checks. No swipe may have such an id: it would take a bed check's place."""

CHECK_ID_MAX = 128
"""Characters of the id of a check, as the contracts have it."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_MADE_HERE = re.compile(r".*--[0-9a-f]{12}")


def file_stem(identifier: str) -> str:
    """The identifier itself where it is a plain word, else its plain letters and a digest that keeps it apart."""
    if _PLAIN.fullmatch(identifier) and not identifier.endswith(".") and not _MADE_HERE.fullmatch(identifier):
        return identifier
    plain = re.sub(r"[^A-Za-z0-9]+", "-", identifier).strip("-")[:40]
    return f"{plain or 'id'}--{hashlib.sha256(identifier.encode()).hexdigest()[:12]}"


def new_id() -> str:
    """A new id of 32 hex digits that sorts by the time it was made: 48 bits of milliseconds, then 80 at random."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
