"""A box with an outbox and a line to the stand-in server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_agent.agent_clock import AgentClock, WallClock
from edge_agent.edge_config import ServerConfig
from edge_agent.outbox.manifest import make_manifest, sign_manifest, write_manifest
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.store import Store
from edge_agent.uplink.device import DeviceIdentity
from edge_agent.uplink.server_link import ServerLink
from edge_agent.uplink.uplink import Uplink
from renzheng.contracts import ManifestSegment, Verdict
from renzheng.crypto import SigningKey
from tests.edge_agent.builders import NOON
from tests.edge_agent.outbox.builders import a_swipe, done_swipe
from tests.edge_agent.stand_in import StandInServer
from tests.edge_agent.uplink.conftest import TOKEN

KEY = SigningKey(b"k" * 32)
IDENTITY = DeviceIdentity("box-1", KEY, TOKEN)


def link_to(server: StandInServer | str, *, timeout_s: float = 5.0, token: str = TOKEN) -> ServerLink:
    url = server if isinstance(server, str) else server.url
    return ServerLink(ServerConfig(url=url, timeout_s=timeout_s), DeviceIdentity("box-1", KEY, token))


@dataclass
class UplinkBox:
    """The store of a box in ``folder`` and what its uplink told."""

    folder: Path
    store: Store
    clock: AgentClock = field(default_factory=WallClock)
    events: list[tuple[str, str]] = field(default_factory=list)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.store)

    def check(self, check_id: str, verdict: Verdict = Verdict.MISMATCH, *, clip_bytes: int = 0) -> Path:
        """Accept a swipe and finish it; with ``clip_bytes`` it has a clip of that size, whose path comes back."""
        now_s = self.clock.now_s()
        kinds = ("sample", "clip", "manifest") if clip_bytes else ("sample",)
        done = done_swipe(self.folder, check_id, verdict, kinds=kinds, clip_bytes=clip_bytes)
        clip = next((file.path for file in done.files if file.kind == "clip"), Path())
        if clip_bytes:
            segment = ManifestSegment(name="a.mp4", sha256="0" * 64, start=NOON, end=NOON)
            manifest = make_manifest(
                done.check,
                clip,
                device_id="box-1",
                camera_id="counter",
                codec="h264",
                time_base=Fraction(1, 90000),
                segments=[segment],
                made_at=NOON,
            )
            write_manifest(sign_manifest(manifest, KEY), clip)
        self.store.accept(a_swipe(check_id), "test", now_s, False)
        self.store.finish_swipe(done, "clip", now_s)
        return clip

    def states(self, kind: str) -> dict[str, int]:
        """How many items of a kind stand where, without zeros."""
        return {state: n for state, n in self.outbox.counts()[kind].items() if n}  # type: ignore[index]

    def note(self, kind: str, detail: str) -> None:
        self.events.append((kind, detail))

    async def send(
        self,
        server: StandInServer | str,
        until: Callable[[], bool],
        *,
        limit_s: float = 25.0,
        timeout_s: float = 10.0,
        token: str = TOKEN,
        **given: Any,
    ) -> Uplink:
        """Run the uplink until a condition holds, then stop it as the agent does."""
        url = server if isinstance(server, str) else server.url
        config = ServerConfig(url=url, timeout_s=timeout_s, **given)
        stop = asyncio.Event()
        async with ServerLink(config, DeviceIdentity("box-1", KEY, token)) as link:
            uplink = Uplink(self.outbox, link, config, self.clock, on_event=self.note, draw=lambda: 0.0)
            running = asyncio.create_task(uplink.run(stop, drain_s=1.0))
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(limit_s):
                        while not until() and not running.done():
                            await asyncio.sleep(0.02)
            finally:
                stop.set()
                await running
            return uplink

    def all_sent(self) -> bool:
        return self.outbox.waiting() == 0
