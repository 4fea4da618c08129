"""Tries at logging in, counted in the database so that it does not matter which replica is asked.

A try is counted before its password is compared, or many at once would all pass the same count.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from sqlalchemy.orm import Session

from server.context import Server
from server.errors import TooMany
from server.tables import LoginThrottle
from server.users import repository

FREE_OF_A_LOGIN: Final = 5
FREE_OF_AN_ADDRESS: Final = 30
"""Many people of one office come from one address."""

FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(minutes=15)
FORGOTTEN_AFTER: Final = timedelta(hours=1)
IPV6_PREFIX: Final = 64


@dataclass(frozen=True)
class Tried:
    """A try that was counted: the keys under which it was."""

    of_login: str
    of_address: str


def count_try(session: Session, server: Server, login: str, address: str, now: datetime) -> Tried:
    """Count a try. Raises :class:`TooMany` while that name or that address has to wait; nothing is counted then."""
    tried = Tried(key_of(server, "login", login), key_of(server, "address", _network(address)))
    for key, free in ((tried.of_login, FREE_OF_A_LOGIN), (tried.of_address, FREE_OF_AN_ADDRESS)):
        _count(repository.throttle(session, key, now), free, now)
    return tried


def forgive(session: Session, tried: Tried, now: datetime) -> None:
    """The password was right: the name starts anew, and the address gets this one try back.

    Not more: else one good account would let an address try the passwords of all others for ever.
    """
    repository.forget_throttle(session, tried.of_login)
    row = repository.throttle(session, tried.of_address, now)
    row.tried = max(0, row.tried - 1)
    if row.tried < FREE_OF_AN_ADDRESS:
        row.closed_until = None


def key_of(server: Server, kind: str, value: str) -> str:
    """Key of a name or an address; neither is stored."""
    return server.keys.blind_index("login_throttle", f"{kind}:{value}")


def _count(row: LoginThrottle, free: int, now: datetime) -> None:
    if row.closed_until is not None and row.closed_until > now:
        wait_s = ceil((row.closed_until - now).total_seconds())
        raise TooMany("too many tries at logging in: wait, or ask an admin for a new password", wait_s)
    if row.last_at + FORGOTTEN_AFTER <= now:
        row.tried = 0
    row.tried += 1
    row.last_at = now
    doublings = row.tried - free
    row.closed_until = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(doublings, 10)) if doublings >= 0 else None


def _network(address: str) -> str:
    """An IPv6 host may take any address of its network, so they count as one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
