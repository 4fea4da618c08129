"""Checks and reports on their way: leased, sent in batches, and only what the answer names is done with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Literal, NamedTuple

from edge_agent.agent_clock import AgentClock
from edge_agent.logs import facts
from edge_agent.outbox.outbox import Outbox, OutboxItem
from edge_agent.uplink.putting_off import OnEvent, PuttingOff
from edge_agent.uplink.server_link import LinkFailure, Refused, ServerFailed, ServerLink, TooMuch
from renzheng.contracts import AgentReport, CheckDelivery, DeliveryAnswer, DeliveryBatch

log = logging.getLogger(__name__)

BATCH_ITEMS_MAX = 32
BATCH_BYTES_MAX = 4 * 2**20
"""Before compression; one delivery that is larger goes alone."""

LEASE_S = 600.0
UNMENTIONED_S = 60.0
"""Real seconds after which a delivery is sent again that the answer did not mention."""


class _Ready(NamedTuple):
    item: OutboxItem
    delivery: CheckDelivery | AgentReport
    size: int


class Deliveries:
    """Empties the outbox of checks and reports, flagged checks first.

    A batch that is too large, refused or answered with a failure is halved down to single deliveries; one that fails
    alone is put off and the others go on. Only an answer that names a delivery as refused ends it.
    """

    def __init__(
        self, outbox: Outbox, link: ServerLink, clock: AgentClock, putting_off: PuttingOff, on_event: OnEvent
    ) -> None:
        self._outbox, self._link, self._clock = outbox, link, clock
        self._putting_off, self._on_event = putting_off, on_event
        self._limit = BATCH_ITEMS_MAX

    async def step(self) -> bool:
        """Send one batch of checks and one of reports; whether there was any. Raises :class:`LinkFailure`."""
        checks = await self._send("check")
        return await self._send("report") or checks

    async def _send(self, kind: Literal["check", "report"]) -> bool:
        now_s = self._clock.now_s()
        items = self._outbox.lease(kind, self._limit, now_s, self._putting_off.agent_s(LEASE_S))
        ready = [one for item in items if (one := await self._made(item)) is not None]
        batch = within(ready, BATCH_BYTES_MAX)
        for one in ready[len(batch) :]:
            self._putting_off.release(one.item, "")
        if batch:
            await self._deliver(batch)
        return bool(items)

    async def _made(self, item: OutboxItem) -> _Ready | None:
        """What is sent of an item; one that cannot be read is put off and told of."""
        try:
            if item.kind == "report":
                return _Ready(item, item.report(), len(item.body))
            delivery = await asyncio.to_thread(item.check_delivery)
        except (OSError, ValueError) as error:
            self._putting_off.after_refusal(item, f"cannot be read: {type(error).__name__}")
            return None
        return _Ready(item, delivery, len(item.body) + sum(len(piece.data) for piece in delivery.pieces))

    async def _deliver(self, batch: Sequence[_Ready]) -> None:
        try:
            answer = await self._link.deliver(_batch(self._link.device_id, batch))
        except (TooMuch, Refused, ServerFailed) as failure:
            self._limit = max(1, len(batch) // 2)
            self._give_back(batch, failure)
            if isinstance(failure, ServerFailed):
                raise
        except LinkFailure as failure:
            for one in batch:
                self._putting_off.release(one.item, str(failure))
            raise
        else:
            self._limit = min(BATCH_ITEMS_MAX, 2 * self._limit)
            self._settle(batch, answer)

    def _give_back(self, batch: Sequence[_Ready], failure: LinkFailure) -> None:
        """Of several nobody knows which it was."""
        for one in batch:
            if len(batch) > 1:
                self._putting_off.release(one.item, str(failure))
            elif isinstance(failure, ServerFailed):
                self._putting_off.after_failure(one.item, str(failure))
            else:
                self._putting_off.after_refusal(one.item, str(failure))

    def _settle(self, batch: Sequence[_Ready], answer: DeliveryAnswer) -> None:
        accepted = set(answer.accepted)
        refused = {one.delivery_id: one.why for one in answer.refused}
        now_s = self._clock.now_s()
        self._outbox.acknowledge([one.item.id for one in batch if one.item.name in accepted], now_s)
        for item in (one.item for one in batch):
            if item.name in accepted:
                self._putting_off.settle(item)
            elif item.name in refused:
                self._outbox.refuse(item.id, refused[item.name])
                self._putting_off.settle(item)
                self._on_event("delivery_refused", f"{item.kind} {item.name}")
                log.warning("the server refused a delivery", extra=facts(kind=item.kind, id=item.name))
            else:
                self._outbox.later(item.id, now_s + self._putting_off.agent_s(UNMENTIONED_S), "not in the answer")


def within(ready: Sequence[_Ready], bytes_max: int) -> Sequence[_Ready]:
    """The first of them that are not too large together, at least one."""
    total = 0
    for number, one in enumerate(ready):
        total += one.size
        if number and total > bytes_max:
            return ready[:number]
    return ready


def _batch(device_id: str, ready: Sequence[_Ready]) -> DeliveryBatch:
    given = [one.delivery for one in ready]
    return DeliveryBatch(
        device_id=device_id,
        checks=tuple(one for one in given if isinstance(one, CheckDelivery)),
        reports=tuple(one for one in given if isinstance(one, AgentReport)),
    )
