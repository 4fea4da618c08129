"""What every request and job of one server process shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from server.database import Database
from server.key_ring import KeyRing
from server.settings import ServerSettings
from server.store import ObjectStore, open_store

READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Server:
    """One server process: its settings, database, keys and object store."""

    settings: ServerSettings
    database: Database
    keys: KeyRing
    store: ObjectStore

    @classmethod
    def opened(cls, settings: ServerSettings) -> Server:
        """Everything the settings name, opened. Raises :class:`BadInput` for what cannot be."""
        keys = KeyRing.read(settings.key_ring.get_secret_value())
        return cls(settings, Database(settings.url), keys, open_store(settings))

    def close(self) -> None:
        """Close what was opened."""
        self.database.close()


def server_of(request: Request) -> Server:
    """The server that serves a request."""
    server: Server = request.app.state.server
    return server


ServerOfRequest = Annotated[Server, Depends(server_of)]


def _transaction(request: Request, server: ServerOfRequest) -> Iterator[Session]:
    with server.database.transaction(writes=request.method not in READING) as session:
        yield session


def _logged_transaction(server: ServerOfRequest) -> Iterator[Session]:
    with server.database.transaction() as session:
        yield session


Transaction = Annotated[Session, Depends(_transaction, scope="function")]
"""The transaction of a request, committed before the answer leaves. Of a GET it only reads."""

LoggedTransaction = Annotated[Session, Depends(_logged_transaction, scope="function")]
"""For a GET whose look at a face or a number goes into the audit log."""
