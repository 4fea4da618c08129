"""Whether this server can do its work now."""

from __future__ import annotations

import logging

from pydantic import BaseModel, ConfigDict

from renzheng.errors import StorageFull
from server.context import Server
from server.errors import Unavailable
from server.health import repository
from server.keeping.periodic import Periodic
from server.migrations.running import is_up_to_date

log = logging.getLogger(__name__)


class Readiness(BaseModel):
    """What works, each by itself; ``ready`` when all of it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ready: bool
    database: bool
    migrated: bool
    store: bool
    periodic_jobs: bool


def readiness(server: Server, periodic: Periodic) -> Readiness:
    """Ask database, store and the thread of periodic jobs."""
    database, migrated = _database(server)
    store, jobs = _store(server), periodic.alive
    return Readiness(
        ready=database and migrated and store and jobs,
        database=database,
        migrated=migrated,
        store=store,
        periodic_jobs=jobs,
    )


def _database(server: Server) -> tuple[bool, bool]:
    try:
        with server.database.transaction(writes=False) as session:
            repository.answers(session)
        return True, is_up_to_date(server.database.engine)
    except Unavailable:
        return False, False


def _store(server: Server) -> bool:
    try:
        server.store.check()
    except (Unavailable, StorageFull, OSError) as error:
        log.warning("the store cannot be written: %s", type(error).__name__)
        return False
    return True
