"""A small campaign: the same as `make faults`, with a few of everything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from renzheng.demo.footage import ensure_town
from renzheng.settings import settings
from tests.faults import box
from tests.faults.__main__ import run_campaign
from tests.faults.campaign import Plan

PLAN = Plan(
    swipes=30,
    kills=4,
    cuts=3,
    disk_full=1,
    server_faults=3,
    server_kills=1,
    fault_kinds="429,close_mid_body,drop_answer",  # after the others single checks rest for half a minute
    seed=3,
    kill_every_s=3.0,
    limit_s=90.0,
)


@pytest.mark.timeout(480)
def test_every_acknowledged_swipe_arrives_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box, "FOOTAGE_S", 6.0)
    town = ensure_town(settings().cache_dir)
    campaign, findings = asyncio.run(run_campaign(PLAN, tmp_path, town))
    assert sum(campaign.box.kills.values()) == PLAN.kills
    assert (campaign.line.cuts, campaign.tally.server_kills) == (PLAN.cuts, PLAN.server_kills)
    assert len(campaign.tally.acknowledged) == PLAN.swipes
    assert findings.wrong == []
    assert sum(findings.verdicts.values()) == PLAN.swipes
    assert findings.clips > 0
