"""The town's files are whole, parse, and appear in the cache at once or not at all."""

from __future__ import annotations

import csv

import cv2
import pytest

from calibration.zones import read_zones
from edge_agent.tables import read_agents, read_swipes
from renzheng.clock import as_utc
from renzheng.contracts import Verdict
from renzheng.demo import footage, town
from renzheng.demo.commands import show_comparison


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    footage.write_papers(folder)
    return footage.TownFiles(folder)


def test_the_swipes_read_back_as_the_truth_has_them(papers):
    swipes = read_swipes(papers.swipes).swipes
    assert [(s.setl_id, s.psn_no, s.setl_time) for s in swipes] == [
        (row.setl_id, row.psn_no, as_utc(row.swiped_at)) for row in town.truth()
    ]
    assert all(s.platform_fields["med_type"] == "41" for s in swipes)


def test_the_agent_is_enrolled_under_his_own_number(papers):
    read_agents(papers.agents)
    with papers.agents.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows
    assert all((papers.gallery / row[field]).is_dir() for row in rows for field in ("psn_no", "agent_psn_no"))


def test_the_zones_are_readable(papers):
    read_zones(papers.zones)


def test_the_truth_names_a_verdict_for_every_swipe(papers):
    with papers.truth.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [Verdict(row["verdict"]) for row in rows] == [row.verdict for row in town.truth()]
    assert all(row["what_zh"] and row["what_en"] for row in rows)


def test_everybody_enrolled_has_three_different_photos(papers):
    folders = [*papers.gallery.iterdir(), *papers.staff.iterdir()]
    assert len(folders) == len(town.ENROLLED) + 1
    for folder in folders:
        photos = [cv2.imread(str(path)) for path in sorted(folder.iterdir())]
        assert [photo.shape for photo in photos] == [(600, 480, 3)] * 3
        assert (photos[0] != photos[1]).any()


def test_the_unknown_person_is_not_in_the_gallery(papers):
    assert not (papers.gallery / town.UNKNOWN_PSN_NO).exists()


def test_a_broken_off_rendering_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(folder, advance):
        raise RuntimeError("broken off")

    monkeypatch.setattr(footage, "render_all", fail)
    with pytest.raises(RuntimeError, match="broken off"):
        footage.ensure_town(tmp_path)
    assert list((tmp_path / "demo").iterdir()) == []


def test_the_town_is_rendered_once(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(footage, "render_all", lambda folder, advance: calls.append(folder))
    first, again = footage.ensure_town(tmp_path), footage.ensure_town(tmp_path)
    assert first == again
    assert len(calls) == 1
    assert first.swipes.is_file()
    assert [path.name for path in (tmp_path / "demo").iterdir()] == [f"v{town.DEMO_VERSION}"]


def test_a_swipe_without_a_check_counts_as_a_difference(capsys):
    assert show_comparison([]) == len(town.truth())
    assert f"0 / {len(town.truth())}" in capsys.readouterr().out
