"""Triggers that let the audit log only grow. They stop mistakes; who owns the database can drop them.

What was done behind them is found by :mod:`server.audit_log.verification`. The migrations run the same statements.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Table, event

_WORDS = "the audit log is only added to"
_HEAD_WORDS = "the head of the audit log only goes forward"

TRIGGERS: Final[dict[str, tuple[str, ...]]] = {
    "sqlite": (
        f"""CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
            BEGIN SELECT RAISE(ABORT, '{_WORDS}'); END""",
        f"""CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
            BEGIN SELECT RAISE(ABORT, '{_WORDS}'); END""",
        # INSERT OR REPLACE deletes without a delete trigger
        """CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log
            WHEN EXISTS (SELECT 1 FROM audit_log WHERE number = NEW.number)
            BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END""",
    ),
    "postgresql": (
        f"""CREATE OR REPLACE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '{_WORDS}'; END $$""",
        """CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE ON audit_log
            FOR EACH ROW EXECUTE FUNCTION audit_log_refuse()""",
        """CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
            FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()""",
    ),
}
"""Statements by the name of the database's dialect, for the table of entries."""

HEAD_TRIGGERS: Final[dict[str, tuple[str, ...]]] = {
    "sqlite": (
        f"""CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head WHEN NEW.number <= OLD.number
            BEGIN SELECT RAISE(ABORT, '{_HEAD_WORDS}'); END""",
        f"""CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
            BEGIN SELECT RAISE(ABORT, '{_HEAD_WORDS}'); END""",
    ),
    "postgresql": (
        f"""CREATE OR REPLACE FUNCTION audit_head_refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '{_HEAD_WORDS}'; END $$""",
        """CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
            FOR EACH ROW WHEN (NEW.number <= OLD.number) EXECUTE FUNCTION audit_head_refuse()""",
        """CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
            FOR EACH ROW EXECUTE FUNCTION audit_head_refuse()""",
        """CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head
            FOR EACH STATEMENT EXECUTE FUNCTION audit_head_refuse()""",
    ),
}
"""The same for the one row that says where the chain ends."""


def guard(table: Any, statements: dict[str, tuple[str, ...]]) -> None:
    """Have the triggers made whenever the table is."""

    def make(_table: Table, connection: Connection, **_: Any) -> None:
        for statement in statements[connection.dialect.name]:
            connection.exec_driver_sql(statement)

    event.listen(table, "after_create", make)
