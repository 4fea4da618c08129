"""``renzheng edge replay``: recorded files and swipes through the whole agent, faster than they happened.

The agent is the one that runs at a counter: recorders, rings, vision process, store, HTTP. Only its clock, its cameras
and its terminals are replayed. Idle hours are leapt over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.agent.agent import Agent, Replayed
from edge_agent.agent.legs import legs_of
from edge_agent.agent.parts import Parts
from edge_agent.agent.tasks import pause
from edge_agent.agent_clock import LONGEST_NAP_S, AgentClock, ReplayClock
from edge_agent.edge_config import BoxFolders, EdgeConfig, HttpConfig, SwipesConfig
from edge_agent.footage import TimeWindow
from edge_agent.outbox.store import Store
from edge_agent.recording_probe import RecordedFile, open_recordings
from edge_agent.swipe_sources.intake import Intake
from edge_agent.ward.ward_file import Ward, read_ward
from renzheng.clock import to_seconds
from renzheng.contracts import BedCheck, IdentityCheck, Swipe
from renzheng.errors import BadInput, RenzhengError

BEGIN_AFTER_S = 4.0
"""Real seconds for the agent's processes to start before its clock does. Were they slower, recordings would wait."""

LOOK_EVERY_S = 0.2
SENT_WITHIN_S = 120.0
"""Real seconds for the server to take everything, once the last check is done."""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReplayResult:
    """What the agent made of it."""

    checks: tuple[IdentityCheck, ...]
    bed_checks: tuple[BedCheck, ...]
    real_s: float


class ReplayedSwipes:
    """Source ``replay``: hands each swipe in at its own time."""

    name = "replay"
    rejected = 0
    trouble = ""

    def __init__(self, swipes: Sequence[Swipe], config: EdgeConfig, clock: AgentClock) -> None:
        self._moments = sorted(((_moment_s(config, swipe), swipe) for swipe in swipes), key=lambda pair: pair[0])
        self._clock = clock

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Until all are handed in or stopped."""
        for moment_s, swipe in self._moments:
            while (left_s := self._clock.real_s(moment_s - self._clock.now_s())) > 0:
                if not await pause(stop, min(left_s, self._clock.real_s(LONGEST_NAP_S))):
                    return
            intake.take(swipe, self.name, live=True)


def run_replay(
    config: EdgeConfig,
    recordings: Mapping[str, Sequence[Path]],
    swipes: Sequence[Swipe],
    speed: float,
    on_progress: OnProgress = lambda _done, _all: None,
    *,
    sends: bool = False,
) -> ReplayResult:
    """Replay recordings by camera, and swipes, through an agent with this configuration.

    Nothing leaves the machine, unless ``sends``: then the box, which must be enrolled, asks its server for templates,
    and has delivered everything when this returns. Raises :class:`BadInput` for a camera without recordings, an unknown
    terminal, or a data folder that was used.
    """
    _refuse_used(config)
    if sends and config.server is None:
        raise BadInput("server: expected one in the configuration, to send to")
    if not sends and config.references.source != "folder":
        raise BadInput('references.source: expected "folder" for a replay, which asks no server')
    server = config.server if sends else None
    config = config.model_copy(update={"server": server, "http": HttpConfig(port=0), "swipes": SwipesConfig()})
    footage = {camera: open_recordings(paths) for camera, paths in recordings.items()}
    _refuse_unknown(config, footage, swipes)
    ward = read_ward(config.ward, [camera.id for camera in config.camera]) if config.ward else None
    clock = ReplayClock(legs_of(_windows(config, footage, swipes)), speed, time.monotonic() + BEGIN_AFTER_S)
    replayed = Replayed(footage, (ReplayedSwipes(swipes, config, clock),), _recorded_rounds(ward, footage))
    began = time.monotonic()
    checks, beds = asyncio.run(_play(Agent(config, clock, replayed), swipes, clock, on_progress))
    return ReplayResult(checks, beds, time.monotonic() - began)


async def _play(
    agent: Agent, swipes: Sequence[Swipe], clock: ReplayClock, on_progress: OnProgress
) -> tuple[tuple[IdentityCheck, ...], tuple[BedCheck, ...]]:
    stop = asyncio.Event()
    running = asyncio.create_task(agent.run(stop), name="agent")
    try:
        while not running.done():
            await asyncio.sleep(LOOK_EVERY_S)
            if agent.parts is None:
                continue
            store = agent.parts.store
            on_progress(sum(store.counts_by_verdict().values()), len(swipes))
            over = clock.now_s() >= clock.legs[-1].start_s + clock.legs[-1].length_s
            if over and all(store.find(swipe.setl_id) for swipe in swipes) and not _open(store):
                await _sent(agent.parts)
                done = store.finished_checks()
                checks = tuple(check for check in done if isinstance(check, IdentityCheck))
                return checks, tuple(check for check in done if isinstance(check, BedCheck))
        await running
        raise RenzhengError("the agent ended before the replay was over")
    finally:
        stop.set()
        await running


async def _sent(parts: Parts) -> None:
    """Wait until the server has everything, where there is one."""
    until_s = time.monotonic() + SENT_WITHIN_S
    while parts.uplink is not None and (waiting := parts.outbox.waiting()):
        if time.monotonic() > until_s:
            raise RenzhengError(f"{waiting} things were not taken by the server within {SENT_WITHIN_S:.0f} s")
        await asyncio.sleep(LOOK_EVERY_S)


def _open(store: Store) -> bool:
    return bool(store.open_swipes() or store.open_bed_checks())


def _windows(
    config: EdgeConfig, footage: Mapping[str, Sequence[RecordedFile]], swipes: Sequence[Swipe]
) -> Iterator[TimeWindow]:
    for recordings in footage.values():
        yield from (TimeWindow(recording.start_s, recording.end_s) for recording in recordings)
    for swipe in swipes:
        terminal = config.terminal_named(swipe.terminal_id)
        if terminal is not None:
            moment_s = _moment_s(config, swipe)
            yield TimeWindow(moment_s - terminal.before_s, moment_s + terminal.after_s)


def _moment_s(config: EdgeConfig, swipe: Swipe) -> float:
    """When a swipe happened, on the box's clock, seconds since 1970 (UTC)."""
    terminal = config.terminal_named(swipe.terminal_id)
    return to_seconds(swipe.setl_time) + (terminal.clock_offset_s if terminal else 0.0)


def _recorded_rounds(ward: Ward | None, footage: Mapping[str, Sequence[RecordedFile]]) -> Callable[[float], bool]:
    """Whether a round at that time lies in the recordings of the ward's cameras."""
    if ward is None:
        return lambda _due_s: False
    cameras = {bed.camera_id for bed in ward.beds}
    extents = [(r.start_s, r.end_s) for camera in cameras for r in footage.get(camera, ())]
    return lambda due_s: any(start_s <= due_s and due_s + ward.window_s <= end_s for start_s, end_s in extents)


def _refuse_used(config: EdgeConfig) -> None:
    folder, device = config.data_dir, BoxFolders(config.data_dir).device
    if folder.is_dir() and any(path != device for path in folder.iterdir()):
        raise BadInput(f"{folder}: expected an empty folder for a replay; checks of another run lie there")


def _refuse_unknown(config: EdgeConfig, footage: Mapping[str, Sequence[RecordedFile]], swipes: Sequence[Swipe]) -> None:
    cameras = [camera.id for camera in config.camera]
    for camera in footage:
        if camera not in cameras:
            raise BadInput(f"--recordings {camera}=...: expected one of {', '.join(cameras)}")
    for camera in cameras:
        if not footage.get(camera):
            raise BadInput(f"--recordings: expected some of camera {camera}")
    terminals = [terminal.id for terminal in config.terminal]
    for swipe in swipes:
        if swipe.terminal_id not in terminals:
            raise BadInput(f"swipe {swipe.setl_id}, terminal_id: expected one of {', '.join(terminals)}")
