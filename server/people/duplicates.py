"""Is this face enrolled already, under another number? An exact search over all templates of one embedder.

Each process keeps the opened vectors in memory, 512 bytes each for 128 values. New templates are read as they come;
that some were revoked or erased is noticed at the next count, and at once in the process that did it. Whoever is found
is looked up in the database, so that nobody is named who is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from calibration.sets import load_set, shipped_names
from server.context import Server
from server.key_ring import KeyRing
from server.people import repository
from server.people.templates import open_template
from server.tables import InsuredPerson
from vision.enrol import PhotoFace
from vision.gallery import Gallery
from vision.types import FloatArray

COUNT_EVERY_S = 30.0
LATE_MS = 60_000
"""A transaction that ends so late brings a template whose id is older than others that are known; one that ends later
still is noticed at the next count."""

NEAREST = 50
_ID_TIME_DIGITS = 12
_FIRST_ROWS = 1024


@dataclass(frozen=True)
class LookAlike:
    """An enrolled person whom a face looks like."""

    person: InsuredPerson
    cosine: float


@dataclass(frozen=True)
class DuplicateSearch:
    """Who looks alike, nearest first. ``searched`` is false where the pack has no threshold set to judge by."""

    searched: bool
    found: tuple[LookAlike, ...] = ()


class FaceIndex:
    """Templates of one embedder, opened, in one process; for one thread at a time."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Hold nothing."""
        self._ids: set[str] = set()
        self._newest = ""
        self._owners: list[str] = []
        self._rows: FloatArray = np.empty((0, 0), np.float32)
        self._counted_at_s = float("-inf")

    def __len__(self) -> int:
        return len(self._owners)

    def refresh(self, session: Session, keys: KeyRing, embedder_sha256: str) -> None:
        """Bring it up to date with the database."""
        self._add(keys, repository.searched_templates(session, embedder_sha256, self._since()))
        now_s = time.monotonic()
        if now_s - self._counted_at_s < COUNT_EVERY_S:
            return
        if repository.templates_in_use(session, embedder_sha256) != len(self):
            self.forget()
            self._add(keys, repository.searched_templates(session, embedder_sha256))
        self._counted_at_s = now_s

    def nearest(self, probe: FloatArray, at_least: float, but: str) -> dict[str, float]:
        """Ids of other people whose best template is at least so near one unit vector (D,), nearest first."""
        if not self._owners:
            return {}
        hits = Gallery(self._rows[: len(self)], self._owners).search(probe[None], NEAREST)
        near: dict[str, float] = {}
        for cosine, row in zip(hits.cosines[0], hits.rows[0], strict=True):
            if cosine >= at_least and self._owners[row] != but:
                near.setdefault(self._owners[row], float(cosine))
        return near

    def _since(self) -> str:
        if not self._newest:
            return ""
        made_ms = int(self._newest[:_ID_TIME_DIGITS], 16)
        return f"{max(0, made_ms - LATE_MS):0{_ID_TIME_DIGITS}x}"

    def _add(self, keys: KeyRing, found: Iterable[tuple[str, str, bytes]]) -> None:
        for template_id, person_id, sealed in found:
            if template_id in self._ids:
                continue
            row = open_template(keys, template_id, sealed)
            if len(self) == len(self._rows):
                room = np.empty((max(_FIRST_ROWS, 2 * len(self)), len(row)), np.float32)
                room[: len(self)] = self._rows.reshape(-1, len(row))  # the width is known from the first row on
                self._rows = room
            self._rows[len(self)] = row
            self._ids.add(template_id)
            self._owners.append(person_id)
            self._newest = max(self._newest, template_id)


@dataclass
class _Indexes:
    lock: threading.Lock = field(default_factory=threading.Lock)
    by_embedder: dict[str, FaceIndex] = field(default_factory=dict)


_OF_DATABASE: WeakKeyDictionary[Engine, _Indexes] = WeakKeyDictionary()


def look_alikes(
    session: Session, server: Server, person_id: str, face: PhotoFace, pack: str, embedder_sha256: str
) -> DuplicateSearch:
    """Other people than ``person_id`` whose templates are as near as few samples must be to be one person.

    That is the set's ``accept`` with its margin for few samples: a search among N people makes N comparisons, so the
    rate of false hits is N times that of one comparison. A hit is a question to a person and never an answer.
    """
    at_least = duplicate_cosine(pack)
    if at_least is None:
        return DuplicateSearch(False)
    session.connection()  # nobody waits for the database's lock while holding the index
    indexes = _indexes(server)
    with indexes.lock:
        index = indexes.by_embedder.setdefault(embedder_sha256, FaceIndex())
        index.refresh(session, server.keys, embedder_sha256)
        near = index.nearest(face.embedding, at_least, person_id)
    people = repository.people_among(session, near)
    return DuplicateSearch(True, tuple(LookAlike(people[one], near[one]) for one in near if one in people))


def duplicate_cosine(pack: str) -> float | None:
    """From which cosine on two photos are asked about; ``None`` where no set is shipped for the pack."""
    if pack not in shipped_names():
        return None
    thresholds, _ = load_set(pack)
    return thresholds.accept + thresholds.few_samples_margin


def forget_index(session: Session, server: Server) -> None:
    """Hold no template in this process any more, now and once more when the transaction ends."""
    _forget(server)
    event.listen(session, "after_commit", lambda _ended: _forget(server))


def _forget(server: Server) -> None:
    indexes = _indexes(server)
    with indexes.lock:
        for index in indexes.by_embedder.values():
            index.forget()


def _indexes(server: Server) -> _Indexes:
    return _OF_DATABASE.setdefault(server.database.engine, _Indexes())
