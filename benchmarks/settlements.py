"""How long settlements take to be imported, and how much memory, on both databases.

    python -m benchmarks.settlements                    10,000, 100,000 and 1,000,000 on SQLite and PostgreSQL
    python -m benchmarks.settlements --counts 10000 --databases sqlite

Each run is a process of its own over an empty database that knows the institutions; PostgreSQL runs beside it on the
same machine and does not wait for the disk. The file is imported twice: the second time all of it is there already.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import insert

from benchmarks.settlement_files import institution_codes, write_settlements
from server.context import Server
from server.database import Database
from server.key_ring import KeyRing
from server.schema import create_schema
from server.settings import ServerSettings
from server.settlements.imports import COMMAND_LINE, import_file
from server.settlements.kinds import ImportKind
from server.store.local import LocalStore
from server.tables import District, Institution, InstitutionType

COUNTS = (10_000, 100_000, 1_000_000)
DATABASES = ("sqlite", "postgresql")
GOAL_S_PER_MILLION = 90.0
GOAL_MB = 512.0
_DISTRICT = "330281"


class Figures(NamedTuple):
    """One run."""

    database: str
    rows: int
    import_s: float
    again_s: float
    cpu_s: float
    """Of this process while it imported first; PostgreSQL's own comes on top."""
    peak_mb: float

    @property
    def met(self) -> bool:
        """Whether it was as fast and as small as it should be."""
        return self.import_s <= GOAL_S_PER_MILLION * max(1.0, self.rows / 1e6) and self.peak_mb <= GOAL_MB

    @property
    def rows_per_s(self) -> float:
        """Rows a second, of the first import."""
        return self.rows / self.import_s


def measure(database: str, url: str, count: int, folder: Path) -> Figures:
    """Import so many invented settlements into an empty database, twice."""
    table = folder / "settlements.csv"
    write_settlements(table, count)
    server = _server(url, folder)
    _fill(server)
    cpu, first_s = time.process_time(), _import(server, table, added=count)
    cpu = time.process_time() - cpu
    again_s = _import(server, table, added=0)
    server.close()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figures(database, count, first_s, again_s, cpu, peak_mb)


def _server(url: str, folder: Path) -> Server:
    keys = KeyRing.made()
    settings = ServerSettings(data_dir=folder, database_url=url, key_ring=keys.text())
    return Server(settings, Database(url), keys, LocalStore(folder / "store"))


def _fill(server: Server) -> None:
    create_schema(server.database.engine)
    now = datetime.now(UTC)
    with server.database.transaction() as session:
        session.add(District(code=_DISTRICT, name="余姚市"))
        session.flush()
        rows = [
            {
                "id": code,
                "fixmedins_code": code,
                "fixmedins_name": code,
                "fixmedins_type": InstitutionType.PHARMACY,
                "district_code": _DISTRICT,
                "hours": {},
                "created_at": now,
            }
            for code in institution_codes()
        ]
        session.execute(insert(Institution), rows)


def _import(server: Server, table: Path, *, added: int) -> float:
    begun = time.perf_counter()
    with table.open("rb") as stream:
        told = import_file(server, ImportKind.SETTLEMENTS, table.name, stream, COMMAND_LINE)
    assert (told.added, told.rejected) == (added, 0)
    return time.perf_counter() - begun


def run_all(counts: Sequence[int] = COUNTS, databases: Sequence[str] = DATABASES) -> Iterator[Figures]:
    """Every run in a process of its own, so that one's memory is not another's."""
    for database in databases:
        for count in counts:
            command = [sys.executable, "-m", "benchmarks.settlements", "--one", database, "--counts", str(count)]
            told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            yield Figures(*json.loads(told.splitlines()[-1]))


def _one(database: str, count: int) -> None:
    from tests.server.cluster import programs, running_cluster

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="renzheng-settlements-")))
        url = f"sqlite:///{folder / 'renzheng.sqlite'}"
        if database == "postgresql":
            found = programs()
            if found is None:
                raise SystemExit("PostgreSQL's programs are not installed")
            url = f"{stack.enter_context(running_cluster(found))}/postgres"
        print(json.dumps(measure(database, url, count, folder)))


def show(told: Figures) -> str:
    """One line of the table."""
    return (
        f"{'ok   ' if told.met else 'SHORT'}  {told.database:10}  {told.rows:>9,} rows  import {told.import_s:6.1f} s"
        f"  {told.rows_per_s:>7,.0f} rows/s  cpu {told.cpu_s:5.1f} s  again {told.again_s:6.1f} s"
        f"  {told.peak_mb:4.0f} MB"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.settlements", description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS), help="settlements of each run")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=list(DATABASES))
    parser.add_argument("--one", choices=DATABASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        _one(arguments.one, arguments.counts[0])
        return
    for told in run_all(arguments.counts, arguments.databases):
        print(show(told), flush=True)


if __name__ == "__main__":
    main()
