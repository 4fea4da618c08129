"""Eight hours of four cameras, faster than life: memory and open files of every process, and the ring's budget.

An hour after warm-up is compared with the last. Ring, swipes and glances go at their usual pace on the replayed clock.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil

from benchmarks.box import write_config
from edge_agent.agent.agent import Agent, Replayed
from edge_agent.agent.replay import ReplayedSwipes
from edge_agent.agent_clock import Leg, ReplayClock
from edge_agent.edge_config import GIB, read_config
from edge_agent.ring.index import SegmentIndex
from renzheng.clock import from_seconds
from renzheng.contracts import Swipe
from renzheng.demo.footage import ensure_town
from renzheng.demo.town import INSTITUTION
from renzheng.settings import settings

CAMERAS = 4
HOUR_S = 3600.0
RING_GIB = 0.5
SWIPES_AN_HOUR = 20
SAMPLE_EVERY_S = 1.0
GROWTH_GOAL = 0.05
BEGIN_AFTER_S = 6.0
WARM_UP_HOURS = 0.75
"""What is kept of each camera's place is full after forty minutes: 32 glances, 75 s apart."""


@dataclass(frozen=True)
class Sample:
    """One process at one replayed moment."""

    hour: float
    memory_mb: float
    files: int


def run_soak(hours: float, speed: float, folder: Path) -> tuple[dict[str, list[Sample]], int, int]:
    """Play it; samples by process, the largest ring in bytes, and how many checks were made."""
    town = ensure_town(settings().cache_dir)
    config = read_config(write_config(folder, town, CAMERAS, ring_gib=RING_GIB)[0])
    start_s = datetime(2026, 5, 4, tzinfo=UTC).timestamp()
    clock = ReplayClock((Leg(start_s, hours * HOUR_S),), speed, time.monotonic() + BEGIN_AFTER_S)
    cards = [path.name for path in sorted(town.gallery.iterdir())]
    swipes = [
        Swipe(
            setl_id=f"S{number}",
            psn_no=cards[number % len(cards)],
            fixmedins_code=INSTITUTION,
            terminal_id=f"t{number % CAMERAS}",
            setl_time=from_seconds(start_s + 120 + number * HOUR_S / SWIPES_AN_HOUR),
        )
        for number in range(int((hours - 0.1) * SWIPES_AN_HOUR))
    ]
    samples: dict[str, list[Sample]] = defaultdict(list)
    largest = [0]
    over = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(clock, config.data_dir, samples, largest, over), name="soak watcher", daemon=True
    )
    watcher.start()
    agent = Agent(config, clock, Replayed(sources=(ReplayedSwipes(swipes, config, clock),)))
    checks = asyncio.run(_play(agent, clock, start_s + hours * HOUR_S))
    over.set()
    watcher.join()
    return samples, largest[0], checks


async def _play(agent: Agent, clock: ReplayClock, end_s: float) -> int:
    stop = asyncio.Event()
    running = asyncio.create_task(agent.run(stop))
    while clock.now_s() < end_s and not running.done():
        await asyncio.sleep(1.0)
    checks = sum(agent.parts.store.counts_by_verdict().values()) if agent.parts else 0
    stop.set()
    await running
    return checks


def _watch(
    clock: ReplayClock, data: Path, samples: dict[str, list[Sample]], largest: list[int], over: threading.Event
) -> None:
    began_s = clock.legs[0].start_s
    while not over.wait(SAMPLE_EVERY_S):
        hour = (clock.now_s() - began_s) / HOUR_S
        for name, process in _processes():
            try:
                memory = process.memory_full_info().uss / 2**20
                samples[name].append(Sample(hour, memory, process.num_fds()))
            except psutil.Error:
                continue
        for camera in range(CAMERAS):
            folder = data / "ring" / f"c{camera}"
            if (folder / "index.sqlite").exists():
                with SegmentIndex(folder) as index:
                    largest[0] = max(largest[0], index.size_bytes())


def _processes() -> list[tuple[str, psutil.Process]]:
    """Main, vision and recorders; a process started anew is a new name."""
    main = psutil.Process()
    found = [("main", main)]
    for child in multiprocessing.active_children():
        if child.pid is not None:
            found.append((f"{child.name} ({child.pid})", psutil.Process(child.pid)))
    return found


def growth(samples: Sequence[Sample], hours: float, what: str) -> tuple[float, float, float]:
    """Median in the first hour after warm-up and in the last, and by which share it grew."""
    first = [getattr(s, what) for s in samples if WARM_UP_HOURS <= s.hour < WARM_UP_HOURS + 1.0]
    last = [getattr(s, what) for s in samples if hours - 1.0 <= s.hour < hours]
    if not first or not last:
        return 0.0, 0.0, float("inf")
    return median(first), median(last), median(last) / median(first) - 1


def main() -> int:
    """Print the hour after warm-up against the last for every process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--speed", type=float, default=40.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="renzheng-soak-") as name:
        samples, ring_bytes, checks = run_soak(given.hours, given.speed, Path(name))
    flat = True
    print(f"{given.hours:g} hours of {CAMERAS} cameras at {given.speed:g} times the pace, {checks} checks")
    for process, seen in samples.items():
        memory, files = (growth(seen, given.hours, what) for what in ("memory_mb", "files"))
        good = memory[2] <= GROWTH_GOAL and files[2] <= GROWTH_GOAL
        flat &= good
        print(
            f"{'ok   ' if good else 'SHORT'} {process:24} {memory[0]:7.1f} → {memory[1]:7.1f} MB ({memory[2]:+.1%}),"
            f" files {files[0]:.0f} → {files[1]:.0f}"
        )
    inside = ring_bytes <= RING_GIB * GIB
    print(f"{'ok   ' if inside else 'SHORT'} largest ring {ring_bytes / GIB:.3f} GiB, budget {RING_GIB} GiB")
    return 0 if flat and inside else 1


if __name__ == "__main__":
    sys.exit(main())
