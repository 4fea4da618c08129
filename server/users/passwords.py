"""Passwords: what one must be like, and their argon2id hashes (RFC 9106, second recommended option: 64 MiB).

A hash takes memory and tenths of a second, so it is never made while a transaction is open, and only a few at once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import Unacceptable, Unavailable

SHORTEST: Final = 12
LEAST_DIFFERENT: Final = 5
AT_ONCE: Final = 4
WAIT_S: Final = 10.0

_HASHER = PasswordHasher()
_TURNS = BoundedSemaphore(AT_ONCE)


def require_good(password: str, login: str, field: str) -> None:
    """Raises :class:`Unacceptable` for a password that is guessed too easily; length counts, not odd characters.

    Source: NIST SP 800-63B, 5.1.1.2: a least length, no rules of composition, nothing that names the user.
    """
    plain = _normal(password)
    if len(plain) < SHORTEST:
        raise Unacceptable(f"expected a password of at least {SHORTEST} characters", field)
    if len(set(plain)) < LEAST_DIFFERENT:
        raise Unacceptable(f"expected at least {LEAST_DIFFERENT} different characters in a password", field)
    if login in plain.lower():
        raise Unacceptable("expected a password without the user's name in it", field)


def hash_of(password: str) -> str:
    """Argon2id with a salt of its own. Raises :class:`Unavailable` when too many are made at once."""
    with _turn():
        return _HASHER.hash(_normal(password))


def is_right(password_hash: str | None, password: str) -> bool:
    """Whether the hash was made of this password. Of ``None`` it takes as long, and is never.

    Raises :class:`Unavailable` when too many are compared at once.
    """
    compared = _nobodys() if password_hash is None else password_hash
    with _turn():
        try:
            _HASHER.verify(compared, _normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with other costs than today's."""
    return _HASHER.check_needs_rehash(password_hash)


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody has this password")


def _normal(password: str) -> str:
    """One spelling of the same characters, whatever keyboard they came from."""
    return unicodedata.normalize("NFKC", password)


@contextmanager
def _turn() -> Iterator[None]:
    if not _TURNS.acquire(timeout=WAIT_S):
        raise Unavailable("too many log in at this moment")
    try:
        yield
    finally:
        _TURNS.release()
