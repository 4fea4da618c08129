"""How long a city's settlements take to be imported and joined with the checks of its boxes, on both databases.

    python -m benchmarks.join                     10,000, 100,000 and 1,000,000 settlements on SQLite and PostgreSQL
    python -m benchmarks.join --counts 10000 --databases sqlite

Half of the institutions have a box. Three in five of their settlements have a check: two of these bear its number, one
is found by time. So a million settlements come with three hundred thousand checks. Each run is a process of its own,
whose memory is told; checks are put into the database beforehand and their time does not count.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from benchmarks.settlement_files import FIRST, institution_codes, write_settlements
from renzheng.clock import as_utc
from server.context import Server
from server.database import Database
from server.join import service
from server.key_ring import KeyRing
from server.schema import create_schema
from server.settings import ServerSettings
from server.settlements.imports import COMMAND_LINE, import_file
from server.settlements.kinds import ImportKind
from server.store.local import LocalStore
from server.tables import BoxReport, Check, CheckToJoin, Device, District, Institution, InstitutionType, Pairing

COUNTS = (10_000, 100_000, 1_000_000)
GOAL_S = 120.0
GOAL_MB = 1024.0
LATER = 1_000
"""Checks of the last run, which shows what a run costs when little is new."""

_BODY = {"contract_version": 1, "kind": "swipe", "tracks": [{"track": n, "numbers": [0.1] * 60} for n in range(6)]}
_AT_ONCE = 5_000


def fill(server: Server, table: Path, days: int = 30) -> int:
    """Institutions, boxes with an hourly report, and checks; returns how many checks."""
    create_schema(server.database.engine)
    now, codes = datetime.now(UTC), institution_codes()
    boxes = {code: f"box-{code}" for code in codes[: len(codes) // 2]}
    with server.database.transaction() as session:
        session.add(District(code="330281", name="余姚市"))
        session.flush()
        places = [_institution(code, now) for code in codes]
        session.execute(insert(Institution), places)
        devices = [
            {"id": box, "institution_id": code, "label": "-", "created_at": now, "enrolled_at": FIRST}
            for code, box in boxes.items()
        ]
        session.execute(insert(Device), devices)
        for box in boxes.values():
            session.execute(insert(BoxReport), [_report(box, hour, now) for hour in range(24 * days)])
    checks, added = _checks(table, boxes, now), 0
    while rows := list(islice(checks, _AT_ONCE)):
        added += _add(server, rows)
    return added


def _institution(code: str, now: datetime) -> dict[str, Any]:
    kind = InstitutionType.PHARMACY
    return {
        "id": code, "fixmedins_code": code, "fixmedins_name": code, "fixmedins_type": kind, "district_code": "330281",
        "hours": {}, "created_at": now,
    }  # fmt: skip


def _report(box: str, hour: int, now: datetime) -> dict[str, Any]:
    start = FIRST + timedelta(hours=hour)
    return {
        "device_id": box, "report_id": f"r{hour}", "period_start": start, "period_end": start + timedelta(hours=1),
        "received_at": now, "body": {},
    }  # fmt: skip


def _checks(table: Path, boxes: dict[str, str], now: datetime) -> Iterator[dict[str, Any]]:
    chance, number = random.Random(11), 0
    with table.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            code = row["fixmedins_code"]
            if code not in boxes:
                continue
            number += 1
            if number % 5 > 2:
                continue
            name = row["setl_id"] if number % 5 < 2 else f"{row['terminal_id']}-{number}"
            moment = as_utc(datetime.fromisoformat(row["setl_time"])) - timedelta(seconds=chance.uniform(2, 15))
            yield {
                "device_id": boxes[code], "delivery_id": name, "body_sha256": "-" * 64, "kind": "swipe",
                "setl_id": name, "institution_id": code, "district_code": "330281", "terminal_id": row["terminal_id"],
                "psn_no": row["psn_no"], "happened_at": moment - timedelta(seconds=20), "clock_offset_s": 20.0,
                "verdict": "match", "reasons": [], "body": _BODY, "clip_due": False, "finished_at": moment,
                "received_at": now,
            }  # fmt: skip


def _add(server: Server, rows: list[dict[str, Any]]) -> int:
    with server.database.transaction() as session:
        before = session.scalar(select(func.max(Check.id))) or 0
        session.execute(insert(Check), rows)
        service.checks_were_added(session, list(session.scalars(select(Check.id).where(Check.id > before))))
    return len(rows)


def measure(url: str, count: int, folder: Path) -> dict[str, float]:
    """One run over a database that is empty; times in seconds, memory in MB."""
    keys, table = KeyRing.made(), folder / "settlements.csv"
    settings = ServerSettings(data_dir=folder, database_url=url, key_ring=keys.text())
    server = Server(settings, Database(url), keys, LocalStore(folder / "store"))
    write_settlements(table, count)
    checks = fill(server, table)
    begun = time.perf_counter()
    with table.open("rb") as stream:
        told = import_file(server, ImportKind.SETTLEMENTS, table.name, stream, COMMAND_LINE)
    imported = time.perf_counter()
    run = service.run_join(server)
    joined = time.perf_counter()
    with server.database.transaction(writes=False) as session:
        pairs = session.scalars(select(func.count()).select_from(Pairing)).one()
    again = _again(server)
    server.close()
    assert run.finished and told.added == count
    return {
        "settlements": count, "checks": checks, "joined": pairs, "import_s": imported - begun,
        "join_s": joined - imported, "both_s": joined - begun, "later_s": again,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def _again(server: Server) -> float:
    """Seconds of a run that looks at some checks again, as when a few came in since the last."""
    with server.database.transaction() as session:
        _look_again(session)
    begun = time.perf_counter()
    service.run_join(server)
    return time.perf_counter() - begun


def _look_again(session: Session) -> None:
    ids = session.scalars(select(Check.id).order_by(Check.id.desc()).limit(LATER))
    session.execute(insert(CheckToJoin), [{"check_id": one} for one in ids])


def run_one(database: str, count: int) -> dict[str, float]:
    """One run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.join", "--one", database, "--counts", str(count)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, float] = json.loads(told.splitlines()[-1])
    return figures


def _one(database: str, count: int) -> None:
    from tests.server.cluster import programs, running_cluster

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="renzheng-join-")))
        url = f"sqlite:///{folder / 'renzheng.sqlite'}"
        if database == "postgresql":
            found = programs()
            if found is None:
                raise SystemExit("PostgreSQL's programs are not installed")
            url = f"{stack.enter_context(running_cluster(found))}/postgres"
        print(json.dumps(measure(url, count, folder)))


def show(database: str, told: dict[str, float]) -> str:
    """One line of the table."""
    met = told["both_s"] <= GOAL_S and told["peak_mb"] <= GOAL_MB
    return (
        f"{'ok   ' if met else 'SHORT'}  {database:10}  {told['settlements']:>9,.0f} settlements"
        f"  {told['checks']:>7,.0f} checks  {told['joined']:>7,.0f} joined  import {told['import_s']:6.1f} s"
        f"  join {told['join_s']:6.1f} s  both {told['both_s']:6.1f} s  {LATER:,} later {told['later_s']:5.2f} s"
        f"  {told['peak_mb']:4.0f} MB"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.join", description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS), help="settlements of each run")
    parser.add_argument("--databases", nargs="+", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"])
    parser.add_argument("--one", choices=["sqlite", "postgresql"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        _one(arguments.one, arguments.counts[0])
        return
    for database in arguments.databases:
        for count in arguments.counts:
            print(show(database, run_one(database, count)), flush=True)


if __name__ == "__main__":
    main()
