"""What an audit is given: which swipes count, what an operator is told, what makes another audit of it."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from edge_agent import audit_inputs
from edge_agent.audit_inputs import AuditOptions, read_inputs
from models.pack import load_pack
from renzheng.errors import BadInput
from renzheng.settings import Settings
from tests.edge_agent.numbered_video import Recipe, write_video

HEADER = "setl_id,psn_no,fixmedins_code,terminal_id,setl_time\n"
ROWS = (
    "S1,anna,P33028100001,T01,2026-05-01 09:00:01\n"
    "S2,bert,P33028100001,T02,2026-05-01 09:00:02\n"
    "S3,anna,P33028100001,T01,2026-05-01 09:00:03\n"
)


@pytest.fixture
def options(tmp_path: Path) -> AuditOptions:
    recording = write_video(tmp_path / "20260501T090000+0800.mp4", Recipe(frames=10))
    (tmp_path / "swipes.csv").write_text(HEADER + ROWS)
    for name in ("gallery/anna", "gallery/carl", "staff/dora"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "1.jpg").write_bytes(b"not looked at here")
    return AuditOptions(
        recordings=[recording],
        swipes=tmp_path / "swipes.csv",
        gallery=tmp_path / "gallery",
        staff=tmp_path / "staff",
        out=tmp_path / "out",
    )


def test_only_swipes_at_the_named_terminals_are_checked(options: AuditOptions) -> None:
    inputs = read_inputs(replace(options, terminals=("T01",)))
    assert [swipe.setl_id for swipe in inputs.swipes] == ["S1", "S3"]
    assert inputs.cautions == ("swipes at other terminals left out: 1",)


def test_swipes_of_several_terminals_against_one_camera_are_warned_of(options: AuditOptions) -> None:
    inputs = read_inputs(options)
    assert len(inputs.swipes) == 3
    assert len(inputs.cautions) == 1
    assert "T01, T02" in inputs.cautions[0]


def test_a_terminal_without_swipes_is_refused_with_those_that_have_some(options: AuditOptions) -> None:
    with pytest.raises(BadInput, match=r"no swipe at T9; the swipes are at T01, T02"):
        read_inputs(replace(options, terminals=("T9",)))


def test_without_staff_photos_and_staff_zone_the_operator_is_warned(options: AuditOptions, tmp_path: Path) -> None:
    alone = replace(options, staff=None, terminals=("T01",))
    assert any("a clerk's face counts as a customer's" in caution for caution in read_inputs(alone).cautions)
    zones = tmp_path / "zones.toml"
    zones.write_text('[[zone]]\nkind = "staff"\nname = "till"\npolygon = [[0, 0], [0.5, 0], [0.5, 1]]\n')
    assert not any("clerk" in caution for caution in read_inputs(replace(alone, zones=zones)).cautions)


def test_a_photo_that_moves_from_the_gallery_to_the_staff_makes_another_audit(options: AuditOptions) -> None:
    before = read_inputs(options).digest
    (options.gallery / "anna").rename(options.gallery.parent / "staff" / "anna")
    assert read_inputs(options).digest != before


def test_other_minutes_of_what_is_usual_make_another_audit_and_nonsense_is_refused(options: AuditOptions) -> None:
    assert read_inputs(options).plan.usual_minutes == 10
    assert read_inputs(replace(options, usual_minutes=0)).digest != read_inputs(options).digest
    for wrong in (-1, 21, float("nan")):
        with pytest.raises(BadInput, match="--usual-minutes"):
            replace(options, usual_minutes=wrong)


def test_photos_of_people_without_swipes_make_no_other_audit(options: AuditOptions) -> None:
    before = read_inputs(options).digest
    (options.gallery / "carl" / "2.jpg").write_bytes(b"more")
    assert read_inputs(options).digest == before
    (options.gallery / "anna" / "2.jpg").write_bytes(b"more")
    assert read_inputs(options).digest != before


def test_a_bad_row_of_the_agents_stops_the_audit_even_when_bad_rows_may_be_skipped(
    options: AuditOptions, tmp_path: Path
) -> None:
    agents = tmp_path / "agents.csv"
    agents.write_text("psn_no,agent_psn_no,valid_from,valid_to\nanna,carl,2026-01-32,\n")
    with pytest.raises(BadInput, match=r"line 2, valid_from.*\n.*approved agent would count as a stranger"):
        read_inputs(replace(options, agents=agents, skip_bad_rows=True))


def test_other_networks_or_another_engine_make_another_audit(
    options: AuditOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = load_pack()
    seen = {read_inputs(options).digest}
    for part in ("detector_sha256", "embedder_sha256"):
        other = replace(pack, **{part: "0" * 64})
        monkeypatch.setattr(audit_inputs, "load_pack", lambda _name, other=other: other)
        seen.add(read_inputs(options).digest)
    monkeypatch.undo()
    for engine in ("av", "onnxruntime"):
        monkeypatch.setattr(audit_inputs, "version", lambda name, old=engine: "0.0.1" if name == old else version(name))
        seen.add(read_inputs(options).digest)
        monkeypatch.undo()
    monkeypatch.setattr(audit_inputs, "settings", lambda: Settings(provider="openvino"))
    seen.add(read_inputs(options).digest)
    assert len(seen) == 6


def test_photos_of_an_agent_of_a_holder_count(options: AuditOptions, tmp_path: Path) -> None:
    agents = tmp_path / "agents.csv"
    agents.write_text("psn_no,agent_psn_no,valid_from,valid_to\nanna,carl,2026-01-01,\n")
    with_agent = replace(options, agents=agents)
    before = read_inputs(with_agent).digest
    (options.gallery / "carl" / "2.jpg").write_bytes(b"more")
    assert read_inputs(with_agent).digest != before


def test_a_gallery_that_holds_nobody_of_the_list_is_warned_of(options: AuditOptions) -> None:
    one_level_too_deep = replace(options, gallery=options.gallery / "anna")
    assert any(
        "no person of the swipes has a folder" in caution for caution in read_inputs(one_level_too_deep).cautions
    )


def test_rows_that_are_left_out_are_counted_by_line(options: AuditOptions) -> None:
    options.swipes.write_text(HEADER + ROWS + "S4,,P33028100001,T01,never\n")
    cautions = read_inputs(replace(options, skip_bad_rows=True)).cautions
    assert "bad rows of the swipes left out: 1; the report lists them" in cautions


def test_an_unknown_pack_is_told_as_an_unknown_pack(options: AuditOptions) -> None:
    with pytest.raises(BadInput, match="pack"):
        read_inputs(replace(options, pack="nope"))
