"""Folders of photos and answers of a server give the same people; a doubtful answer gives nobody."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.agent_clock import Leg, ReplayClock, WallClock
from edge_agent.people_folder import PeopleFolder
from edge_agent.references import FolderReferences, ReferenceSource
from edge_agent.tables import read_agents
from edge_agent.uplink import references as module
from edge_agent.uplink.references import CachedReferences, Found, ReferenceKeeper, TemplatesRefused, holds, person_of
from edge_agent.uplink.template_cache import EncryptedTemplateCache
from renzheng.clock import SHANGHAI, as_utc, to_seconds
from renzheng.contracts import PersonTemplates
from renzheng.crypto import Sealer
from tests.edge_agent.builders import NOON
from tests.edge_agent.stand_in import StandInServer, free_port
from tests.edge_agent.uplink.builders import link_to
from tests.edge_agent.uplink.people import MODEL, SIZE, a_person, a_staff, an_agent, an_answer, text_of, unit
from vision.pack import VisionPack
from vision.people import Person

NOON_S = to_seconds(NOON)


class Kept:
    """A cache with the main process's keeper before it and the vision process's references behind it."""

    def __init__(self, folder: Path, server: StandInServer | str, model: str = MODEL, size: int = SIZE) -> None:
        self.server, self.model = server, model
        self.clock = ReplayClock((Leg(NOON_S, 1e9),), 1.0, WallClock().steady_s())
        self.cache = EncryptedTemplateCache(folder / "templates.sqlite", Sealer(b"k" * 32), model)
        self.references = CachedReferences(self.cache, model, size, self.clock)

    def ask(self, what: Callable[[ReferenceKeeper], Awaitable[Any]], timeout_s: float = 1.0, **given: Any) -> Any:
        async def asked() -> Any:
            async with link_to(self.server, **given) as link:
                return await what(ReferenceKeeper(link, self.cache, self.model, self.clock, timeout_s))

        return asyncio.run(asked())

    def ensure(self, psn_no: str, **given: Any) -> Found:
        found: Found = self.ask(lambda keeper: keeper.ensure(psn_no, NOON), **given)
        return found


@pytest.fixture
def kept(tmp_path: Path, server: StandInServer) -> Kept:
    kept = Kept(tmp_path, server)
    kept.cache.put_staff(a_staff(), NOON_S)
    return kept


def dumped(answer: Any) -> dict[str, Any]:
    body: dict[str, Any] = answer.model_dump(mode="json")
    return body


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, shared_dir: Path, pack: VisionPack) -> FolderReferences:
    """A holder with an agent on one day, an agent without photo, a member of staff."""
    root = tmp_path_factory.mktemp("people")
    for person in ("raj", "penny"):
        shutil.copytree(shared_dir / "faces" / "bbt" / person, root / "gallery" / person)
    (root / "gallery" / "empty").mkdir()
    shutil.copytree(shared_dir / "faces" / "bbt" / "leonard", root / "staff" / "leonard")
    agents = root / "agents.csv"
    agents.write_text(
        "psn_no,agent_psn_no,valid_from,valid_to\nraj,penny,2026-05-01,2026-05-01\nraj,nobody,2026-01-01,\n"
    )
    return FolderReferences(pack, PeopleFolder(root / "gallery"), PeopleFolder(root / "staff"), read_agents(agents))


def day(text: str) -> datetime:
    return as_utc(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI))


def served(folders: FolderReferences, server: StandInServer, folder: Path) -> ReferenceSource:
    """The same people by way of the server, the keeper and the cache."""
    pack = folders.pack

    def sent(person: Person | None, person_id: str) -> PersonTemplates:
        rows = () if person is None else tuple(text_of(row) for row in person.templates)
        return PersonTemplates(person_id=person_id, embedder_sha256=pack.embedder_sha256, templates=rows)

    agents = (
        {"person": dumped(sent(folders.person("penny"), "penny")), "valid_from": dumped_time(day("2026-05-01")),
         "valid_to": dumped_time(day("2026-05-02"))},
        {"person": dumped(sent(None, "nobody")), "valid_from": dumped_time(day("2026-01-01"))},
    )  # fmt: skip
    far = "2036-01-01T00:00:00Z"
    people: dict[str, Any] = {
        name: {"psn_no": name, "holder": dumped(sent(folders.person(name), name)), "expires_at": far}
        for name in ("raj", "empty")
    }
    people["raj"]["agents"] = agents
    staff = [dumped(sent(person, person.person_id)) for person in folders.staff_people()]
    server.tell(people=people, staff={"staff": staff, "expires_at": far})
    kept = Kept(folder, server, pack.embedder_sha256, pack.embedding_size)

    async def bring(keeper: ReferenceKeeper) -> None:
        assert await keeper.refresh_staff()
        for psn_no in ("raj", "empty", "stranger"):
            for at in (NOON, NOON + timedelta(days=1)):
                await keeper.ensure(psn_no, at)

    kept.ask(bring, timeout_s=10.0)
    return kept.references


def dumped_time(moment: datetime) -> str:
    return moment.isoformat()


@pytest.fixture(params=["folder", "server"])
def source(
    request: pytest.FixtureRequest, folders: FolderReferences, server: StandInServer, tmp_path: Path
) -> ReferenceSource:
    return folders if request.param == "folder" else served(folders, server, tmp_path)


def test_a_holder_is_compared_with_all_photos_that_agree(source: ReferenceSource, folders: FolderReferences) -> None:
    found = source.references_for("raj", NOON)
    enrolled = folders.person("raj")
    assert found.reachable
    assert found.holder is not None
    assert enrolled is not None
    assert found.holder.person_id == "raj"
    assert found.holder.templates.dtype == np.float32
    np.testing.assert_array_equal(found.holder.templates, enrolled.templates)


def test_an_agent_counts_on_the_days_of_the_approval_and_one_without_photo_is_counted(source: ReferenceSource) -> None:
    on_the_day, after = source.references_for("raj", NOON), source.references_for("raj", NOON + timedelta(days=1))
    assert [person.person_id for person in on_the_day.agents] == ["penny"]
    assert (on_the_day.agents_without_photo, after.agents_without_photo) == (1, 1)
    assert after.agents == ()


def test_staff_is_always_among_the_references(source: ReferenceSource) -> None:
    for psn_no in ("raj", "stranger"):
        assert [person.person_id for person in source.references_for(psn_no, NOON).staff] == ["leonard"]


def test_an_unknown_person_is_reachable_and_nobody(source: ReferenceSource) -> None:
    found = source.references_for("stranger", NOON)
    assert found.reachable
    assert found.holder is None


def test_a_person_without_usable_photo_is_known_without_templates(source: ReferenceSource) -> None:
    found = source.references_for("empty", NOON)
    assert found.reachable
    assert found.holder is not None
    assert len(found.holder.templates) == 0


def test_who_was_never_asked_for_is_not_reachable(kept: Kept) -> None:
    found = kept.references.references_for("P1", NOON)
    assert (found.reachable, found.holder) == (False, None)


@pytest.mark.parametrize("own", [[], [Person("W1", unit(5)[None])]], ids=["no staff", "staff on the box alone"])
def test_without_the_servers_staff_nobody_is_reachable_because_a_clerk_would_be_a_stranger(
    own: list[Person], tmp_path: Path, server: StandInServer
) -> None:
    kept = Kept(tmp_path, server)
    kept.cache.put(an_answer("P1"), NOON, NOON_S)
    local = CachedReferences(kept.cache, MODEL, SIZE, kept.clock, local_staff=own)
    found = local.references_for("P1", NOON)
    assert (found.reachable, found.holder, local.staff_people()) == (False, None, None)
    assert [person.person_id for person in found.staff] == [person.person_id for person in own]


def test_staff_on_the_box_is_known_beside_the_servers(kept: Kept) -> None:
    kept.cache.put(an_answer("P1"), NOON, NOON_S)
    kept.cache.put_staff(a_staff(a_person("W2", unit(6))), NOON_S)
    own = [Person("W1", unit(5)[None]), Person("no photo", np.empty((0, SIZE), np.float32))]
    local = CachedReferences(kept.cache, MODEL, SIZE, kept.clock, local_staff=own)
    found = local.references_for("P1", NOON)
    assert found.reachable
    assert [person.person_id for person in found.staff] == ["W1", "W2"]
    assert [person.person_id for person in local.staff_people() or ()] == ["W1", "W2"]


@pytest.mark.parametrize(
    ("holder_age_s", "staff_age_s", "stale"),
    [
        (0.0, 0.0, False),
        (module.FRESH_S - 30, module.STAFF_FRESH_S - 30, False),
        (module.FRESH_S + 1, 0.0, True),
        (0.0, module.STAFF_FRESH_S + 1, True),
    ],
)
def test_an_answer_older_than_an_approval_or_a_new_clerk_may_be_is_stale(
    holder_age_s: float, staff_age_s: float, stale: bool, kept: Kept
) -> None:
    kept.cache.put(an_answer("P1"), NOON, NOON_S - holder_age_s)
    kept.cache.put_staff(a_staff(), NOON_S - staff_age_s)
    found = kept.references.references_for("P1", NOON)
    assert (found.reachable, found.holder is not None, found.stale) == (True, True, stale)


def test_while_the_server_answers_no_answer_gets_stale(kept: Kept, server: StandInServer) -> None:
    server.tell(people={"P12": dumped(an_answer("P12"))})
    kept.cache.put(an_answer("P12"), NOON, NOON_S - module.FRESH_S + 30)
    assert kept.ensure("P12") is Found.HERE
    age_s = kept.cache.age_s("P12", NOON, kept.clock.now_s())
    assert age_s is not None and age_s < 30


BAD: dict[str, PersonTemplates] = {
    "another model": a_person("B1", unit(1), model="f" * 64),
    "not base64": PersonTemplates(person_id="B1", embedder_sha256=MODEL, templates=("?" * 44,)),
    "half a number": PersonTemplates(person_id="B1", embedder_sha256=MODEL, templates=("AAAA",)),
    "empty": PersonTemplates(person_id="B1", embedder_sha256=MODEL, templates=("",)),
    "not of length 1": a_person("B1", 2 * unit(1)),
    "not a number": a_person("B1", np.full(SIZE, np.nan, np.float32)),
    "zeros": a_person("B1", np.zeros(SIZE, np.float32)),
    "two sizes": a_person("B1", unit(1), unit(1, 2 * SIZE)),
}


@pytest.mark.parametrize("what", BAD)
def test_a_template_that_cannot_be_compared_is_refused_with_what_was_expected(what: str) -> None:
    with pytest.raises(TemplatesRefused, match="templates: expected"):
        person_of(BAD[what], MODEL, None)


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("where", ["holder", "agent"])
def test_one_bad_template_makes_the_holder_unreachable_and_nothing_is_kept(
    where: str, what: str, kept: Kept, server: StandInServer
) -> None:
    bad = BAD[what]
    given = {"agents": (an_agent("A1", unit(2)).model_copy(update={"person": bad}),)} if where == "agent" else {
        "holder": bad}  # fmt: skip
    server.tell(people={"B1": dumped(an_answer("B1", **given))})
    assert kept.ensure("B1") is Found.UNREACHABLE
    assert not kept.references.references_for("B1", NOON).reachable


def test_a_bad_template_in_the_cache_itself_is_never_compared(kept: Kept) -> None:
    kept.cache.put(an_answer("B1", holder=a_person("B1", unit(1, 2 * SIZE))), NOON, NOON_S)
    assert not kept.references.references_for("B1", NOON).reachable
    kept.cache.put(an_answer("P1"), NOON, NOON_S)
    kept.cache.put_staff(a_staff(a_person("W1", 3 * unit(1))), NOON_S)
    assert not kept.references.references_for("P1", NOON).reachable


def test_a_person_is_here_or_unknown_as_the_server_says(kept: Kept, server: StandInServer) -> None:
    server.tell(people={"P7": dumped(an_answer("P7"))})
    assert kept.ensure("P7") is Found.HERE
    assert kept.ensure("nobody-7") is Found.UNKNOWN
    assert kept.references.references_for("nobody-7", NOON).reachable


@pytest.mark.parametrize("fault", ["500", "401", "429", "hang", "nonsense", "close_mid_body"])
def test_a_cached_answer_serves_while_the_server_does_not(fault: str, kept: Kept, server: StandInServer) -> None:
    kept.cache.put(an_answer("P8"), NOON, NOON_S - 2 * module.FRESH_S)
    server.fail(fault, route="/v1/templates")
    assert kept.ensure("P8", timeout_s=0.3) is Found.HERE
    assert kept.references.references_for("P8", NOON).stale
    assert kept.ensure("not-asked-before", timeout_s=0.3) is Found.UNREACHABLE


def test_an_answer_is_not_asked_for_again_while_it_is_fresh_and_brought_up_to_date_after_that(
    kept: Kept, server: StandInServer
) -> None:
    asked = "POST /v1/templates"
    server.tell(people={"P9": dumped(an_answer("P9", agents=(an_agent("A1", unit(2)),)))})
    kept.cache.put(an_answer("P9"), NOON, NOON_S - module.FRESH_S / 2)
    before = server.requests().get(asked, 0)
    assert kept.ensure("P9") is Found.HERE
    assert server.requests().get(asked, 0) == before
    kept.cache.put(an_answer("P9"), NOON, NOON_S - 2 * module.FRESH_S)
    assert kept.ensure("P9") is Found.HERE
    assert server.requests()[asked] == before + 1
    assert [person.person_id for person in kept.references.references_for("P9", NOON).agents] == ["A1"]


def test_who_swipes_again_stays_in_a_full_cache_before_who_does_not(kept: Kept, server: StandInServer) -> None:
    kept.cache = EncryptedTemplateCache(kept.cache._path, Sealer(b"k" * 32), MODEL, people_max=2)
    for number, person in enumerate(("P20", "P21")):
        kept.cache.put(an_answer(person), NOON, NOON_S - 100 + number)
    assert kept.ensure("P20") is Found.HERE
    kept.cache.put(an_answer("P22"), NOON, NOON_S + 100)
    assert [kept.cache.get(f"P2{number}", NOON, NOON_S) is not None for number in range(3)] == [True, False, True]


def test_a_slow_server_holds_nobody_up_and_its_answer_is_kept_for_the_next(kept: Kept, server: StandInServer) -> None:
    server.tell(people={"P10": dumped(an_answer("P10"))})

    async def twice(keeper: ReferenceKeeper) -> tuple[Found, Found]:
        link = keeper._link
        quick = link.templates_of

        async def slow(question: Any) -> Any:
            await asyncio.sleep(0.4)
            return await quick(question)

        link.templates_of = slow  # type: ignore[method-assign]
        first = await keeper.ensure("P10", NOON)
        await asyncio.sleep(0.7)
        return first, await keeper.ensure("P10", NOON)

    assert kept.ask(twice, timeout_s=0.2) == (Found.UNREACHABLE, Found.HERE)


def test_many_who_ask_for_the_same_person_make_one_request(kept: Kept, server: StandInServer) -> None:
    before = server.requests().get("POST /v1/templates", 0)

    async def many(keeper: ReferenceKeeper) -> list[Found]:
        return await asyncio.gather(*(keeper.ensure("P11", NOON) for _ in range(5)))

    assert kept.ask(many) == [Found.UNKNOWN] * 5
    assert server.requests()["POST /v1/templates"] == before + 1


def test_staff_is_kept_fresh_and_a_failure_is_told_once(
    kept: Kept, server: StandInServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STAFF_EVERY_S", 0.05)
    server.tell(staff=dumped(a_staff(a_person("W9", unit(4)))))
    server.fail("500", route="/v1/staff", times=1)

    async def run(keeper: ReferenceKeeper) -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(keeper.run(stop))
        async with asyncio.timeout(10):
            while not kept.references.references_for("P1", NOON).staff:
                await asyncio.sleep(0.02)
        stop.set()
        await running

    kept.ask(run)
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) == 1


def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    assert Kept(tmp_path, f"http://127.0.0.1:{free_port()}").ensure("P1") is Found.UNREACHABLE


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "expected"),
    [
        ("2026-05-01", None, True),
        ("2026-05-01 20:00", None, True),
        ("2026-05-02", None, False),
        ("2026-01-01", "2026-05-01 00:00", False),
        ("2026-01-01", "2026-05-01 08:00", True),
        ("2026-01-01", "2026-05-02 00:00", True),
    ],
)
def test_an_approval_counts_for_the_whole_of_each_day_it_touches(
    valid_from: str, valid_to: str | None, expected: bool
) -> None:
    agent = an_agent("A1").model_copy(
        update={"valid_from": day(valid_from), "valid_to": day(valid_to) if valid_to else None}
    )
    assert holds(agent, NOON) is expected
