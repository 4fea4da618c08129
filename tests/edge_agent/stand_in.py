"""The stand-in server as a test holds it: started, told how to behave, killed, and looked into."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx

START_LIMIT_S = 30.0


class Delivered(NamedTuple):
    """One delivery as the server has it. ``conflicts`` counts arrivals that said something else."""

    delivery_id: str
    kind: str
    body: dict[str, Any]
    device_id: str
    arrivals: int
    conflicts: int


class ArrivedClip(NamedTuple):
    """One clip as the server has it."""

    check_id: str
    sha256: str
    manifest: str
    path: Path


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class StandInServer:
    """One server with its folder; after a kill it starts again on the same port with what it had."""

    MODULE = "tests.edge_agent.stand_in_server"

    def __init__(self, folder: Path, port: int | None = None, **options: str) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> StandInServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and return when it answers."""
        place = ["--folder", str(self.folder), "--port", str(self.port)]
        self._process = subprocess.Popen([sys.executable, "-m", self.MODULE, *place, *self._options])
        until_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < until_s:
            with suppress(httpx.HTTPError):
                httpx.get(f"{self.url}/control", trust_env=False)
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        self.kill()
        raise RuntimeError("the stand-in server did not start")

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill and start again."""
        self.kill()
        self.start()

    def tell(self, **change: Any) -> None:
        """Faults, behaviour, people, staff, revoke: see ``add_control``."""
        httpx.put(f"{self.url}/control", json=change, trust_env=False, timeout=10).raise_for_status()

    def fail(self, kind: str | None, **how: Any) -> None:
        """One fault from now on, or none."""
        self.tell(faults=[{"kind": kind, **how}] if kind else [])

    def requests(self) -> dict[str, int]:
        """What was asked since it started, by method and address."""
        answer: dict[str, int] = httpx.get(f"{self.url}/control", trust_env=False).json()
        return answer

    def deliveries(self) -> list[Delivered]:
        """What it has taken, in the order of first arrival."""
        rows = self._rows(
            "SELECT delivery_id, kind, body, device_id, arrivals, conflicts FROM deliveries ORDER BY position"
        )
        return [Delivered(row[0], row[1], json.loads(row[2]), *row[3:]) for row in rows]

    def clips(self) -> list[ArrivedClip]:
        """The clips it has taken, in the order of arrival."""
        return [ArrivedClip(*row[:3], Path(row[3])) for row in self._rows("SELECT * FROM clips ORDER BY rowid")]

    def clips_before_checks(self) -> set[str]:
        """Ids of checks whose clip came before them."""
        return {row[0] for row in self._rows("SELECT check_id FROM uploads WHERE came_before_check")}

    def damaged(self) -> list[str]:
        """Why uploads were thrown away."""
        return [row[0] for row in self._rows("SELECT why FROM damaged")]

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "stand_in.sqlite", timeout=10)) as connection:
            return connection.execute(sql).fetchall()
