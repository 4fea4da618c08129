"""Folders of photos as the templates of a live box: noticed when they change, and only so many people kept."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from edge_agent.edge_config import ReferencesConfig
from edge_agent.logs import facts
from edge_agent.people_folder import PeopleFolder
from edge_agent.references import FolderReferences
from edge_agent.tables import AgentTable, read_agents
from renzheng.errors import BadInput
from vision.pack import VisionPack
from vision.people import Person, References

log = logging.getLogger(__name__)

PEOPLE_KEPT = 512

_Value = TypeVar("_Value")
_Stamp = tuple[int, int] | None


class WatchedFile(Generic[_Value]):
    """What was read from a file or folder, read again when its time changes, unless it is broken then."""

    def __init__(self, path: Path, read: Callable[[Path], _Value]) -> None:
        self._path, self._read = path, read
        self._stamp = _stamp(path)
        self.value = read(path)

    def refreshed(self) -> _Value:
        """The value as of now."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self.value = self._read(self._path)
            except BadInput as error:
                log.warning("changed, but cannot be read; what was read before stays", extra=facts(why=str(error)))
        return self.value


def _stamp(path: Path) -> _Stamp:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def _photos(folder: PeopleFolder, person_id: str) -> tuple[Path, ...]:
    """A person's photos. The error of a folder that cannot be listed goes into a log and must not say whose it is."""
    try:
        return folder.photos(person_id)
    except BadInput:
        raise BadInput(f"{folder.folder}: the photos of somebody in it cannot be listed") from None


class LiveFolderReferences(FolderReferences):
    """As :class:`FolderReferences`, for months: people come and go, and a person with new photos is enrolled again.

    Raises :class:`BadInput` at the start when a folder or table cannot be read.
    """

    def __init__(self, pack: VisionPack, config: ReferencesConfig) -> None:
        if config.gallery is None:
            raise BadInput("references.gallery: expected a folder of photos")
        self._gallery = WatchedFile(config.gallery, PeopleFolder)
        self._staff = WatchedFile(config.staff, PeopleFolder) if config.staff else None
        self._agents = WatchedFile(config.agents, read_agents) if config.agents else None
        self._kept: OrderedDict[tuple[str, Path], tuple[tuple[_Stamp, ...], Person]] = OrderedDict()
        super().__init__(
            pack,
            self._gallery.value,
            self._staff.value if self._staff else None,
            self._agents.value if self._agents else AgentTable(),
        )

    def references_for(self, psn_no: str, at: datetime) -> References:
        """The people a swipe by ``psn_no`` at that time is compared with, as the folders are now."""
        self.gallery = self._gallery.refreshed()
        self.agents = self._agents.refreshed() if self._agents else None
        found = super().references_for(psn_no, at)
        self._tell_refusals()
        return found

    def staff_people(self) -> tuple[Person, ...]:
        """Every member of staff with at least one usable photo, as the folder is now."""
        self.staff = self._staff.refreshed() if self._staff else None
        return super().staff_people()

    def _enrolled(self, person_id: str, folder: PeopleFolder) -> Person:
        key = person_id, folder.folder
        photos = _photos(folder, person_id)
        stamps = tuple(map(_stamp, photos))
        known = self._kept.pop(key, None)
        if known is None or known[0] != stamps:
            known = stamps, self._without_portrait(person_id, photos)
        self._kept[key] = known
        while len(self._kept) > PEOPLE_KEPT:
            self._kept.popitem(last=False)
        return known[1]

    def _without_portrait(self, person_id: str, photos: Sequence[Path]) -> Person:
        return replace(self._enrol(person_id, photos), portrait_bgr=None)

    def _tell_refusals(self) -> None:
        """Once for each photo; whose it is stays out of the log."""
        for refusal in self.refusals:
            log.warning("a photo cannot be used", extra=facts(reasons=[reason.value for reason in refusal.reasons]))
        self.refusals.clear()
