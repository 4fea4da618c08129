"""What Alembic runs to find database and tables."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from sqlalchemy import text

from server.database import Database
from server.migrations.running import LOCK_NUMBER
from server.tables import Base
from server.tables.base import UtcDateTime


def _plainly(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Types of ours as those of SQLAlchemy that they stand for: a revision says the same when ours have changed."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.JSON):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    if kind == "type" and isinstance(item, sa.BigInteger) and "sqlite" in item._variant_mapping:
        return 'sa.BigInteger().with_variant(sa.Integer(), "sqlite")'
    return False


def _run() -> None:
    database: Database | None = context.config.attributes["database"]
    if database is None:
        raise RuntimeError("migrations are run by `renzheng server migrate`")
    with database.engine.execution_options(renzheng_writes=True).begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=database.is_sqlite,
            compare_type=True,
            transactional_ddl=True,
            render_item=_plainly,
        )
        context.run_migrations()


_run()
