"""The tables as the ORM has them, made at once: for tests and for comparing with the migrations."""

from __future__ import annotations

from sqlalchemy import Engine, insert

from server.audit_log.service import FIRST_DIGEST
from server.migrations.running import stamp
from server.tables import AuditHead, Base


def create_schema(engine: Engine) -> None:
    """Make every table, trigger and row that an empty server begins with."""
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        connection.execute(insert(AuditHead).values(id=1, number=0, digest=FIRST_DIGEST))
        stamp(connection)
