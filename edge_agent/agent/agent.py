"""The agent: puts its parts together, runs them, and ends them in order."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from edge_agent.agent.ambient_rounds import AmbientRounds
from edge_agent.agent.bed_rounds import BedRounds
from edge_agent.agent.box_state import AgentView
from edge_agent.agent.dispatcher import Dispatcher
from edge_agent.agent.first_looks import FirstLooks
from edge_agent.agent.housekeeping import Housekeeping
from edge_agent.agent.parts import Parts
from edge_agent.agent.pins import unpin_others
from edge_agent.agent.recorders import Recorders
from edge_agent.agent.reports import Reports
from edge_agent.agent.sources import sources_of
from edge_agent.agent.swipe_checks import SwipeChecks
from edge_agent.agent.tasks import Tasks, Work
from edge_agent.agent_clock import AgentClock, WallClock
from edge_agent.box.http import listen, make_app, serve
from edge_agent.box.metrics import BoxMetrics
from edge_agent.edge_config import BoxFolders, EdgeConfig
from edge_agent.live.vision_pool import Shares, VisionPool, vision_processes
from edge_agent.live.vision_process import VisionDied
from edge_agent.logs import facts
from edge_agent.outbox.evidence import Evidence
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.store import Store, StoreDamaged
from edge_agent.recording_probe import RecordedFile
from edge_agent.ring.index import SegmentIndex
from edge_agent.swipe_sources.intake import SwipeSource
from edge_agent.uplink.device import DeviceIdentity, load_identity, storage_sealer
from edge_agent.uplink.references import ReferenceKeeper
from edge_agent.uplink.server_link import ServerLink
from edge_agent.uplink.template_cache import EncryptedTemplateCache
from edge_agent.uplink.uplink import Uplink
from edge_agent.ward.ward_file import read_ward
from models.pack import DEFAULT_PACK, load_pack
from renzheng.errors import RenzhengError, StorageFull
from renzheng.files import make_private

log = logging.getLogger(__name__)

DRAIN_S = 20.0
"""How long what is being checked may take when the agent is told to stop; real seconds."""

SEND_S = 12.0
"""How long what waits may then still be sent; the uplink itself takes ten."""

PROCESSES_END_WITHIN_S = 5.0


class AlreadyRunning(RenzhengError):
    """Another agent has this data folder."""


@dataclass(frozen=True)
class Replayed:
    """What a replay gives an agent in place of cameras and terminals."""

    recordings: Mapping[str, Sequence[RecordedFile]] = field(default_factory=dict)
    sources: Sequence[SwipeSource] = ()
    bed_check_at: Callable[[float], bool] = lambda _due_s: True


class Agent:
    """One box. :meth:`run` may be called once."""

    def __init__(self, config: EdgeConfig, clock: AgentClock | None = None, replayed: Replayed | None = None) -> None:
        self._config = config
        self._clock = clock or WallClock()
        self._replayed = replayed
        self._folders = BoxFolders(config.data_dir)
        self.started = asyncio.Event()
        self.port: int | None = None
        self.parts: Parts | None = None
        self.beds: BedRounds | None = None
        self._stop = asyncio.Event()
        self._store_damaged = False

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set, then end in order: take nothing more, finish what is in hand, send, end processes.

        Raises :class:`AlreadyRunning`, and :class:`BadInput` for what the configuration names and is not there.
        """
        self._stop = stop
        make_private(self._folders.data_dir)
        with ExitStack() as held:
            held.enter_context(_alone(self._folders.lock))
            listening = listen(self._config.http.host, self._config.http.port)
            held.callback(listening.close)
            self.port = listening.getsockname()[1]
            identity = load_identity(self._folders.device)
            store = held.enter_context(Store(self._folders.store))
            link = self._link(identity)
            parts, keeper = self._put_together(identity, store, link, held)
            self.parts = parts
            view = AgentView(parts)
            metrics = BoxMetrics(view)
            parts.checks.metrics = metrics
            if self.beds is not None:
                self.beds.metrics = metrics
            app = make_app(parts.checks, view, self._config.http, self._config.fixmedins_code, metrics)
            try:
                await self._run(parts, view, partial(serve, app, listening), keeper)
            finally:
                if link is not None:
                    await link.close()
        if self._store_damaged:
            raise StoreDamaged(f"{self._folders.store}: the database is damaged; the next start moves it aside")

    def _put_together(
        self, identity: DeviceIdentity, store: Store, link: ServerLink | None, held: ExitStack
    ) -> tuple[Parts, ReferenceKeeper | None]:
        config, clock, folders = self._config, self._clock, self._folders
        replayed = self._replayed or Replayed()
        rings = {camera.id: held.enter_context(SegmentIndex(folders.ring(camera.id))) for camera in config.camera}
        ward = read_ward(config.ward, rings) if config.ward is not None else None
        vision = VisionPool(vision_processes(config, clock))
        dispatcher = Dispatcher(*vision.processes, lane_of=Shares(config, ward).of)
        outbox = Outbox(store)
        on_event = partial(_note, store, clock)
        keeper = self._keeper(link, on_event)
        uplink = None
        if config.server is not None and link is not None:
            uplink = Uplink(outbox, link, config.server, clock, on_event=on_event)
        checks = SwipeChecks(config, clock, store, dispatcher, rings, keeper, uplink)
        checks.first_looks = FirstLooks(clock, store, dispatcher, keeper)
        parts = Parts(
            config=config,
            clock=clock,
            folders=folders,
            identity=identity,
            store=store,
            outbox=outbox,
            evidence=Evidence(store, folders.evidence, config.keep),
            rings=rings,
            recorders=Recorders(config, folders, clock, replayed.recordings),
            vision=vision,
            dispatcher=dispatcher,
            checks=checks,
            sources=replayed.sources if self._replayed else sources_of(config, folders, identity.device_id, clock),
            restarts=Counter(),
            uplink=uplink,
            started_s=clock.now_s(),
        )
        if ward is not None:
            only = replayed.bed_check_at
            self.beds = BedRounds(config, ward, clock, store, dispatcher, rings, keeper, uplink, only)
        return parts, keeper

    def _link(self, identity: DeviceIdentity) -> ServerLink | None:
        return None if self._config.server is None else ServerLink(self._config.server, identity)

    def _keeper(self, link: ServerLink | None, on_event: Callable[[str, str], None]) -> ReferenceKeeper | None:
        """Who brings templates of the server; nobody where they come from a folder."""
        references = self._config.references
        if references.source != "server" or link is None:
            return None
        embedder = load_pack(self._config.pack or DEFAULT_PACK).embedder_sha256
        cache = EncryptedTemplateCache(
            self._folders.template_cache,
            storage_sealer(self._folders.device),
            embedder,
            people_max=references.cache_people,
            keep_s=references.cache_hours * 3600,
            on_event=on_event,
        )
        cache.open()
        return ReferenceKeeper(link, cache, embedder, self._clock, references.timeout_s)

    async def _run(self, parts: Parts, view: AgentView, answer_http: Work, keeper: ReferenceKeeper | None) -> None:
        """Three stages that end one after the other: what takes things in, what works on them, what sends them."""
        taking, working, sending = (Tasks(parts.restarts, self._damaged) for _ in range(3))
        self._take_up(parts)
        working.start("recorders", parts.recorders.run)
        working.start("vision processes", partial(_start_vision, parts.vision))
        working.start("vision jobs", parts.dispatcher.run)
        working.start("housekeeping", Housekeeping(parts, view).run)
        if keeper is not None:
            working.start("templates", keeper.run)
        if parts.uplink is not None and self._config.server is not None:
            working.start("reports", Reports(parts, self._config.server.report_every_s).run)
            sending.start("uplink", parts.uplink.run)
        taking.start("http", answer_http)
        for source in parts.sources:
            taking.start(f"source {source.name}", partial(source.run, parts.checks))
        taking.start("swipe checks", parts.checks.run)
        if parts.checks.first_looks is not None:
            taking.start("first looks", parts.checks.first_looks.run)
        if self.beds is not None:
            taking.start("bed checks", self.beds.run)
        glances = AmbientRounds(self._config.camera, parts.clock, parts.store, parts.dispatcher)
        taking.start("ambient", glances.run)
        self.started.set()
        try:
            await self._stop.wait()
        finally:
            view.stopping = True
            log.info("the agent stops", extra=facts(open=parts.checks.waiting))
            until = time.monotonic() + DRAIN_S
            for stage in (taking, working):
                await stage.end(max(1.0, until - time.monotonic()))
            await sending.end(SEND_S)
            await parts.vision.stop(PROCESSES_END_WITHIN_S)
            await parts.recorders.stop(PROCESSES_END_WITHIN_S)

    def _damaged(self) -> None:
        self._store_damaged = True
        self._stop.set()

    def _take_up(self, parts: Parts) -> None:
        """What was open when the agent stopped, before a recorder may delete anything of it."""
        if parts.store.moved_aside is not None:
            parts.store.note_event("store_damaged", None, parts.store.moved_aside.name, parts.clock.now_s())
        with suppress(StorageFull):  # the recorders, which make room, begin after this
            parts.outbox.retry_refused()
        cleaned = parts.evidence.clean_up()
        if cleaned.unclaimed:
            detail = f"{cleaned.unclaimed} in {parts.folders.evidence.name}/"
            parts.store.note_event("evidence_unclaimed", None, detail, parts.clock.now_s())
        resumed = parts.checks.resume()
        if self.beds is not None:
            self.beds.resume()
        swipes, beds = parts.store.open_swipes(), parts.store.open_bed_checks()
        unpin_others(parts.rings.values(), {s.setl_id for s in swipes} | {bed.check_id for bed in beds})
        log.info("the agent starts", extra=facts(resumed=resumed, leftovers=cleaned.checks, port=self.port))


def _note(store: Store, clock: AgentClock, kind: str, detail: str) -> None:
    store.note_event(kind, None, detail, clock.now_s())


async def _start_vision(vision: VisionPool, _stop: asyncio.Event) -> None:
    """Have them ready before the first job; one that cannot start is told and tried again by every job."""
    try:
        await vision.start()
    except VisionDied as died:
        log.error("a vision process does not start", extra=facts(why=str(died)))


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the data folder. Raises :class:`AlreadyRunning`."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"{lock}: another agent is running with this data folder") from error
        yield
    finally:
        os.close(handle)
