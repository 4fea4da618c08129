"""A parent of one recorder, to be killed: FOLDER VIDEO. Prints the recorder's process id."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from edge_agent.agent_clock import WallClock
from edge_agent.recorder.process import RecorderHandle
from tests.edge_agent.recorder.running import KEEP, a_camera

if __name__ == "__main__":
    handle = RecorderHandle(a_camera(f"file:{sys.argv[2]}", loop=True), Path(sys.argv[1]), KEEP, WallClock())
    handle.start()
    print(handle.pid, flush=True)
    time.sleep(60)
