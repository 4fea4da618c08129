"""Templates from the server as the people a face is compared with.

The main process brings answers into the cache (:class:`ReferenceKeeper`); the vision process reads them there
(:class:`CachedReferences`). An answer with one template that cannot be compared is refused as a whole: a comparison
that leaves somebody out may accuse the one it left out.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np

from edge_agent.agent_clock import AgentClock
from edge_agent.logs import facts
from edge_agent.uplink.pace import Backoff
from edge_agent.uplink.server_link import ServerLink
from edge_agent.uplink.template_cache import EncryptedTemplateCache
from renzheng.clock import SHANGHAI, as_utc, to_seconds
from renzheng.contracts import AgentOfHolder, PersonTemplates, StaffAnswer, TemplateAnswer, TemplateQuestion
from renzheng.errors import BadInput, RenzhengError
from vision.people import Person, References
from vision.types import FloatArray

log = logging.getLogger(__name__)

UNIT_TOLERANCE = 1e-3
"""How far from 1 the length of a template may be; float32 rows of up to 512 numbers stay within 1e-5."""

FRESH_S = 600.0
"""On an answer older than this nobody is accused: an agent may have been approved since."""

ASK_AGAIN_S = 0.8 * FRESH_S
"""Asked for again a while before, so that it is still fresh when the check has waited for its turn."""

STAFF_EVERY_S = 3600.0
STAFF_FRESH_S = 2 * STAFF_EVERY_S
"""The same for the staff: a clerk may have been enrolled since."""


class TemplatesRefused(BadInput):
    """An answer holds a template that may not be compared."""


class Found(StrEnum):
    """What is known of a holder."""

    HERE = "here"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"


def person_of(given: PersonTemplates, embedder_sha256: str, size: int | None = None) -> Person:
    """The person as N × D unit rows; N may be 0. ``size`` is the D that is expected, where it is known.

    Raises :class:`TemplatesRefused`: made by another model, not base64, not D numbers, not finite, not of length 1.
    """
    if given.embedder_sha256 != embedder_sha256:
        raise TemplatesRefused(
            f"templates: expected those of the model {embedder_sha256[:12]}, found {given.embedder_sha256[:12]}"
        )
    rows = [_row(text, size) for text in given.templates]
    if len({len(row) for row in rows}) > 1:
        raise TemplatesRefused(f"templates: expected one length, found {sorted({len(row) for row in rows})}")
    templates = np.stack(rows) if rows else np.empty((0, size or 0), np.float32)
    return Person(given.person_id, templates)


def _row(text: str, size: int | None) -> FloatArray:
    try:
        row = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    except ValueError as error:
        raise TemplatesRefused("templates: expected float32 in base64") from error
    if not len(row) or (size is not None and len(row) != size):
        raise TemplatesRefused(f"templates: expected {size or 'some'} numbers, found {len(row)}")
    if not np.isfinite(row).all() or abs(float(np.linalg.norm(row)) - 1.0) > UNIT_TOLERANCE:
        raise TemplatesRefused("templates: expected a vector of length 1")
    return row


def check_answer(answer: TemplateAnswer | StaffAnswer, embedder_sha256: str, size: int | None = None) -> None:
    """Raises :class:`TemplatesRefused` unless everybody in the answer can be compared."""
    if isinstance(answer, StaffAnswer):
        people = list(answer.staff)
    else:
        people = [agent.person for agent in answer.agents] + ([answer.holder] if answer.holder else [])
    for person in people:
        person_of(person, embedder_sha256, size)


class CachedReferences:
    """Keeps :class:`edge_agent.references.ReferenceSource` with what the cache holds.

    Not ``reachable`` when the holder's answer or the server's staff is not there: whoever is not known must not be
    accused. ``stale`` when one of them is older than it may be for that. ``local_staff`` are people enrolled on the box
    itself; they are among the references in any case, and do not stand for the server's.
    """

    def __init__(
        self,
        cache: EncryptedTemplateCache,
        embedder_sha256: str,
        size: int,
        clock: AgentClock,
        local_staff: Sequence[Person] | None = None,
    ) -> None:
        self._cache, self._embedder, self._size, self._clock = cache, embedder_sha256, size, clock
        self._local_staff = _comparable(local_staff or ())

    def references_for(self, psn_no: str, at: datetime) -> References:
        """The people a swipe by ``psn_no`` at that time is compared with."""
        now_s = self._clock.now_s()
        stale = self._is_stale(psn_no, at, now_s)  # asked first: what is read after it can only be newer
        known, answer = self._known_staff(now_s), self._cache.get(psn_no, at, now_s)
        staff = (*self._local_staff, *(known or ()))
        if known is None or answer is None:
            return References(None, staff=staff, reachable=False)
        try:
            holder = self._person(answer.holder) if answer.holder else None
            approved = {agent.person.person_id: agent.person for agent in answer.agents if holds(agent, at)}
            agents = [self._person(person) for _, person in sorted(approved.items())]
        except TemplatesRefused as refused:
            log.warning("templates of a holder cannot be compared", extra=facts(why=str(refused)))
            return References(None, staff=staff, reachable=False)
        usable = tuple(agent for agent in agents if len(agent.templates))
        return References(holder, usable, staff, agents_without_photo=len(agents) - len(usable), stale=stale)

    def staff_people(self) -> tuple[Person, ...] | None:
        """Every member of staff who can be compared; ``None`` when it is not known whom the server has."""
        known = self._known_staff(self._clock.now_s())
        return None if known is None else (*self._local_staff, *known)

    def _known_staff(self, now_s: float) -> tuple[Person, ...] | None:
        answer = self._cache.staff(now_s)
        if answer is None:
            return None
        try:
            people = [self._person(person) for person in answer.staff]
        except TemplatesRefused as refused:
            log.warning("templates of staff cannot be compared", extra=facts(why=str(refused)))
            return None
        return _comparable(people)

    def _is_stale(self, psn_no: str, at: datetime, now_s: float) -> bool:
        age_s, staff_age_s = self._cache.age_s(psn_no, at, now_s), self._cache.staff_age_s(now_s)
        return age_s is None or staff_age_s is None or age_s > FRESH_S or staff_age_s > STAFF_FRESH_S

    def _person(self, given: PersonTemplates) -> Person:
        return person_of(given, self._embedder, self._size)


def _comparable(people: Sequence[Person]) -> tuple[Person, ...]:
    return tuple(person for person in people if len(person.templates))


def holds(agent: AgentOfHolder, at: datetime) -> bool:
    """Whether an approval holds at some time of the day (Asia/Shanghai) of ``at``, as those of tables do."""
    begins = as_utc(at).astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    return agent.valid_from < begins + timedelta(days=1) and (agent.valid_to is None or agent.valid_to > begins)


def _known(answer: TemplateAnswer) -> Found:
    return Found.UNKNOWN if answer.holder is None else Found.HERE


class ReferenceKeeper:
    """Brings answers of the server into the cache. Lives in the main process's event loop."""

    def __init__(
        self,
        link: ServerLink,
        cache: EncryptedTemplateCache,
        embedder_sha256: str,
        clock: AgentClock,
        timeout_s: float = 2.0,
    ) -> None:
        self._link, self._cache, self._embedder = link, cache, embedder_sha256
        self._clock, self._timeout_s = clock, timeout_s
        self._asking: dict[tuple[str, datetime], asyncio.Task[TemplateAnswer]] = {}
        self._told: str | None = None

    async def ensure(self, psn_no: str, at: datetime) -> Found:
        """Have the holder's answer in the cache, within ``timeout_s`` real seconds.

        A cached answer serves where the server cannot be reached or answers with what cannot be compared.
        """
        now_s = self._clock.now_s()
        age_s = self._cache.age_s(psn_no, at, now_s)
        if age_s is None or age_s > ASK_AGAIN_S:
            try:
                return _known(await self._asked(psn_no, at))
            except (TimeoutError, RenzhengError) as failure:
                self._tell(failure)
        answer = self._cache.get(psn_no, at, now_s)
        if answer is None:
            return Found.UNREACHABLE
        try:
            self._cache.touch(psn_no, at, now_s)
        except RenzhengError as failure:
            self._tell(failure)
        return _known(answer)

    async def refresh_staff(self) -> bool:
        """Bring the staff's templates; whether that worked."""
        try:
            answer = await self._link.staff(self._embedder)
            check_answer(answer, self._embedder)
            self._cache.put_staff(answer, self._clock.now_s())
        except RenzhengError as failure:
            self._tell(failure)
            return False
        self._told = None
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the staff fresh and wipe what expired, until stopped."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                self._cache.wipe_expired(self._clock.now_s())
            except RenzhengError as failure:
                self._tell(failure)
            if await self.refresh_staff():
                backoff.reset()
                wait_s = self._clock.real_s(self._until_refresh_s())
            else:
                wait_s = backoff.next_s()
            try:
                await asyncio.wait_for(stop.wait(), wait_s)
            except TimeoutError:
                continue

    def _until_refresh_s(self) -> float:
        """Half of what is left of the staff's answer, so that a try or two may fail; at most an hour."""
        now_s = self._clock.now_s()
        answer = self._cache.staff(now_s)
        left_s = 0.0 if answer is None else to_seconds(answer.expires_at) - now_s
        return min(max(left_s / 2, 10.0), STAFF_EVERY_S)

    async def _asked(self, psn_no: str, at: datetime) -> TemplateAnswer:
        """One question at a time for a holder and a moment; it goes on for later callers when one has no more time."""
        key = psn_no, at
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(psn_no, at), name="templates")
            self._asking[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.wait_for(asyncio.shield(task), self._timeout_s)

    def _forget(self, key: tuple[str, datetime], task: asyncio.Task[TemplateAnswer]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited was told; a failure that nobody waited for is no news

    async def _ask(self, psn_no: str, at: datetime) -> TemplateAnswer:
        answer = await self._link.templates_of(TemplateQuestion(psn_no=psn_no, at=at, embedder_sha256=self._embedder))
        check_answer(answer, self._embedder)
        self._cache.put(answer, at, self._clock.now_s())
        self._told = None
        return answer

    def _tell(self, failure: Exception) -> None:
        """The first of a kind is a warning, the same again is not."""
        kind = type(failure).__name__
        level = logging.DEBUG if kind == self._told else logging.WARNING
        self._told = kind
        log.log(level, "templates could not be brought", extra=facts(kind=kind, why=str(failure)))
