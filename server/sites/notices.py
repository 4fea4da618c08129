"""Notices: what somebody should see to at a site, open until it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from server.access import Subject
from server.settings import ServerSettings
from server.sites import repository
from server.sites.repository import NoticeFilter
from server.sites.words import NoticeKind


class Noticeboard:
    """The open notices of some devices and cameras of one institution, inside one transaction."""

    def __init__(self, session: Session, institution_id: str, object_ids: Iterable[str], now: datetime) -> None:
        self._session, self._institution_id, self._now = session, institution_id, now
        open_ones = repository.open_notices(session, list(object_ids))
        self._open = {(notice.kind, notice.object_id): notice for notice in open_ones}

    def told(self, kind: NoticeKind, object_id: str) -> Mapping[str, Any] | None:
        """Detail of the open notice; ``None`` when there is none."""
        notice = self._open.get((kind.value, object_id))
        return None if notice is None else notice.detail

    def show(self, kind: NoticeKind, object_id: str, detail: Mapping[str, Any] | None) -> None:
        """Have a notice with this detail open; with ``None`` have it ended."""
        notice = self._open.get((kind.value, object_id))
        if notice is None:
            if detail is not None:
                repository.open_notice(self._session, self._institution_id, kind, object_id, detail, self._now)
        elif detail is None:
            notice.ended_at = self._now
        elif notice.detail != detail:
            notice.detail = dict(detail)

    def end_all(self) -> None:
        """End every one of them."""
        for notice in self._open.values():
            notice.ended_at = self._now


def find_quiet_boxes(session: Session, now: datetime, settings: ServerSettings) -> int:
    """Open a notice for every enrolled box that was not heard of for ``box_quiet_minutes``; returns how many are new.

    Ends those of boxes that were heard of again. Safe to run twice, and on two servers.
    """
    heard_since = now - timedelta(minutes=settings.box_quiet_minutes)
    repository.end_quiet_notices(session, heard_since, now)
    new = repository.newly_quiet(session, heard_since, now)
    for device in new:
        last = device.last_seen_at
        detail = {"last_seen_at": None if last is None else last.isoformat(timespec="seconds")}
        repository.open_notice(session, device.institution_id, NoticeKind.BOX_QUIET, device.id, detail, now)
    return len(new)


def list_notices(
    session: Session, subject: Subject, wanted: NoticeFilter, after: str, limit: int
) -> Sequence[repository.NoticeRow]:
    """Notices of the subject's district, oldest first, with the names of what they are about."""
    return repository.page_of_notices(session, subject, wanted, after, limit)


def end_notices_of(session: Session, institution_id: str, object_ids: Iterable[str], now: datetime) -> None:
    """End every open notice of some devices or cameras."""
    Noticeboard(session, institution_id, object_ids, now).end_all()
