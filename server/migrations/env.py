"""What Alembic runs to find database and tables."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from server.database import Database
from server.migrations.running import LOCK_NUMBER
from server.tables import Base


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
        )
        context.run_migrations()


_run()
