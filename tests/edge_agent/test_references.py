"""Photos of one person, and of more than one under the same number."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge_agent.people_folder import PeopleFolder
from edge_agent.references import FolderReferences, agreeing
from edge_agent.tables import read_agents
from renzheng.contracts import Reason
from vision.pack import VisionPack
from vision.types import FloatArray

NOON = datetime(2026, 5, 1, 4, 0, tzinfo=UTC)


def rows(*angles_deg: float) -> FloatArray:
    """Unit rows in a plane; 60° apart is a cosine of 0.5, 90° is 0."""
    radians = np.radians(angles_deg)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("angles_deg", "kept"),
    [
        ((0,), [0]),
        ((0, 30), [0, 1]),
        ((0, 90), []),
        ((0, 10, 90), [0, 1]),
        ((0, 10, 90, 100), []),
        ((0, 60, 120), [0, 1, 2]),
    ],
)
def test_photos_agree_when_most_of_them_hang_together(angles_deg: tuple[float, ...], kept: list[int]) -> None:
    assert agreeing(rows(*angles_deg)) == kept


@pytest.fixture
def gallery(tmp_path: Path, shared_dir: Path) -> Path:
    for person in ("raj", "penny"):
        shutil.copytree(shared_dir / "faces" / "bbt" / person, tmp_path / person)
    return tmp_path


def test_a_strangers_photo_among_the_holders_is_left_out_and_told(gallery: Path, pack: VisionPack) -> None:
    shutil.copyfile(gallery / "penny" / "penny1.png", gallery / "raj" / "zz.png")
    source = FolderReferences(pack, PeopleFolder(gallery))
    holder = source.references_for("raj", NOON).holder
    assert holder is not None
    assert len(holder.templates) >= 3
    assert [(r.path.name, r.reasons) for r in source.refusals if r.path.name == "zz.png"] == [
        ("zz.png", (Reason.PHOTO_DIFFERS,))
    ]


def test_photos_of_two_people_in_equal_number_enrol_nobody(gallery: Path, pack: VisionPack) -> None:
    mixed = gallery / "mixed"
    mixed.mkdir()
    shutil.copyfile(gallery / "penny" / "penny1.png", mixed / "1.png")
    shutil.copyfile(gallery / "raj" / "raj1.png", mixed / "2.png")
    source = FolderReferences(pack, PeopleFolder(gallery))
    holder = source.references_for("mixed", NOON).holder
    assert holder is not None
    assert not len(holder.templates)
    assert {r.reasons for r in source.refusals} == {(Reason.PHOTO_DIFFERS,)}


def test_agents_without_a_usable_photo_are_counted(gallery: Path, pack: VisionPack) -> None:
    agents = gallery / "agents.csv"
    agents.write_text("psn_no,agent_psn_no,valid_from,valid_to\nraj,penny,2026-01-01,\nraj,nobody,2026-01-01,\n")
    references = FolderReferences(pack, PeopleFolder(gallery), None, read_agents(agents)).references_for("raj", NOON)
    assert [person.person_id for person in references.agents] == ["penny"]
    assert references.agents_without_photo == 1
