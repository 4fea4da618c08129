"""The outbox empties itself, whatever the line and the server do; nothing is lost and nothing is taken for sent."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterator
from datetime import datetime, time
from functools import partial
from pathlib import Path

import pytest

from edge_agent.agent_clock import Leg, ReplayClock, WallClock
from edge_agent.edge_config import ScheduleWindow, ServerConfig
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.store import Store
from edge_agent.uplink import deliveries, tus, uplink
from edge_agent.uplink.pace import Backoff
from edge_agent.uplink.uplink import LinkState
from renzheng.clock import SHANGHAI, to_seconds
from renzheng.contracts import SignedManifest, Verdict
from renzheng.errors import StorageFull
from renzheng.manifests import verify_manifest
from tests.edge_agent.outbox.builders import PSN_NO, a_report
from tests.edge_agent.stand_in import ArrivedClip, Delivered, StandInServer, free_port
from tests.edge_agent.uplink.builders import KEY, UplinkBox, link_to


@pytest.fixture
def box(tmp_path: Path) -> Iterator[UplinkBox]:
    with Store(tmp_path / "box" / "agent.sqlite") as store:
        yield UplinkBox(tmp_path / "box", store)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "IDLE_S", 0.02)
    monkeypatch.setattr(tus, "CHUNK_BYTES", 65_536)
    monkeypatch.setattr(uplink, "Backoff", partial(Backoff, 0.05, 0.2))


def send(box: UplinkBox, server: StandInServer | str, **given: object) -> None:
    asyncio.run(box.send(server, box.all_sent, **given))  # type: ignore[arg-type]


def taken(server: StandInServer, *ids: str) -> list[Delivered]:
    return [one for one in server.deliveries() if one.delivery_id in ids]


def clip_of(server: StandInServer, check_id: str) -> ArrivedClip | None:
    return next((clip for clip in server.clips() if clip.check_id == check_id), None)


def test_a_check_arrives_with_its_small_files_and_then_its_clip(server: StandInServer, box: UplinkBox) -> None:
    path = box.check("A1", clip_bytes=150_000)
    box.store.queue_report(a_report("A1-report"))
    send(box, server)
    check, report = taken(server, "A1", "A1-report")
    assert check.body["check"]["verdict"] == "mismatch"
    assert check.body["clip_due"] is True
    assert [base64.b64decode(piece["data"]) for piece in check.body["pieces"]] == [b"face"]
    assert [piece["path"] for piece in check.body["pieces"]] == [check.body["check"]["samples"][0]["crop"]]
    assert (check.device_id, check.arrivals, report.kind, report.arrivals) == ("box", 1, "report", 1)
    clip = clip_of(server, "A1")
    assert clip is not None
    manifest = verify_manifest(SignedManifest.model_validate_json(clip.manifest), KEY.public, clip.path, "A1")
    assert (manifest.clip_id, manifest.sha256) == ("A1", clip.sha256)
    assert clip.path.read_bytes() == path.read_bytes()
    assert "A1" not in server.clips_before_checks()
    assert box.events == []


def test_flagged_checks_go_first(server: StandInServer, box: UplinkBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "BATCH_ITEMS_MAX", 2)
    for number, verdict in enumerate((Verdict.MATCH, Verdict.MISMATCH, Verdict.NOT_ASSESSABLE, Verdict.STAFF_ONLY)):
        box.check(f"B{number}", verdict)
    send(box, server)
    assert [one.delivery_id for one in taken(server, "B0", "B1", "B2", "B3")] == ["B1", "B3", "B0", "B2"]


@pytest.mark.parametrize("fault", ["500", "429", "hang", "close_mid_body", "drop_answer", "nonsense", "401", "413"])
def test_after_any_fault_every_check_is_there_once(
    fault: str, server: StandInServer, box: UplinkBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "REVOKED_EVERY_S", 0.1)
    ids = [f"C-{fault}-{number}" for number in range(5)]
    for check_id in ids:
        box.check(check_id)
    server.fail(fault, route="/v1/checks", times=2)
    send(box, server, timeout_s=1.0 if fault == "hang" else 10.0)
    assert box.states("check") == {"acknowledged": 5}
    arrived = taken(server, *ids)
    assert sorted(one.delivery_id for one in arrived) == ids
    assert {one.arrivals for one in arrived} == ({3} if fault == "drop_answer" else {1})
    assert not any(one.conflicts for one in arrived)


@pytest.mark.parametrize("fault", ["500", "429", "hang", "close_mid_body", "drop_answer"])
def test_after_any_fault_every_clip_is_there_whole(fault: str, server: StandInServer, box: UplinkBox) -> None:
    path = box.check(f"D-{fault}", clip_bytes=200_000)
    server.fail(fault, route="/v1/clips", method="PATCH", times=1, skip=1)
    send_impatiently(box, server, timeout_s=1.0 if fault == "hang" else 10.0)
    clip = clip_of(server, f"D-{fault}")
    assert clip is not None
    assert clip.path.read_bytes() == path.read_bytes()
    assert box.states("clip") == {"acknowledged": 1}


def send_impatiently(box: UplinkBox, server: StandInServer, timeout_s: float = 10.0) -> None:
    """Send, with a clip that failed put off for hardly any time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge_agent.uplink.putting_off.FIRST_S", 0.05)
        send(box, server, timeout_s=timeout_s)


def test_without_a_server_everything_waits_and_goes_when_there_is_one(box: UplinkBox, tmp_path: Path) -> None:
    box.check("E1")
    port = free_port()
    link = asyncio.run(box.send(f"http://127.0.0.1:{port}", box.all_sent, limit_s=0.5))
    assert box.states("check") == {"pending": 1}
    assert link.status().state is LinkState.UNREACHABLE
    assert link.status().last_success_s is None
    with StandInServer(tmp_path / "server", port) as server:
        send(box, server)
        assert [one.arrivals for one in server.deliveries()] == [1]


def test_a_revoked_box_keeps_everything_says_so_once_and_asks_seldom(server: StandInServer, box: UplinkBox) -> None:
    box.check("F1", clip_bytes=1000)
    before = server.requests().get("POST /v1/checks", 0)
    line = asyncio.run(box.send(server, box.all_sent, limit_s=1.0, token="a-token-of-nobody"))
    assert line.status().state is LinkState.REVOKED
    assert [kind for kind, _ in box.events] == ["device_revoked"]
    assert box.states("check") == {"pending": 1}
    assert server.requests()["POST /v1/checks"] - before <= 2
    send(box, server)
    assert box.states("clip") == {"acknowledged": 1}


def test_batches_shrink_to_what_the_server_takes(server: StandInServer, box: UplinkBox) -> None:
    ids = [f"G{number:02d}" for number in range(20)]
    for check_id in ids:
        box.check(check_id)
    server.tell(behaviour={"batch_max": 3})
    send(box, server)
    assert [one.arrivals for one in taken(server, *ids)] == [1] * 20


def test_a_check_that_is_too_large_alone_waits_and_holds_up_nobody(server: StandInServer, box: UplinkBox) -> None:
    box.check("H1")
    server.tell(behaviour={"batch_max": 0})
    asyncio.run(box.send(server, lambda: bool(box.events), limit_s=5))
    assert [(kind, detail.split(":")[0]) for kind, detail in box.events] == [("delivery_not_taken", "check H1")]
    assert box.states("check") == {"pending": 1}


@pytest.mark.parametrize("how", ["fail_over", "reject_over"])
def test_one_check_over_which_the_server_fails_holds_up_nobody(how: str, server: StandInServer, box: UplinkBox) -> None:
    ids = [f"I-{how}-{number}" for number in range(9)]
    for check_id in ids:
        box.check(check_id)
    server.tell(behaviour={how: [ids[2]]})
    asyncio.run(box.send(server, lambda: box.states("check").get("acknowledged") == 8))
    assert [one.delivery_id for one in taken(server, *ids)].count(ids[2]) == 0
    assert box.states("check") == {"acknowledged": 8, "pending": 1}


def test_only_an_answer_that_names_a_check_refuses_it_and_it_stays_on_the_box(
    server: StandInServer, box: UplinkBox
) -> None:
    for check_id in ("J1", "J2"):
        box.check(check_id, clip_bytes=1000)
    server.tell(behaviour={"refuse": ["J1"]})
    send(box, server)
    assert box.states("check") == {"acknowledged": 1, "refused": 1}
    assert box.states("clip") == {"acknowledged": 1, "refused": 1}
    assert box.events == [("delivery_refused", "check J1")]
    assert clip_of(server, "J1") is None


def test_a_check_that_the_answer_passes_over_is_sent_again(
    server: StandInServer, box: UplinkBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "UNMENTIONED_S", 0.1)
    box.check("K1")
    server.tell(behaviour={"ignore": ["K1"]})
    asyncio.run(box.send(server, box.all_sent, limit_s=0.5))
    assert box.states("check") == {"pending": 1}
    server.tell(behaviour={"ignore": []})
    send(box, server)
    assert [one.arrivals for one in taken(server, "K1")] == [1]


@pytest.mark.parametrize("damage", ["gone", "changed", "no manifest"])
def test_a_clip_that_is_lost_on_the_box_is_told_of_and_its_check_still_arrives(
    damage: str, server: StandInServer, box: UplinkBox
) -> None:
    check_id = f"L-{damage.replace(' ', '-')}"
    path = box.check(check_id, clip_bytes=1000)
    if damage == "gone":
        path.unlink()
    elif damage == "changed":
        path.write_bytes(b"x" * 1000)
    else:
        path.with_name("manifest.json").unlink()
    send(box, server)
    assert [kind for kind, _ in box.events] == ["clip_lost"]
    assert box.states("clip") == {"refused": 1}
    assert len(taken(server, check_id)) == 1
    assert clip_of(server, check_id) is None


def test_outside_its_times_no_clip_leaves_and_checks_do(server: StandInServer, box: UplinkBox) -> None:
    box.clock = fixed(13)
    box.check("M1", clip_bytes=1000)
    night = (ScheduleWindow(start=time(22), end=time(6)),)
    asyncio.run(box.send(server, box.all_sent, limit_s=0.7, clip_windows=night))
    assert (box.states("check"), box.states("clip")) == ({"acknowledged": 1}, {"pending": 1})
    box.clock = fixed(23)
    asyncio.run(box.send(server, box.all_sent, clip_windows=night))
    assert box.states("clip") == {"acknowledged": 1}


def fixed(hour: int, speed: float = 1.0) -> ReplayClock:
    """A clock that begins at that hour in Shanghai."""
    start_s = to_seconds(datetime(2026, 5, 1, hour, tzinfo=SHANGHAI))
    return ReplayClock((Leg(start_s, 1e9),), speed, WallClock().steady_s())


def test_a_limited_line_takes_its_time_and_checks_pass_the_clip(server: StandInServer, box: UplinkBox) -> None:
    box.check("N1", clip_bytes=10 * 65_536)
    began_s = WallClock().steady_s()

    async def sent() -> float:
        async with asyncio.timeout(20):
            task = asyncio.create_task(box.send(server, box.all_sent, clip_kib_per_s=512.0))
            while not box.states("check").get("acknowledged"):
                await asyncio.sleep(0.01)
            box.check("N2")
            while box.states("check").get("acknowledged") != 2:
                await asyncio.sleep(0.01)
            passed_s = WallClock().steady_s() - began_s
            await task
            return passed_s

    passed_s = asyncio.run(sent())
    took_s = WallClock().steady_s() - began_s
    assert took_s > 9 * 65_536 / (512 * 1024)
    assert passed_s < took_s
    assert box.states("clip") == {"acknowledged": 1}


def test_a_stop_ends_an_upload_with_its_piece_and_the_next_start_takes_it_up(
    server: StandInServer, box: UplinkBox
) -> None:
    box.check("O1", clip_bytes=40 * 65_536)
    before = server.requests().get("PATCH /v1/clips", 0)

    def some_sent() -> bool:
        return server.requests().get("PATCH /v1/clips", 0) >= before + 3

    asyncio.run(box.send(server, some_sent, clip_kib_per_s=256.0))
    assert box.states("clip") == {"pending": 1}
    line = asyncio.run(box.send(server, box.all_sent))
    assert clip_of(server, "O1") is not None
    assert line.status().clip_bytes_sent <= 37 * 65_536


def test_a_stop_before_the_start_still_sends_what_waits(server: StandInServer, box: UplinkBox) -> None:
    for number in range(3):
        box.check(f"P{number}")
    asyncio.run(box.send(server, lambda: True))
    assert box.states("check") == {"acknowledged": 3}


def test_a_stop_does_not_wait_for_a_server_that_hangs(server: StandInServer, box: UplinkBox) -> None:
    box.check("Q1")
    server.fail("hang", route="/v1/checks")
    began_s = WallClock().steady_s()
    asyncio.run(box.send(server, box.all_sent, limit_s=0.2, timeout_s=30.0))
    assert WallClock().steady_s() - began_s < 5
    assert box.states("check") == {"sending": 1}
    box.store.close()
    server.fail(None)
    with Store(box.folder / "agent.sqlite") as store:
        again = UplinkBox(box.folder, store)
        send(again, server)
        assert again.states("check") == {"acknowledged": 1}


def test_in_a_fast_replay_what_failed_is_put_off_for_real_time(server: StandInServer, box: UplinkBox) -> None:
    box.clock = fixed(0, speed=5000.0)
    box.check("R1")
    before = server.requests().get("POST /v1/checks", 0)
    server.tell(behaviour={"ignore": ["R1"]})
    asyncio.run(box.send(server, box.all_sent, limit_s=0.7))
    assert server.requests()["POST /v1/checks"] == before + 1


def test_a_poor_line_is_told_once_and_no_log_holds_a_person_number(
    server: StandInServer, box: UplinkBox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    box.check("S1", clip_bytes=1000)
    server.fail("500", times=4)
    send_impatiently(box, server)
    warned = [r for r in caplog.records if r.name == "edge_agent.uplink.uplink" and r.levelno >= logging.WARNING]
    assert 1 <= len(warned) <= 2
    assert PSN_NO not in "".join(f"{record.getMessage()}{record.__dict__.get('facts')}" for record in caplog.records)


@pytest.mark.parametrize("kind", ["check", "clip"])
def test_what_arrived_while_the_disk_was_full_is_sent_again_as_soon_as_there_is_room(
    server: StandInServer, box: UplinkBox, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    name = f"N1-{kind}"
    box.check(name, clip_bytes=1000)
    real, full = Outbox.acknowledge, [1, 1]

    def acknowledge(outbox: Outbox, ids: list[int], now_s: float) -> None:
        items = {row["id"] for row in box.store.database.rows("SELECT id FROM outbox WHERE kind = ?", (kind,))}
        if full and items & set(ids):
            full.pop()
            raise StorageFull("no room")
        real(outbox, ids, now_s)

    monkeypatch.setattr(Outbox, "acknowledge", acknowledge)
    send(box, server)
    assert box.all_sent() and full == []
    assert [one.conflicts for one in taken(server, name)] == [0]
    assert clip_of(server, name) is not None


def test_a_nudge_saves_the_wait(server: StandInServer, box: UplinkBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "IDLE_S", 60.0)

    async def nudged() -> None:
        stop = asyncio.Event()
        async with asyncio.timeout(10), link_to(server) as link:
            line = uplink.Uplink(box.outbox, link, ServerConfig(url=server.url), box.clock)
            running = asyncio.create_task(line.run(stop))
            await asyncio.sleep(0.2)
            box.check("T1", clip_bytes=1000)
            line.nudge()
            while not box.all_sent():
                await asyncio.sleep(0.01)
                line.nudge()
            stop.set()
            await running

    asyncio.run(nudged())
    assert box.states("clip") == {"acknowledged": 1}
