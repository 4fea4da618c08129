"""The box under test: its configuration, its footage, its process, and the ways it is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import av
import psutil

from renzheng.demo.footage import TownFiles
from renzheng.demo.town import INSTITUTION, TERMINAL

FOOTAGE_S = 40.0
FOOTAGE_WH = (1280, 720)
HOW_KILLED = {"everything": 0.6, "the main process": 0.2, "the vision process": 0.1, "a recorder": 0.1}
"""What is killed, and how often."""

VISION_LEAST_BYTES = 120 * 2**20

CONFIG = """
fixmedins_code = "{institution}"
data_dir = "{data}"
usual_minutes = 0

[http]
port = {port}

[references]
gallery = "{gallery}"
staff = "{staff}"

[server]
url = "http://127.0.0.1:{server_port}"
timeout_s = 3
report_every_s = 20

[keep]
min_free_gib = 0.02
evidence_gib = 5
acknowledged_hours = 0
leaves = {{ match = "clip", proxy_match = "clip" }}

[[camera]]
id = "counter"
url = "file:{footage}"
loop = true
ring_gib = 0.06
segment_s = 2
zones = "{zones}"
ambient_every_s = 5

[[terminal]]
id = "{terminal}"
camera = "counter"
before_s = 1.5
after_s = 0.5
"""


def make_footage(source: Path, path: Path) -> None:
    """The counter at 1280 × 720 with a keyframe a second, so that a check costs little and thousands can be made."""
    width, height = FOOTAGE_WH
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream("libx264", rate=25, options={"preset": "veryfast", "g": "25", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in read.decode(video=0):
            if picture.time is not None and picture.time >= FOOTAGE_S:
                break
            small = picture.reformat(width=width, height=height)
            small.pict_type = 0
            written.mux(stream.encode(small))
        written.mux(stream.encode(None))


@dataclass
class Box:
    """One agent that is started again whenever it was killed."""

    folder: Path
    data: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(HOW_KILLED, 0))
    starts: int = 0
    _log: IO[bytes] | None = None

    @property
    def config(self) -> Path:
        """Its edge.toml."""
        return self.folder / "edge.toml"

    @property
    def url(self) -> str:
        """Where terminals post."""
        return f"http://127.0.0.1:{self.port}"

    def configure(self, town: TownFiles, server_port: int) -> None:
        """Write edge.toml and the footage."""
        footage = self.folder / "counter.mp4"
        make_footage(town.recordings[0], footage)
        self.config.write_text(
            CONFIG.format(
                institution=INSTITUTION,
                data=self.data,
                port=self.port,
                gallery=town.gallery,
                staff=town.staff,
                server_port=server_port,
                footage=footage,
                zones=town.zones,
                terminal=TERMINAL,
            )
        )

    def start(self) -> None:
        """Run the agent as an operator would."""
        if self._log is None:
            self._log = (self.folder / "agent.log").open("ab")
        command = [sys.executable, "-m", "renzheng", "edge", "run", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stderr=self._log, stdout=self._log, start_new_session=True)
        self.starts += 1

    def kill(self, draw: random.Random) -> str:
        """SIGKILL to one part or all of it; what is gone altogether is started again."""
        assert self.process is not None
        how = draw.choices(list(HOW_KILLED), list(HOW_KILLED.values()))[0]
        victim = None if how in ("everything", "the main process") else self._child(how, draw)
        if victim is not None:
            victim.kill()
        else:
            how = how if how == "the main process" else "everything"
            if how == "everything":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
            self.process.wait()
            self.start()
        self.kills[how] += 1
        return how

    def _child(self, how: str, draw: random.Random) -> psutil.Process | None:
        """The vision process is the child with the most memory; recorders are children of the fork server."""
        assert self.process is not None
        try:
            children = psutil.Process(self.process.pid).children()
            sizes = {child: child.memory_info().rss for child in children}
            recorders = [grandchild for child in children for grandchild in child.children()]
        except psutil.Error:
            return None
        if how == "a recorder":
            return draw.choice(recorders) if recorders else None
        largest = max(sizes, key=lambda child: sizes[child], default=None)
        return largest if largest is not None and sizes[largest] > VISION_LEAST_BYTES else None

    def end(self) -> None:
        """Leave nothing running, however the campaign ended."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self._log is not None:
            self._log.close()

    def stop(self, deadline_s: float = 60.0) -> int:
        """SIGTERM, as an operator stops it; returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(deadline_s)
