"""The server's periodic jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from server.checks import pieces
from server.checks.pending import decide_waiting
from server.clips.tus import upload_folder
from server.clips.uploads import remove_stale
from server.context import Server
from server.join.service import run_join
from server.keeping.periodic import GoOn, Job
from server.keeping.purge import run_purge
from server.people.removal import remove_orphans
from server.sites.notices import find_quiet_boxes
from server.users import logins

DECIDED_AT_ONCE: Final = 50


def _quiet_boxes(server: Server, _go_on: GoOn) -> None:
    with server.database.transaction() as session:
        find_quiet_boxes(session, datetime.now(UTC), server.settings)


def _waiting_checks(server: Server, go_on: GoOn) -> None:
    while go_on() and decide_waiting(server, DECIDED_AT_ONCE):
        pass


def _join(server: Server, go_on: GoOn) -> None:
    run_join(server, go_on=go_on)


def _purge(server: Server, go_on: GoOn) -> None:
    run_purge(server, go_on=go_on)


def _stale_uploads(server: Server, _go_on: GoOn) -> None:
    remove_stale(server, upload_folder(server), datetime.now(UTC))


def _ended_logins(server: Server, _go_on: GoOn) -> None:
    with server.database.transaction() as session:
        logins.purge(session, server, datetime.now(UTC))


def _pieces_without_rows(server: Server, _go_on: GoOn) -> None:
    """Of a week that ended the day before yesterday, which nobody writes any more; days without a run are made up."""
    for days in range(2, 9):
        pieces.remove_orphans(server, datetime.now(UTC).date() - timedelta(days=days))


def _photos_without_rows(server: Server, _go_on: GoOn) -> None:
    remove_orphans(server, datetime.now(UTC))


JOBS: Final = (
    Job("quiet boxes", timedelta(minutes=1), _quiet_boxes),
    Job("waiting checks", timedelta(minutes=1), _waiting_checks),
    Job("join", timedelta(minutes=5), _join),
    Job("stale uploads", timedelta(hours=1), _stale_uploads, on_each=True),
    Job("ended logins", timedelta(hours=1), _ended_logins),
    Job("purge", timedelta(hours=6), _purge),
    Job("pieces without rows", timedelta(hours=24), _pieces_without_rows),
    Job("photos without rows", timedelta(hours=24), _photos_without_rows),
)
