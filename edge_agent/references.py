"""Where the people a face is compared with come from: folders of photos, or whatever else keeps the Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from edge_agent.people_folder import PeopleFolder
from edge_agent.tables import AgentTable
from renzheng.contracts import Reason
from vision.enrol import PhotoFace, Refused, face_of_photo
from vision.pack import VisionPack
from vision.people import Person, References
from vision.photo import PhotoRefused, load_photo
from vision.track import CONFLICT_COSINE
from vision.types import FloatArray


class PhotoRefusal(NamedTuple):
    """One photo that could not be used, and why."""

    person_id: str
    path: Path
    reasons: tuple[Reason, ...]


class ReferenceSource(Protocol):
    """Where templates come from: a folder here, the server elsewhere."""

    def references_for(self, psn_no: str, at: datetime) -> References:
        """The people a swipe by ``psn_no`` at that time is compared with."""
        ...


def agreeing(embeddings: FloatArray) -> list[int]:
    """Which of N × D unit rows show one person: the largest group in which each is alike another, when it is more
    than half of them; else none. One photo alone agrees with itself.

    A folder with photos of two people would call its owner a stranger.
    """
    alike = embeddings @ embeddings.T >= CONFLICT_COSINE
    for _ in range(len(alike)):
        alike = (alike.astype(np.int32) @ alike) > 0
    largest = int(np.argmax(alike.sum(axis=1)))
    group = np.flatnonzero(alike[largest])
    return [int(index) for index in group] if 2 * len(group) > len(embeddings) else []


@dataclass
class FolderReferences:
    """Photos in folders, enrolled when first asked for and kept for the run."""

    pack: VisionPack
    gallery: PeopleFolder
    staff: PeopleFolder | None = None
    agents: AgentTable | None = None
    refusals: list[PhotoRefusal] = field(default_factory=list)
    _people: dict[tuple[str, Path], Person] = field(default_factory=dict)

    def references_for(self, psn_no: str, at: datetime) -> References:
        """Enrols whoever is needed; agents who cannot be compared are counted."""
        agent_ids = self.agents.agents_of(psn_no, at) if self.agents else ()
        agents = tuple(person for agent in agent_ids if (person := self.person(agent)) and len(person.templates))
        return References(
            holder=self.person(psn_no),
            agents=agents,
            staff=self.staff_people(),
            agents_without_photo=len(agent_ids) - len(agents),
        )

    def staff_people(self) -> tuple[Person, ...]:
        """Every member of staff with at least one usable photo."""
        if self.staff is None:
            return ()
        everyone = (self._enrolled(person_id, self.staff) for person_id in self.staff.person_ids())
        return tuple(person for person in everyone if len(person.templates))

    def person(self, psn_no: str) -> Person | None:
        """An insured person by number; ``None`` when there is no folder of that name."""
        return self._enrolled(psn_no, self.gallery) if psn_no in self.gallery else None

    def _enrolled(self, person_id: str, folder: PeopleFolder) -> Person:
        key = person_id, folder.folder
        if key not in self._people:
            self._people[key] = self._enrol(person_id, folder.photos(person_id))
        return self._people[key]

    def _enrol(self, person_id: str, photos: Sequence[Path]) -> Person:
        faces: list[PhotoFace] = []
        used: list[Path] = []
        for path in photos:
            try:
                found = face_of_photo(load_photo(path), self.pack)
            except PhotoRefused as refused:
                found = Refused((refused.reason,))
            if isinstance(found, Refused):
                self.refusals.append(PhotoRefusal(person_id, path, found.reasons))
            else:
                faces.append(found)
                used.append(path)
        agree = agreeing(np.stack([face.embedding for face in faces])) if faces else []
        differing = [path for index, path in enumerate(used) if index not in agree]
        self.refusals += [PhotoRefusal(person_id, path, (Reason.PHOTO_DIFFERS,)) for path in differing]
        faces = [faces[index] for index in agree]
        if not faces:
            return Person(person_id, np.empty((0, self.pack.embedder.size), np.float32))
        best = max(faces, key=lambda face: face.quality.score)
        return Person(person_id, np.stack([face.embedding for face in faces]), best.portrait_bgr)
