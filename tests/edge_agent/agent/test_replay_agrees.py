"""The same recordings through the live agent and through the audit give the same verdicts for the same reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.agent.replay import run_replay
from edge_agent.audit import run_audit
from edge_agent.audit_inputs import AuditOptions
from edge_agent.edge_config import read_config
from edge_agent.tables import read_swipes
from renzheng.contracts import IdentityCheck, Reason
from renzheng.demo.footage import TownFiles, ensure_town
from renzheng.demo.town import INSTITUTION, TERMINAL, truth
from renzheng.settings import settings

CONFIG = """
fixmedins_code = "{institution}"
data_dir = "data"
usual_minutes = 0
[references]
gallery = "{town.gallery}"
staff = "{town.staff}"
agents = "{town.agents}"
[[camera]]
id = "counter"
url = "file:none.mp4"
zones = "{town.zones}"
ambient_every_s = 0
[[terminal]]
id = "{terminal}"
camera = "counter"
"""

MORNING = (2, 3, 5, 6, 7, 8, 9)
"""Swipes of the demo with six different verdicts, one over two files and one without footage."""


@pytest.fixture(scope="module")
def town() -> TownFiles:
    return ensure_town(settings().cache_dir)


def told(checks: tuple[IdentityCheck, ...]) -> dict[str, tuple[object, ...]]:
    """Verdict and reasons, but for two: a live box alone says that a camera wants looking at, and the audit alone has
    seen by how it looks later that a picture is blurred."""
    return {
        check.swipe_id: (
            check.verdict,
            tuple(reason for reason in check.reasons if reason not in (Reason.CAMERA_UNFIT, Reason.PICTURE_BLURRED)),
            check.coverage.recorded_share,
        )
        for check in checks
    }


@pytest.mark.timeout(480)
def test_replay_and_audit_of_the_demos_morning_agree(town: TownFiles, tmp_path: Path) -> None:
    header, *rows = town.swipes.read_text("utf-8").splitlines()
    some = tmp_path / "swipes.csv"
    some.write_text("\n".join([header, *(rows[number] for number in MORNING)]), encoding="utf-8")
    swipes = read_swipes(some).swipes
    path = tmp_path / "edge.toml"
    path.write_text(CONFIG.format(institution=INSTITUTION, terminal=TERMINAL, town=town), encoding="utf-8")
    replayed = run_replay(read_config(path), {"counter": town.recordings[:2]}, swipes, speed=10.0)
    options = AuditOptions(
        recordings=town.recordings[:2],
        swipes=some,
        gallery=town.gallery,
        staff=town.staff,
        agents=town.agents,
        zones=town.zones,
        out=tmp_path / "out",
        clips="none",
        usual_minutes=0,
    )
    audited = run_audit(options)
    assert told(replayed.checks) == told(audited.checks)
    true = {row.setl_id: row.verdict for row in truth()}
    assert len({check.verdict for check in replayed.checks}) == 6
    assert all(check.verdict is true[check.swipe_id] for check in replayed.checks)
