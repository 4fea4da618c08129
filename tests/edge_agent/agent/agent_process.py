"""An agent as an operator has it: ``renzheng edge run`` in a process of its own, with a file for a camera.

``python -m tests.edge_agent.agent.agent_process CONFIG CLOCK`` runs one whose clock is ahead by the seconds that the
file ``CLOCK`` holds.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import psutil

from edge_agent.agent.agent import Agent
from edge_agent.edge_config import read_config
from edge_agent.logs import start_logging
from renzheng.clock import from_seconds
from tests.edge_agent.numbered_video import FPS, x264
from tests.edge_agent.planted import WH, picture
from tests.edge_agent.stand_in import free_port

CONFIG = """
fixmedins_code = "P33028100001"
data_dir = "{data}"
usual_minutes = 0

[http]
port = {port}

[references]
gallery = "{gallery}"

[keep]
min_free_gib = 0.004

[[camera]]
id = "counter"
url = "file:{video}"
loop = true
ring_gib = 0.01
segment_s = 1

[[terminal]]
id = "T01"
camera = "counter"
before_s = 1.0
after_s = 0.5
{more}
"""


@dataclass(frozen=True)
class FileClock:
    """The box's clock, set by as many seconds as a file says; every process of an agent sees the same."""

    path: Path

    def now_s(self) -> float:
        return time.time() + float(self.path.read_text() or 0)

    def steady_s(self) -> float:
        return time.monotonic()

    def real_s(self, agent_s: float) -> float:
        return agent_s

    def set_by(self, seconds: float) -> None:
        """Set it, whole in one step."""
        part = self.path.with_suffix(".part")
        part.write_text(str(seconds))
        part.replace(self.path)


def write_room(path: Path, seconds: int = 3) -> Path:
    """Footage of a room with nobody in it, as a real camera gives it: still, with a little noise."""
    draw = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"preset": "ultrafast", **x264(FPS // 2, "bframes=0")}
        )
        stream.width, stream.height, stream.pix_fmt = *WH, "yuv420p"
        for _ in range(seconds * FPS):
            noisy = picture(()).astype(np.int16) + draw.integers(-3, 4, (WH[1], WH[0], 1), dtype=np.int16)
            frame = av.VideoFrame.from_ndarray(np.clip(noisy, 0, 255).astype(np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class AgentProcess(AbstractContextManager["AgentProcess"]):
    """One agent in ``folder``; it may be killed and started again."""

    def __init__(
        self, folder: Path, video: Path, gallery: Path, *, data: Path | None = None, more: str = "", clock: bool = False
    ) -> None:
        self.folder = folder
        self.data = data or folder / "data"
        self.port = free_port()
        self.config = folder / "edge.toml"
        given = {"data": self.data, "port": self.port, "gallery": gallery, "video": video, "more": more}
        self.config.write_text(CONFIG.format(**given), encoding="utf-8")
        self.clock = FileClock(folder / "clock") if clock else None
        if self.clock is not None:
            self.clock.set_by(0.0)
        self.log = folder / "agent.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __exit__(self, *error: object) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def start(self, *, ready: bool = True) -> None:
        """Start it and return when it is ready, or else when it answers."""
        own = ["-m", __spec__.name if __spec__ else "", str(self.config), str(self.clock.path if self.clock else "")]
        usual = ["-m", "renzheng", "edge", "run", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *(own if self.clock else usual)], stdout=log, stderr=log, start_new_session=True
            )
        self.until(self._ready if ready else self._answers, 60.0)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text("utf-8")[-3000:]
        with suppress(httpx.HTTPError):
            return self.get("/healthz").status_code == 200
        return False

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text("utf-8")[-3000:]
        with suppress(httpx.HTTPError):
            cameras = self.status()["cameras"]
            return self.get("/readyz").status_code == 200 and all(camera["state"] == "live" for camera in cameras)
        return False

    def until(self, condition: Callable[[], object], within_s: float = 30.0) -> None:
        """Wait for something to become true."""
        ends = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < ends, self.log.read_text("utf-8")[-3000:]
            time.sleep(0.05)

    def get(self, path: str) -> httpx.Response:
        """One page."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10, trust_env=False)

    def status(self) -> dict[str, Any]:
        """What the box says of itself."""
        state: dict[str, Any] = self.get("/v1/status").json()
        return state

    def now_s(self) -> float:
        """The box's time of day."""
        return self.clock.now_s() if self.clock else time.time()

    def post(self, swipe_id: str, psn_no: str, *, wait: str = "", ago_s: float = 0.0, **given: str) -> httpx.Response:
        """A terminal hands in a swipe."""
        swipe = {
            "setl_id": swipe_id,
            "psn_no": psn_no,
            "terminal_id": "T01",
            "setl_time": from_seconds(self.now_s() - ago_s).isoformat(),
        }
        query = f"?wait={wait}&timeout_s=20" if wait else ""
        address = f"http://127.0.0.1:{self.port}/v1/swipes{query}"
        return httpx.post(address, json=swipe | given, timeout=30, trust_env=False)

    def check_of(self, swipe_id: str) -> dict[str, Any] | None:
        """What the box answers about a swipe, once its check is final."""
        answer: dict[str, Any] = self.get(f"/v1/swipes/{swipe_id}").json()
        return answer if answer.get("verdict") else None

    def processes(self) -> list[psutil.Process]:
        """Main and everything below it."""
        assert self.process is not None
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    def vision(self) -> psutil.Process:
        """The vision process: the child with the most memory."""
        return max(self.processes()[1:], key=lambda process: process.memory_info().rss)

    def terminate(self, within_s: float = 40.0) -> tuple[int, float]:
        """SIGTERM; returns the exit status and how long it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(within_s), time.monotonic() - began

    def logged(self) -> list[dict[str, Any]]:
        """Its log so far."""
        lines = self.log.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs any more."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


async def _run(config: Path, clock: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Agent(read_config(config), FileClock(clock)).run(stop)


if __name__ == "__main__":
    start_logging("main")
    # processes that unpickle the clock look for it under this module's own name
    from tests.edge_agent.agent import agent_process

    asyncio.run(agent_process._run(Path(sys.argv[1]), Path(sys.argv[2])))
