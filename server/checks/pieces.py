"""The small files of checks: sealed, one object each, under a key that begins with the day it came.

An object is there before the row that names it is committed. What a killed server leaves between the two is found by
:func:`remove_orphans`, once its day is over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from renzheng.contracts import BedCheck, CheckDelivery, EvidencePiece, IdentityCheck
from renzheng.crypto import Tampered
from renzheng.ids import new_id
from server.checks import repository
from server.context import Server
from server.errors import ServerError
from server.tables import CheckPiece

log = logging.getLogger(__name__)

SAMPLE, STILL, SEALED_SAMPLES = "sample", "still", "sealed_samples"
PATH_MAX = 200
_LOOKED_UP_AT_ONCE = 500


class PieceDamaged(ServerError):
    """What the store holds cannot be opened."""


@dataclass(frozen=True)
class KeptPiece:
    """A piece whose object is in the store."""

    id: str
    path: str
    kind: str
    sha256: str
    size_bytes: int
    store_key: str

    def row(self, check_id: int) -> dict[str, Any]:
        """As the table has it."""
        return {**vars(self), "check_id": check_id}


def kinds_of(check: IdentityCheck | BedCheck) -> dict[str, str]:
    """What each file is that a check names."""
    named = {sample.crop: SAMPLE for sample in check.samples if sample.crop}
    if check.still:
        named[check.still] = STILL
    if check.sealed_samples:
        named[check.sealed_samples] = SEALED_SAMPLES
    return named


def why_unfit(delivery: CheckDelivery) -> str | None:
    """What is wrong with the pieces of a delivery: ``field: expected …``, or ``None``."""
    named, seen = kinds_of(delivery.check), set()
    for number, piece in enumerate(delivery.pieces):
        field = f"pieces.{number}"
        if piece.path not in named or piece.path in seen:
            return f"{field}.path: expected a file that the check names, once"
        if len(piece.path) > PATH_MAX:
            return f"{field}.path: expected at most {PATH_MAX} characters"
        seen.add(piece.path)
        try:
            data = bytes_of(piece)
        except (binascii.Error, ValueError):
            return f"{field}.data: expected base64"
        if hashlib.sha256(data).hexdigest() != piece.sha256:
            return f"{field}.sha256: expected the digest of the data"
    return None


def bytes_of(piece: EvidencePiece) -> bytes:
    """The plain bytes. Raises :class:`ValueError`."""
    return base64.b64decode(piece.data, validate=True)


def keep(server: Server, deliveries: Iterable[CheckDelivery], now: datetime) -> dict[str, list[KeptPiece]]:
    """Put the pieces of fit deliveries into the store; by delivery. All or none: raises what the store raises."""
    kept: dict[str, list[KeptPiece]] = {}
    try:
        for delivery in deliveries:
            named = kinds_of(delivery.check)
            for piece in delivery.pieces:
                one = _put(server, piece, named[piece.path], now)
                kept.setdefault(delivery.delivery_id, []).append(one)
    except BaseException:
        forget(server, [one.store_key for pieces in kept.values() for one in pieces])
        raise
    return kept


def _put(server: Server, piece: EvidencePiece, kind: str, now: datetime) -> KeptPiece:
    data, piece_id = bytes_of(piece), new_id()
    kept = KeptPiece(piece_id, piece.path, kind, piece.sha256, len(data), f"{_folder(now)}/{piece_id}")
    server.store.put(kept.store_key, server.keys.seal(data, context_of(piece_id)))
    return kept


def context_of(piece_id: str) -> str:
    """What the seal of a piece's object is tied to."""
    return f"check_pieces.object:{piece_id}"


def _folder(day: date) -> str:
    return f"pieces/{day:%Y%m%d}"


def read(server: Server, piece: CheckPiece) -> bytes:
    """The plain bytes of a piece. Raises :class:`PieceDamaged`, and what the store raises."""
    try:
        return server.keys.open(server.store.get(piece.store_key), context_of(piece.id))
    except Tampered as error:
        raise PieceDamaged("this file is damaged in the store, or its key is not in the ring") from error


def forget(server: Server, store_keys: Sequence[str]) -> None:
    """Delete objects; one that cannot be deleted now is an orphan until its day is over."""
    for key in store_keys:
        try:
            server.store.delete(key)
        except Exception:
            log.exception("an object could not be deleted: %s", key)


def forget_unnamed(server: Server, store_keys: Sequence[str]) -> None:
    """Delete those objects that no row names, as after a commit of which nobody knows whether it happened."""
    if not store_keys:
        return
    with server.database.transaction(writes=False) as session:
        used = repository.keys_in_use(session, store_keys)
    forget(server, [key for key in store_keys if key not in used])


def remove_orphans(server: Server, day: date) -> int:
    """Delete the objects of a day that no check names; how many. The day must be over for everybody who writes."""
    removed = 0
    stored = server.store.keys(f"{_folder(day)}/")
    while keys := list(islice(stored, _LOOKED_UP_AT_ONCE)):
        with server.database.transaction(writes=False) as session:
            used = repository.keys_in_use(session, keys)
        orphans = [key for key in keys if key not in used]
        forget(server, orphans)
        removed += len(orphans)
    return removed
