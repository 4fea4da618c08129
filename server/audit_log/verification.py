"""Is the audit log what the server wrote?

Each entry holds the digest of the one before, and the head holds number and digest of the last, so a change, a gap, an
addition and a cut end are found and named by number. Somebody who writes the whole chain and the head anew is found
only by a head that was noted elsewhere before: the command prints it, and takes what it printed earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from server.audit_log import repository
from server.audit_log.service import FIRST_DIGEST, digest_of
from server.tables import AuditEntry


class Fault(StrEnum):
    """What was done to entries behind the server's back."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    CUT = "cut"
    REWRITTEN = "rewritten"


_WORDS = {
    Fault.CHANGED: "changed after it was written",
    Fault.REMOVED: "removed",
    Fault.INSERTED: "put in by somebody else than the server",
    Fault.CUT: "cut off from the end",
    Fault.REWRITTEN: "not what it was when its digest was noted: the log was written anew up to here",
}


@dataclass(frozen=True)
class Finding:
    """Entries ``first`` to ``last`` with what is wrong with them."""

    fault: Fault
    first: int
    last: int

    def __str__(self) -> str:
        if self.first == self.last:
            return f"entry {self.first}: {_WORDS[self.fault]}"
        return f"entries {self.first} to {self.last}: {_WORDS[self.fault]}"


@dataclass(frozen=True)
class Head:
    """Where the chain ends, to be noted where the server cannot write."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


@dataclass(frozen=True)
class Verified:
    """What was read, and what is wrong with it; nothing when ``findings`` is empty."""

    entries: int
    head: Head
    findings: list[Finding]


def verify_chain(session: Session, noted: Iterable[Head] = ()) -> Verified:
    """Read the whole log. ``noted`` are heads of earlier times, that must still be entries of it.

    Writers go on meanwhile; what they add after the first look is not looked at.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    found = repository.head(session)
    head = Head(found.number, found.digest) if found else Head(0, FIRST_DIGEST)
    chain = _Chain({one.number: one.digest for one in noted})
    findings = [finding for entry in repository.all_entries(session) for finding in chain.look(entry, head)]
    return Verified(chain.entries, head, findings + list(chain.end(head)))


class _Chain:
    """Walks the entries in the order of numbers."""

    def __init__(self, noted: dict[int, str]) -> None:
        self.entries = 0
        self._noted = noted
        self._number = 0
        self._digest = FIRST_DIGEST
        self._told = 0

    def look(self, entry: AuditEntry, head: Head) -> Iterator[Finding]:
        """What the next entry shows, of itself or of the one before."""
        self.entries += 1
        if entry.number < 1 or entry.number > head.number:
            yield Finding(Fault.INSERTED, entry.number, entry.number)
            return
        if entry.number > self._number + 1:
            yield Finding(Fault.REMOVED, self._number + 1, entry.number - 1)
        elif entry.previous_digest != self._digest and digest_of(entry) == entry.digest:
            yield from self._blame_before()
        if digest_of(entry) != entry.digest:
            yield self._changed(entry.number)
        elif self._noted.get(entry.number, entry.digest) != entry.digest:
            yield Finding(Fault.REWRITTEN, entry.number, entry.number)
        self._number, self._digest = entry.number, entry.digest

    def end(self, head: Head) -> Iterator[Finding]:
        """What is missing at the end."""
        if self._number < head.number:
            yield Finding(Fault.CUT, self._number + 1, head.number)
        elif self._digest != head.digest:
            yield from self._blame_before()
        for number in sorted(self._noted):
            if number > max(head.number, self._number):
                yield Finding(Fault.CUT, head.number + 1, number)

    def _changed(self, number: int) -> Finding:
        self._told = number
        return Finding(Fault.CHANGED, number, number)

    def _blame_before(self) -> Iterator[Finding]:
        """The entry before agrees with itself, but not with what followed it when it was written."""
        if self._told != self._number:
            yield self._changed(self._number)
