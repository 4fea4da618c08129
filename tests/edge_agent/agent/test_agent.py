"""A whole agent as an operator has it: killed, stopped, out of room, with its clock set, beside a second one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from edge_agent.agent import agent as agent_module
from edge_agent.agent.agent import Agent
from edge_agent.edge_config import read_config
from edge_agent.outbox.store import Store
from edge_agent.ring.index import SegmentIndex
from renzheng.cli import run
from renzheng.demo import footage, town
from tests.edge_agent.agent.agent_process import AgentProcess, gone, write_room
from tests.faults.campaign import fill

HOLDER = town.PEOPLE["zhou"].psn_no
DISK_MIB = 40


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_room(tmp_path_factory.mktemp("video") / "counter.mp4")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of one drawn person."""
    folder = tmp_path_factory.mktemp("gallery")
    (folder / HOLDER).mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / HOLDER / f"{number}.jpg"), footage.photo("zhou", number))
    return folder


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A file system that can be filled; none where nothing can be mounted."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    yield folder if mounted else None
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def box(
    tmp_path_factory: pytest.TempPathFactory, video: Path, gallery: Path, small_disk: Path | None
) -> Iterator[AgentProcess]:
    """One agent that runs for several tests."""
    folder = tmp_path_factory.mktemp("box")
    with AgentProcess(folder, video, gallery, data=small_disk / "data" if small_disk else None) as agent:
        agent.start()
        yield agent
        status, _ = agent.terminate()
        assert status == 0, agent.log.read_text("utf-8")[-3000:]


def test_a_terminal_learns_the_verdict(box: AgentProcess) -> None:
    time.sleep(1.0)  # for the window of the swipe to be recorded
    answer = box.post("S1", HOLDER, wait="final").json()
    assert (answer["receipt"], answer["final"], answer["verdict"]["code"]) == ("new", True, "holder_absent")
    assert box.post("S1", HOLDER, ago_s=0.5).status_code == 409
    assert box.post("S2", HOLDER, terminal_id="T9").status_code == 422
    assert (box.data / "evidence" / "S1" / "clip.mp4").is_file()


@pytest.mark.parametrize(
    ("ago_s", "reason"), [(3600.0, "no_footage"), (-3600.0, "swipe_time_implausible")], ids=["behind", "ahead"]
)
def test_a_terminal_whose_clock_is_an_hour_off_accuses_nobody(box: AgentProcess, ago_s: float, reason: str) -> None:
    answer = box.post(f"off{ago_s:.0f}", HOLDER, wait="final", ago_s=ago_s).json()
    assert answer["verdict"]["code"] == "not_assessable"
    assert reason in [one["code"] for one in answer["reasons"]]


def test_a_second_agent_with_the_same_folder_says_so_and_leaves(box: AgentProcess) -> None:
    command = [sys.executable, "-m", "renzheng", "edge", "run", "--config", str(box.config)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert second.returncode == 2
    assert second.stderr.startswith("renzheng: ") and "another agent is running with this data folder" in second.stderr
    assert box.get("/healthz").status_code == 200


def test_status_is_shown_to_an_operator(box: AgentProcess, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["edge", "status", "--config", str(box.config)]) == 0
    told = capsys.readouterr().out
    assert "ready" in told and "counter" in told and "live" in told and HOLDER not in told
    assert run(["edge", "status", "--config", str(box.config), "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_a_vision_process_killed_over_a_check_is_started_again_and_the_check_is_made(box: AgentProcess) -> None:
    before = box.status()["restarts"]["vision"]
    vision = box.vision()
    vision.suspend()
    assert box.post("mid", HOLDER).status_code == 202
    time.sleep(1.5)  # the window is over and the check with the vision process
    assert box.check_of("mid") is None
    vision.kill()
    box.until(lambda: box.check_of("mid"))
    found = box.check_of("mid")
    assert found is not None and found["verdict"]["code"] == "holder_absent"
    assert box.status()["restarts"]["vision"] == before + 1
    box.until(lambda: box.get("/readyz").status_code == 200)


def refused_for_room(box: AgentProcess) -> str:
    """The first swipe that finds no room: the ring may give way for one or two before it."""
    for number in range(200):
        name = f"full-{number}"
        if box.post(name, HOLDER).status_code == 503:
            return name
        time.sleep(0.05)
    raise AssertionError("every swipe was taken")


def test_a_full_disk_refuses_swipes_and_works_again_when_there_is_room(
    box: AgentProcess, small_disk: Path | None
) -> None:
    if small_disk is None:
        pytest.skip("mounting a small file system needs root")
    free = fill(small_disk)
    try:
        refused = refused_for_room(box)
        box.until(lambda: box.get("/readyz").status_code == 503, 5)
        assert {problem["kind"] for problem in box.status()["problems"]} >= {"storage_full"}
        assert box.get(f"/v1/swipes/{refused}").status_code == 404  # nothing half-kept
        assert box.process is not None
        box.process.kill()
        box.process.wait()
        box.start(ready=False)  # a box that is killed meanwhile comes up all the same: its ring must give way
        assert box.post("full", HOLDER).status_code in (202, 503)
    finally:
        free()
    box.until(lambda: box.post("full", HOLDER).status_code in (200, 202, 409), 10)
    box.until(lambda: box.check_of("full"))
    box.until(lambda: box.get("/readyz").status_code == 200)
    box.until(lambda: box.status()["cameras"][0]["state"] == "live" and not box.status()["cameras"][0]["disk_full"])


def test_its_log_holds_no_person_number(box: AgentProcess) -> None:
    assert HOLDER not in box.log.read_text("utf-8")
    assert any(line["what"] == "a swipe was checked" for line in box.logged())


# --- killed and stopped ----------------------------------------------------------------------------------------------


def test_killed_it_leaves_no_process_behind_and_finishes_what_it_had_taken_and_stopped_what_it_has_in_hand(
    tmp_path: Path, video: Path, gallery: Path
) -> None:
    with AgentProcess(tmp_path, video, gallery) as agent:
        agent.start()
        assert agent.post("S1", HOLDER).status_code == 202
        processes = agent.processes()
        assert len(processes) >= 4
        assert agent.process is not None
        agent.process.kill()
        agent.process.wait()
        agent.until(lambda: gone(processes), 10)
        with SegmentIndex(agent.data / "ring" / "counter") as ring:
            assert list(ring.pins()) == ["S1"]
        agent.start()
        agent.until(lambda: agent.check_of("S1"))
        assert agent.post("S1", HOLDER).status_code == 409  # the first is kept: the second has a later time
        assert agent.post("S2", HOLDER).status_code == 202
        assert agent.post("in hand", HOLDER, ago_s=0.5).status_code == 202
        time.sleep(0.7)  # its window is over
        processes = agent.processes()
        status, seconds = agent.terminate()
        assert status == 0 and seconds < 15
        agent.until(lambda: gone(processes), 5)
        with Store(agent.data / "agent.sqlite") as store:
            in_hand, record = store.find("in hand"), store.find("S2")
            assert in_hand is not None and in_hand.state == "done"
            assert record is not None  # done, or open for the next start
        with SegmentIndex(agent.data / "ring" / "counter") as ring:
            assert not any(segment.is_open for segment in ring.segments())
            assert list(ring.pins()) == ([] if record.state == "done" else ["S2"])


# --- the clock -------------------------------------------------------------------------------------------------------


def test_the_clock_set_back_an_hour_is_told_and_accuses_nobody(tmp_path: Path, video: Path, gallery: Path) -> None:
    with AgentProcess(tmp_path, video, gallery, clock=True) as agent:
        agent.start()
        assert agent.clock is not None
        time.sleep(1.0)
        before = agent.post("before", HOLDER, wait="final").json()
        assert before["verdict"]["code"] == "holder_absent"
        agent.clock.set_by(-1.5)  # back into what was recorded by the former time
        agent.until(lambda: agent.status()["cameras"][0]["clock_steps"] == 1)
        after = agent.post("after", HOLDER, wait="final").json()
        assert after["verdict"]["code"] == "not_assessable"
        assert "clock_unclear" in [reason["code"] for reason in after["reasons"]]
        agent.clock.set_by(-3600.0)
        agent.until(lambda: agent.status()["cameras"][0]["clock_steps"] == 2)
        assert agent.post("an hour back", HOLDER, wait="final").json()["final"]
        agent.until(lambda: any(event["kind"] == "clock_stepped" for event in agent.status()["events"]))
        assert agent.get("/readyz").status_code == 200
        assert agent.terminate()[0] == 0


# --- inside one process ----------------------------------------------------------------------------------------------


@pytest.fixture
def config_path(tmp_path: Path, video: Path, gallery: Path) -> Path:
    return AgentProcess(tmp_path, video, gallery).config


async def stopped_after(agent: Agent, seconds: float) -> float:
    """Run an agent for a while; how long its end took."""
    stop = asyncio.Event()
    running = asyncio.create_task(agent.run(stop))
    await asyncio.wait_for(agent.started.wait(), 10)
    await asyncio.sleep(seconds)
    began = time.monotonic()
    stop.set()
    await running
    return time.monotonic() - began


def test_a_server_that_hangs_does_not_hold_up_the_end(config_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "SEND_S", 1.0)
    with closing(socket.create_server(("127.0.0.1", 0))) as hangs:  # accepts and says nothing
        url = f"http://127.0.0.1:{hangs.getsockname()[1]}"
        with config_path.open("a", encoding="utf-8") as config:
            config.write(f'[server]\nurl = "{url}"\nreport_every_s = 0.2\n')
        assert asyncio.run(stopped_after(Agent(read_config(config_path)), 1.0)) < 12
    with Store(config_path.parent / "data" / "agent.sqlite") as store:
        waiting = store.database.value("SELECT count(*) FROM outbox WHERE kind = 'report' AND state = 'pending'")
        assert waiting >= 1  # nothing is given up


def test_a_store_that_is_damaged_ends_it_and_is_moved_aside_at_the_next_start(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(_: Store) -> dict[str, int]:
        raise agent_module.StoreDamaged("torn")

    with monkeypatch.context() as damaged:
        damaged.setattr(Store, "drops", torn)
        with pytest.raises(agent_module.StoreDamaged, match="the next start moves it aside"):
            asyncio.run(asyncio.wait_for(Agent(read_config(config_path)).run(asyncio.Event()), 30))
    path = config_path.parent / "data" / "agent.sqlite"
    path.write_bytes(b"torn" * 4096)
    asyncio.run(stopped_after(Agent(read_config(config_path)), 0.0))
    with Store(path) as store:
        assert "store_damaged" in [numbered.event.kind for numbered in store.events_since()]


def test_evidence_beside_a_store_that_was_deleted_stays_and_is_told(config_path: Path) -> None:
    manifest = config_path.parent / "data" / "evidence" / "S1" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}", encoding="utf-8")
    asyncio.run(stopped_after(Agent(read_config(config_path)), 0.0))
    with Store(config_path.parent / "data" / "agent.sqlite") as store:
        told = {numbered.event.kind: numbered.event.detail for numbered in store.events_since()}
    assert told["evidence_unclaimed"] == "1 in evidence/"
    assert manifest.exists()


def test_a_stop_right_after_the_start_ends_in_order(config_path: Path) -> None:
    assert asyncio.run(stopped_after(Agent(read_config(config_path)), 0.0)) < 15


def test_ctrl_c_ends_it_like_sigterm(tmp_path: Path, video: Path, gallery: Path) -> None:
    agent = AgentProcess(tmp_path, video, gallery)
    with agent:
        command = [sys.executable, "-m", "renzheng", "edge", "run", "--config", str(agent.config)]
        agent.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        agent.until(lambda: (tmp_path / "data" / "agent.sqlite").exists())
        os.killpg(agent.process.pid, signal.SIGINT)  # as a terminal does it: to every process
        assert agent.process.wait(30) == 0
