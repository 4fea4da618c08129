"""The box's own uplink against the server in a process of its own: everything arrives, whatever happens between."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.agent_clock import WallClock
from edge_agent.edge_config import ServerConfig
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.store import Store
from edge_agent.uplink import tus, uplink
from edge_agent.uplink.device import DeviceIdentity, EnrolmentFailed, enrol_device
from edge_agent.uplink.pace import Backoff
from edge_agent.uplink.references import CachedReferences, Found, ReferenceKeeper
from edge_agent.uplink.server_link import ServerLink
from edge_agent.uplink.template_cache import EncryptedTemplateCache
from edge_agent.uplink.uplink import LinkState
from renzheng.contracts import DeliveryBatch, SignedManifest
from renzheng.crypto import Sealer
from renzheng.errors import StorageFull
from renzheng.ids import new_id
from renzheng.manifests import verify_manifest
from server.access import digest_of_token
from server.checks import pieces
from server.clips.tus import upload_folder
from server.context import Server
from server.tables import BoxReport, Clip, Device, Purpose
from tests.edge_agent.outbox.builders import a_report, a_swipe, done_swipe
from tests.edge_agent.uplink.builders import KEY, UplinkBox
from tests.server.checks.making import all_checks, pending_delivery, the_check, the_pieces
from tests.server.clips.uploading import clips, uploads
from tests.server.conftest import KEYS, OUTSIDE, PHARMACY, opened
from tests.server.people.making import EMBEDDER, VALUES, make_approval, make_member, make_person, near, unit
from tests.server.running import RunningServer

HOLDER = unit(1)
CHUNK = 65_536


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """The server's data."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(sqlite_template, folder / "renzheng.sqlite")
    return folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[RunningServer]:
    """One server for all tests: each takes names of its own."""
    with RunningServer(f"sqlite:///{folder / 'renzheng.sqlite'}", folder, KEYS.text()) as running:
        yield running


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """Its database and store as a test looks into them."""
    looked_into = opened(f"sqlite:///{folder / 'renzheng.sqlite'}", folder)
    yield looked_into
    looked_into.close()


def enrolment_token(server: Server, device_id: str = "box-1", institution: str = PHARMACY) -> str:
    """What an operator is given for a new box."""
    token, now = new_id(), datetime.now(UTC)
    with server.database.transaction() as session:
        session.add(
            Device(
                id=device_id, institution_id=institution, label="柜台", created_at=now,
                enrol_token_digest=digest_of_token(token), enrol_token_until=now + timedelta(hours=1),
            )
        )  # fmt: skip
    return token


def with_key(folder: Path) -> Path:
    """A box's folder that holds the key of the tests."""
    folder.mkdir(mode=0o700, parents=True)
    (folder / "signing.key").write_bytes(b"k" * 32)
    return folder


@pytest.fixture(scope="module")
def identity(running: RunningServer, server: Server, tmp_path_factory: pytest.TempPathFactory) -> DeviceIdentity:
    """The box of the tests, which enrolled itself."""
    folder = with_key(tmp_path_factory.mktemp("box") / "device")
    return enrol_device(running.url, enrolment_token(server), folder, fixmedins_code=PHARMACY)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[UplinkBox]:
    with Store(tmp_path / "box" / "agent.sqlite") as store:
        yield UplinkBox(tmp_path / "box", store)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "IDLE_S", 0.02)
    monkeypatch.setattr(tus, "CHUNK_BYTES", CHUNK)
    monkeypatch.setattr(uplink, "Backoff", partial(Backoff, 0.05, 0.2))
    monkeypatch.setattr("edge_agent.uplink.putting_off.FIRST_S", 0.05)


def send(box: UplinkBox, running: RunningServer, identity: DeviceIdentity, **given: Any) -> Any:
    until = given.pop("until", box.all_sent)
    return asyncio.run(box.send(running.url, until, token=identity.token, **given))


def test_a_box_enrols_once_and_may_ask_again_while_its_answer_may_be_lost(
    running: RunningServer, server: Server, tmp_path: Path
) -> None:
    token, folder = enrolment_token(server, "box-2"), tmp_path / "device"
    first = enrol_device(running.url, token, folder, fixmedins_code=PHARMACY)
    again = enrol_device(running.url, token, folder, fixmedins_code=PHARMACY)
    assert (first.device_id, first.server_public_key) == ("box-2", KEYS.public_key)
    assert (again.device_id, again.token) == (first.device_id, first.token)
    with pytest.raises(EnrolmentFailed, match="403"):
        enrol_device(running.url, token, tmp_path / "another", fixmedins_code=PHARMACY)
    with pytest.raises(EnrolmentFailed, match="403"):
        enrol_device(running.url, "no token", tmp_path / "third", fixmedins_code=PHARMACY)


def test_a_check_arrives_with_its_pictures_its_clip_and_the_report(
    running: RunningServer, server: Server, identity: DeviceIdentity, box: UplinkBox
) -> None:
    path = box.check("A1", clip_bytes=3 * CHUNK + 5)
    box.store.queue_report(a_report("A1-report").model_copy(update={"device_id": "box-1"}))
    line = send(box, running, identity)
    assert line.status().state is LinkState.UP
    assert box.events == []
    check = the_check(server, "A1")
    assert (check.verdict, check.clip_due, check.device_id) == ("mismatch", True, "box-1")
    (piece,) = the_pieces(server, "A1").values()
    assert pieces.read(server, piece) == b"face"
    clip = clip_of(server, "A1")
    assert server.store.get(clip.store_key) == path.read_bytes()
    signed = SignedManifest(manifest=clip.manifest, key_id=clip.key_id, signature=clip.signature)
    assert verify_manifest(signed, KEY.public, path, "A1").sha256 == clip.sha256
    with server.database.transaction(writes=False) as session:
        assert session.get(BoxReport, ("box-1", "A1-report")) is not None


def clip_of(server: Server, name: str) -> Clip:
    """The clip of a check."""
    check = the_check(server, name)
    return next(clip for clip in clips(server) if clip.check_id == check.id)


def bytes_arrived(server: Server) -> int:
    """How far the upload is that runs."""
    folder = upload_folder(server)
    running = [one.id for one in uploads(server) if one.finished_at is None]
    return sum(int((folder.info(one) or {"offset": 0})["offset"]) for one in running)


def test_a_server_that_is_killed_in_the_middle_goes_on_where_it_was(
    running: RunningServer, server: Server, identity: DeviceIdentity, box: UplinkBox
) -> None:
    path = box.check("B00", clip_bytes=20 * CHUNK)
    send(box, running, identity, until=lambda: bytes_arrived(server) >= 3 * CHUNK, clip_kib_per_s=512.0)
    before = bytes_arrived(server)
    running.kill()
    names = [f"B{number:02d}" for number in range(40)]
    for name in names[1:]:
        box.check(name)
    send(box, running, identity, limit_s=0.3)
    assert (box.states("clip"), box.states("check")["acknowledged"]) == ({"pending": 1}, 1)
    running.start()
    assert bytes_arrived(server) == before
    line = send(box, running, identity)
    assert (box.states("clip"), box.states("check")) == ({"acknowledged": 1}, {"acknowledged": 40})
    assert line.status().clip_bytes_sent == 20 * CHUNK - before
    assert server.store.get(clip_of(server, "B00").store_key) == path.read_bytes()
    assert sorted(name for name in all_checks(server) if name.startswith("B")) == names


@pytest.mark.parametrize("kind", ["check", "clip"])
def test_what_arrived_and_was_not_noted_on_the_box_is_sent_again_and_kept_once(
    kind: str,
    running: RunningServer,
    server: Server,
    identity: DeviceIdentity,
    box: UplinkBox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"D-{kind}"
    box.check(name, clip_bytes=2 * CHUNK)
    real, full = Outbox.acknowledge, [1, 1]

    def acknowledge(outbox: Outbox, ids: list[int], now_s: float) -> None:
        items = {row["id"] for row in box.store.database.rows("SELECT id FROM outbox WHERE kind = ?", (kind,))}
        if full and items & set(ids):
            full.pop()
            raise StorageFull("no room")
        real(outbox, ids, now_s)

    monkeypatch.setattr(Outbox, "acknowledge", acknowledge)
    send(box, running, identity)
    assert (full, box.outbox.waiting()) == ([], 0)
    assert all_checks(server).count(name) == 1
    assert clip_of(server, name).size_bytes == 2 * CHUNK


def test_a_check_of_another_institution_is_refused_and_stays_on_the_box(
    running: RunningServer, server: Server, identity: DeviceIdentity, box: UplinkBox
) -> None:
    now_s = box.clock.now_s()
    box.store.accept(a_swipe("E1", fixmedins_code=OUTSIDE), "test", now_s, False)
    box.store.finish_swipe(done_swipe(box.folder, "E1", fixmedins_code=OUTSIDE), "clip", now_s)
    send(box, running, identity)
    assert (box.states("check"), box.states("clip")) == ({"refused": 1}, {"refused": 1})
    assert box.events == [("delivery_refused", "check E1")]
    assert "E1" not in all_checks(server)


def test_a_box_that_is_revoked_keeps_what_it_has(
    running: RunningServer, server: Server, identity: DeviceIdentity, box: UplinkBox
) -> None:
    box.check("F1")
    revoke(server, datetime.now(UTC))
    line = send(box, running, identity, until=lambda: bool(box.events))
    revoke(server, None)
    assert line.status().state is LinkState.REVOKED
    assert box.events[0][0] == "device_revoked"
    assert box.states("check") == {"pending": 1}
    send(box, running, identity)
    assert "F1" in all_checks(server)


def revoke(server: Server, at: datetime | None) -> None:
    """Shut the box of the tests out, or let it in again."""
    with server.database.transaction() as session:
        session.get_one(Device, "box-1").revoked_at = at


def linked(running: RunningServer, identity: DeviceIdentity, ask: Callable[[ServerLink], Awaitable[Any]]) -> Any:
    """What comes of asking over a line of the box."""

    async def asked() -> Any:
        async with ServerLink(ServerConfig(url=running.url), identity) as link:
            return await ask(link)

    return asyncio.run(asked())


def test_a_box_is_given_whom_it_may_compare_with(
    running: RunningServer, server: Server, identity: DeviceIdentity, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    holder = make_person(server, "p1", vectors=[HOLDER])
    agent = make_person(server, "p2", purposes=(Purpose.AGENT_CHECK,), vectors=[unit(2)])
    make_approval(server, holder, agent)
    make_member(server, PHARMACY, "W1", [unit(3)])
    clock = WallClock()
    cache = EncryptedTemplateCache(tmp_path / "templates.sqlite", Sealer(b"k" * 32), EMBEDDER)

    async def bring(link: ServerLink) -> tuple[bool, Found, Found]:
        keeper = ReferenceKeeper(link, cache, EMBEDDER, clock, timeout_s=20.0)
        return await keeper.refresh_staff(), await keeper.ensure("p1", now), await keeper.ensure("p9", now)

    assert linked(running, identity, bring) == (True, Found.HERE, Found.UNKNOWN)
    found = CachedReferences(cache, EMBEDDER, VALUES, clock).references_for("p1", now)
    assert found.holder is not None
    np.testing.assert_array_equal(found.holder.templates, HOLDER[None])
    assert [person.person_id for person in (*found.agents, *found.staff)] == ["p2", "W1"]


def test_a_check_that_the_box_could_not_decide_is_decided_by_the_server(
    running: RunningServer, server: Server, identity: DeviceIdentity
) -> None:
    make_person(server, "p1", vectors=[HOLDER])
    given = pending_delivery([near(HOLDER, 0.9, seed) for seed in range(11, 15)])
    batch = DeliveryBatch(device_id=identity.device_id, checks=(given,))
    answer = linked(running, identity, lambda link: link.deliver(batch))
    assert answer.accepted == ("S1",)
    until_s = time.monotonic() + 20
    while the_check(server).decided is None and time.monotonic() < until_s:
        time.sleep(0.05)
    assert the_check(server).verdict == "match"
