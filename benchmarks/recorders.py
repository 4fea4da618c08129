"""What a recorder takes of its own: memory, for each way to start it, and bytes of the ring beside the packets'."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from unittest.mock import patch

import psutil

from edge_agent.agent_clock import WallClock
from edge_agent.edge_config import CameraConfig, KeepConfig
from edge_agent.recorder.process import RecorderHandle
from edge_agent.ring.index import SegmentIndex
from renzheng.demo.footage import ensure_town
from renzheng.settings import settings

WAYS = ("forkserver", "spawn")


def handles(footage: Path, folder: Path, count: int) -> list[RecorderHandle]:
    """Recorders of as many cameras that all show the same file for ever."""
    return [
        RecorderHandle(
            CameraConfig(id=f"c{number}", url=f"file:{footage}", loop=True),
            folder / f"c{number}",
            KeepConfig(min_free_gib=0.1),
            WallClock(),
        )
        for number in range(count)
    ]


def measure(recorders: Sequence[RecorderHandle], seconds: float) -> list[float]:
    """Start them, record for a while, and stop; memory that each shares with nobody, MB."""
    for recorder in recorders:
        recorder.start()
    time.sleep(seconds)
    memory = [psutil.Process(recorder.pid).memory_full_info().uss / 2**20 for recorder in recorders]
    for recorder in recorders:
        recorder.stop(5.0)
    return memory


def bytes_a_picture(folder: Path) -> float:
    """How many bytes of a ring are not the camera's, a picture."""
    on_disk = sum(path.stat().st_size for path in folder.glob("*.mp4"))
    with SegmentIndex(folder) as index:
        status = index.status()
    return (on_disk - status.bytes) / status.packets if status and status.packets else float("nan")


def main() -> int:
    """Print both ways beside each other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recorders", description=__doc__)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    footage = ensure_town(settings().cache_dir).recordings[0]
    for way in WAYS:
        with tempfile.TemporaryDirectory(prefix="renzheng-recorders-") as name:
            context = multiprocessing.get_context(way)
            with patch.object(multiprocessing, "get_context", lambda _name, context=context: context):
                memory = measure(handles(footage, Path(name), given.cameras), given.seconds)
            print(
                f"{way:10} {median(memory):5.1f} MB of its own a recorder;"
                f" {bytes_a_picture(Path(name) / 'c0'):.0f} bytes of the ring a picture beside the packets",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
