"""A PostgreSQL cluster for one test run, thrown away at its end; durable it is not, and need not be."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import socket

_HOMES = ("/usr/lib/postgresql", "/usr/local/pgsql")
_ALWAYS = "-c max_connections=200 -c listen_addresses=127.0.0.1"
QUICK = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c shared_buffers=64MB"


def programs() -> Path | None:
    """Folder of ``initdb`` and ``pg_ctl``; ``None`` when PostgreSQL's server is not installed."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    found = [path.parent for home in _HOMES for path in sorted(Path(home).glob("**/bin/initdb"))]
    return found[-1] if found else None


def _as_owner(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root, so root runs it as the user its package made."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


@contextmanager
def running_cluster(bin_folder: Path, options: str = QUICK) -> Iterator[str]:
    """Start a cluster; yields the URL of its server, without a database's name."""
    folder = Path(tempfile.mkdtemp(prefix="renzheng-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(folder / "data")

    def call(*command: str) -> None:
        subprocess.run(_as_owner(list(command)), check=True, stdout=subprocess.DEVNULL, cwd=folder)

    try:
        call(str(bin_folder / "initdb"), "-D", data, "-U", "renzheng", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        all_options = f"-p {port} -k {folder} {_ALWAYS} {options}"
        call(str(bin_folder / "pg_ctl"), "-D", data, "-l", str(folder / "log"), "-w", "-o", all_options, "start")
        yield f"postgresql+psycopg://renzheng@127.0.0.1:{port}"
    finally:
        call(str(bin_folder / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
