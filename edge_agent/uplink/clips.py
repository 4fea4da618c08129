"""Clips on their way: one at a time, flagged first, within the times of day and the share of the line they may use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pydantic import ValidationError

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import ScheduleWindow
from edge_agent.logs import facts
from edge_agent.outbox.manifest import manifest_beside, read_manifest
from edge_agent.outbox.outbox import Outbox, OutboxItem
from edge_agent.uplink.pace import is_open
from edge_agent.uplink.putting_off import OnEvent, PuttingOff
from edge_agent.uplink.server_link import LinkFailure, Refused, ServerFailed, TooMuch
from edge_agent.uplink.tus import ClipGone, TusClient, Upload, UploadPaused
from renzheng.contracts import ClipManifest
from renzheng.errors import BadInput
from renzheng.files import sha256_file
from renzheng.ids import file_stem

log = logging.getLogger(__name__)

LEASE_S = 6 * 3600.0


class Clips:
    """Empties the outbox of clips. One that is gone or damaged on the box is refused and told of, never forgotten."""

    def __init__(
        self,
        outbox: Outbox,
        tus: TusClient,
        clock: AgentClock,
        windows: tuple[ScheduleWindow, ...],
        putting_off: PuttingOff,
        on_event: OnEvent,
    ) -> None:
        self._outbox, self._tus, self._clock, self._windows = outbox, tus, clock, windows
        self._putting_off, self._on_event = putting_off, on_event

    async def step(self, may_go_on: Callable[[], bool]) -> bool:
        """Send one clip; whether there was one that may go now. Raises :class:`LinkFailure`."""

        def wanted() -> bool:
            return may_go_on() and is_open(self._windows, self._clock.now_s())

        if not wanted():
            return False
        leased = self._outbox.lease("clip", 1, self._clock.now_s(), self._putting_off.agent_s(LEASE_S))
        for item in leased:
            await self._send(item, wanted)
        return bool(leased)

    async def _send(self, item: OutboxItem, wanted: Callable[[], bool]) -> None:
        try:
            upload = await asyncio.to_thread(upload_of, item)
            await self._tus.upload(upload, item.upload_url, lambda url: self._outbox.set_upload(item.id, url), wanted)
        except UploadPaused as paused:
            self._putting_off.release(item, str(paused))
        except ClipGone as gone:
            await self._give_up(item, str(gone))
        except (Refused, TooMuch) as failure:
            self._outbox.set_upload(item.id, None)
            self._putting_off.after_refusal(item, str(failure))
        except ServerFailed as failure:
            self._putting_off.after_failure(item, str(failure))
            raise
        except LinkFailure as failure:
            self._putting_off.release(item, str(failure))
            raise
        else:
            self._outbox.acknowledge([item.id], self._clock.now_s())
            self._putting_off.settle(item)

    async def _give_up(self, item: OutboxItem, why: str) -> None:
        self._outbox.refuse(item.id, why)
        self._putting_off.settle(item)
        self._on_event("clip_lost", f"{item.name}: {why}")
        log.error("a clip that had to be sent is gone or damaged", extra=facts(check=item.name, why=why))
        if item.upload_url is not None:
            try:
                await self._tus.terminate(item.upload_url)
            except LinkFailure as failure:
                log.debug("an upload could not be ended", extra=facts(why=str(failure)))


def upload_of(item: OutboxItem) -> Upload:
    """The clip with what the server is told of it. Raises :class:`ClipGone` unless it is what its manifest says."""
    if item.path is None:
        raise ClipGone("the box knows of no file")
    manifest_path = manifest_beside(item.path)
    try:
        signed = read_manifest(manifest_path)
        manifest = ClipManifest.model_validate_json(signed.manifest)
        size, digest = item.path.stat().st_size, sha256_file(item.path)
    except (BadInput, ValidationError) as error:
        raise ClipGone(f"{manifest_path.name}: expected the clip's signed manifest") from error
    except OSError as error:
        raise ClipGone(f"{item.path.name}: cannot be read: {error.strerror}") from error
    if (size, digest) != (manifest.size_bytes, manifest.sha256):
        raise ClipGone(f"{item.path.name}: is not the clip of its manifest any more")
    metadata = {
        "filename": f"{file_stem(item.name)}{item.path.suffix}",
        "filetype": "video/mp4",
        "check_id": item.name,
        "sha256": digest,
        "manifest": signed.model_dump_json(),
    }
    return Upload(item.path, size, metadata)
