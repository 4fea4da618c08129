"""The database: one engine, one transaction for each request or job, committed at its boundary alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from server.audit_log.service import write_pending
from server.errors import Conflict, Unacceptable, Unavailable

BUSY_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 60
POOL = 8
POOL_OVERFLOW = 8
POOL_WAIT_S = 10
_UNIQUE_VIOLATION = "23505"


class Database:
    """Opens transactions on SQLite or PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._writing = self.engine.execution_options(renzheng_writes=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether one file holds everything."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self, *, writes: bool = True) -> Iterator[Session]:
        """A session that is committed when the block ends well and rolled back when it does not.

        What :func:`server.audit_log.service.record` was told is written last of all, so that the chain is locked
        for a moment only. Raises :class:`Unavailable` when the database does not answer, :class:`Conflict` when
        another transaction kept the same unique value meanwhile, and :class:`Unacceptable` for a value that the
        database cannot hold, such as a text with a NUL.
        """
        try:
            with Session(self._writing if writes else self.engine, expire_on_commit=False) as session:
                yield session
                write_pending(session)
                session.commit()
        except (OperationalError, NoConnection) as error:
            raise Unavailable("the database does not answer now; nothing of this was kept") from error
        except DataError as error:
            raise Unacceptable("a value is too long or too large to be kept, or is no text") from error
        except IntegrityError as error:
            if not _is_taken(error):
                raise
            raise Conflict("the same was kept by somebody else at this moment; nothing of this was kept") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable("the connection to the database broke; nothing of this was kept") from error
            raise

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _is_taken(error: IntegrityError) -> bool:
    """Whether a value is there already that may be there once."""
    return getattr(error.orig, "sqlstate", None) == _UNIQUE_VIOLATION or "UNIQUE constraint" in str(error.orig)


def _engine(url: str) -> Engine:
    """Errors go into the log with their statement and never with its values, which are numbers of persons."""
    if not url.startswith("sqlite"):
        return create_engine(
            url,
            pool_size=POOL,
            max_overflow=POOL_OVERFLOW,
            pool_timeout=POOL_WAIT_S,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"options": f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000} -c timezone=UTC"},
        )
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late, and none comes before a SELECT
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_S * 1000}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that will write takes the lock at once: taking it later fails where another wrote meanwhile."""
    writes = connection.get_execution_options().get("renzheng_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
