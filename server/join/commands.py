"""``renzheng server join``."""

from __future__ import annotations

from typing import Annotated

import typer

from server.audit_log.service import SYSTEM
from server.context import Server
from server.join import service
from server.settings import server_settings


def add_commands(app: typer.Typer) -> None:
    """Have the command of this room in ``renzheng server``."""
    app.command("join")(join)


def join(
    everything: Annotated[
        bool, typer.Option("--everything", help="look at every settlement again, not only at what is new")
    ] = False,
) -> None:
    """Join settlements with checks. 关联结算与核验记录"""
    server = Server.opened(server_settings())
    try:
        run = service.run_join(server, everything=everything)
        with server.database.transaction() as session:
            service.record_run(session, SYSTEM, run)
    finally:
        server.close()
    print(
        f"{run.newly_joined} newly joined; {run.settlements_looked_at} settlements and {run.checks_looked_at} checks"
        f" looked at in {run.seconds:.1f} s"
    )
