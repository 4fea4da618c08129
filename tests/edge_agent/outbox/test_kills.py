"""Killed at any moment, the store holds everything it had acknowledged."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.store import Store
from tests.edge_agent.outbox.builders import NOON_S

KILLS = 200
MOST_LINES = 14
LONGEST_S = 0.004
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    """A folder whose writer was killed again and again, and what it had acknowledged, by kind."""
    folder = tmp_path_factory.mktemp("killed")
    draw = random.Random(20260501)
    orders = "".join(
        f"{number} {draw.randint(0, MOST_LINES)} {draw.uniform(0, LONGEST_S):.5f}\n" for number in range(KILLS)
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.edge_agent.outbox.kill_writer", folder],
        input=orders,
        capture_output=True,
        text=True,
        timeout=150,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, list[str]] = defaultdict(list)
    for line in done.stdout.splitlines():
        what, name = line.split()
        said[what].append(name)
    assert len(said["killed"]) == KILLS, done.stderr
    return folder, said


def test_hundreds_of_kills_lose_no_accepted_swipe_and_no_finished_check(
    killed: tuple[Path, dict[str, list[str]]],
) -> None:
    folder, said = killed
    with Store(folder / "agent.sqlite") as store:
        assert store.moved_aside is None
        accepted = [store.find(setl_id) for setl_id in said["accepted"]]
        finished = [store.find(setl_id) for setl_id in said["finished"]]
    assert len(accepted) > KILLS
    assert all(accepted)
    assert all(record is not None and record.state == "done" for record in finished)
    assert len(set(said["finished"])) == len(said["finished"])


def test_hundreds_of_kills_lose_nothing_that_waits_to_be_sent(killed: tuple[Path, dict[str, list[str]]]) -> None:
    folder, said = killed
    with Store(folder / "agent.sqlite") as store:
        outbox = Outbox(store)
        checks = outbox.lease("check", 10**6, NOON_S, 10)
        outbox.acknowledge([item.id for item in checks], NOON_S)
        clips = outbox.lease("clip", 10**6, NOON_S, 10)
        sent = {check.check_id for check in store.recent_checks(10**6) if check.sent}

    waiting, clips_waiting = {item.name for item in checks}, {item.name for item in clips}
    assert len(said["sent-clip"]) > KILLS
    assert set(said["finished"]) <= clips_waiting | sent
    assert not waiting & set(said["sent-check"])
    assert not clips_waiting & set(said["sent-clip"])
    assert all(item.path is not None and item.path.read_bytes().startswith(item.name.encode()) for item in clips)
