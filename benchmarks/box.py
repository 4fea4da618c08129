"""An agent as a benchmark holds it: configured with file cameras, started as a command, watched from outside."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from edge_agent.edge_config import BoxFolders
from edge_agent.ring.index import SegmentIndex
from renzheng.clock import from_seconds
from renzheng.demo.footage import TownFiles
from renzheng.demo.town import INSTITUTION

START_LIMIT_S = 120.0

_WITHOUT_FIRST_LOOKS = """
from edge_agent.agent.first_looks import FirstLooks
from renzheng.__main__ import main
FirstLooks.plan = lambda *_: None
main()
"""

_HEAD = """
fixmedins_code = "{institution}"
data_dir = "data"

[http]
port = {port}

[references]
gallery = "{town.gallery}"
staff = "{town.staff}"
agents = "{town.agents}"
"""
_CAMERA = """
[[camera]]
id = "c{number}"
url = "file:{footage}"
loop = true
zones = "{town.zones}"
ring_gib = {ring_gib}
{ambient}

[[terminal]]
id = "t{number}"
camera = "c{number}"
"""


def write_config(
    folder: Path, town: TownFiles, cameras: int, *, ambient_every_s: float = 10.0, ring_gib: float = 1.0
) -> tuple[Path, int]:
    """``edge.toml`` for so many cameras that all show the demo's counter; the file and the port of the box."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    text = _HEAD.format(institution=INSTITUTION, port=port, town=town)
    ambient = f"ambient_every_s = {ambient_every_s}"
    for number in range(cameras):
        text += _CAMERA.format(number=number, footage=town.recordings[0], town=town, ring_gib=ring_gib, ambient=ambient)
    path = folder / "edge.toml"
    path.write_text(text)
    return path, port


@dataclass
class Usage:
    """Processor seconds by kind of process."""

    main: float
    vision: float
    recorders: float

    @property
    def all(self) -> float:
        """Of the box."""
        return self.main + self.vision + self.recorders


def machine_s() -> float:
    """Processor seconds of the whole machine so far, to tell what else it does: a busy one shows no box at its best."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


class RunningBox:
    """One ``renzheng edge run``."""

    def __init__(self, config: Path, port: int, cameras: int, *, first_looks: bool = True) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.folders = BoxFolders(config.parent / "data")
        self.cameras = [f"c{number}" for number in range(cameras)]
        self._log = (config.parent / "agent.log").open("wb")
        program = ["-m", "renzheng"] if first_looks else ["-c", _WITHOUT_FIRST_LOOKS]
        command = [sys.executable, *program, "edge", "run", "--config", str(config)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self._main = psutil.Process(self._process.pid)

    def __enter__(self) -> RunningBox:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()

    def wait_until_live(self) -> None:
        """Every camera records and the vision process is ready. Raises ``TimeoutError``."""
        until = time.monotonic() + START_LIMIT_S
        while time.monotonic() < until:
            time.sleep(0.5)
            try:
                state = self.get("/v1/status")
            except OSError:
                continue
            if not state["problems"] and all(camera["state"] == "live" for camera in state["cameras"]):
                return
        raise TimeoutError("the box did not get ready")

    def get(self, path: str) -> Any:
        """JSON of one of its addresses."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def swipe(self, swipe_id: str, psn_no: str, terminal: str) -> None:
        """Hand one in, now."""
        body = {
            "setl_id": swipe_id,
            "psn_no": psn_no,
            "terminal_id": terminal,
            "setl_time": from_seconds(time.time()).isoformat(),
        }
        request = urllib.request.Request(
            f"{self.url}/v1/swipes", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=10).close()

    def after_window_s(self) -> list[float]:
        """Of every finished check, seconds from the end of its window to its verdict."""
        query = "SELECT finished_s, body FROM checks WHERE body IS NOT NULL"
        with closing(sqlite3.connect(f"file:{self.folders.store}?mode=ro", uri=True, timeout=10)) as store:
            rows = [(finished_s, json.loads(body)["window_end"]) for finished_s, body in store.execute(query)]
        return [finished_s - _seconds(window_end) for finished_s, window_end in rows]

    def verdicts(self) -> Counter[str]:
        """Finished checks by verdict."""
        with closing(sqlite3.connect(f"file:{self.folders.store}?mode=ro", uri=True, timeout=10)) as store:
            return Counter(dict(store.execute("SELECT verdict, count(*) FROM checks GROUP BY verdict")))

    def lost(self) -> tuple[int, int]:
        """Packets that were dropped, and gaps, over all cameras."""
        dropped, gaps = 0, 0
        for camera in self.cameras:
            with SegmentIndex(self.folders.ring(camera)) as index:
                status, extent = index.status(), index.extent()
                dropped += status.dropped if status else 0
                gaps += len(index.gaps(extent)) if extent else 1
        return dropped, gaps

    def usage(self) -> Usage:
        """Processor seconds so far."""
        visions, recorders = self._children()
        return Usage(_cpu_s(self._main), sum(map(_cpu_s, visions)), sum(map(_cpu_s, recorders)))

    def memory_mb(self) -> dict[str, float]:
        """Memory that belongs to each process alone, MB, by what it is."""
        visions, recorders = self._children()
        found = {"main": self._main}
        found |= {f"vision {number}": process for number, process in enumerate(visions, start=1)}
        found |= {f"recorder {number}": process for number, process in enumerate(recorders)}
        return {name: process.memory_full_info().uss / 2**20 for name, process in found.items()}

    def _children(self) -> tuple[list[psutil.Process], list[psutil.Process]]:
        """Vision processes, which are spawned, and recorders, which are children of the fork server."""
        children = self._main.children()
        visions = [child for child in children if any("spawn_main" in word for word in child.cmdline())]
        return visions, [grandchild for child in children for grandchild in child.children()]


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
