"""A poor picture is never fraud: real people, real video, every enrolled person, whatever spoils the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from calibration.sets import load_set
from edge_agent.counter import check_swipe
from edge_agent.people_folder import PeopleFolder
from edge_agent.recorded import RecordedTimeline, open_recording
from edge_agent.references import FolderReferences
from edge_agent.search import CheckSettings
from edge_agent.surroundings import Surroundings
from renzheng.contracts import FLAGGED, IdentityCheck, Swipe, Verdict
from tests.edge_agent.remembered_footage import RememberedFootage
from tests.edge_agent.scene_clip import (
    PEOPLE,
    START,
    WHO_IS_IN,
    Act,
    Coding,
    all_of,
    blocky,
    blurred,
    coarse,
    compose,
    grainy,
    light,
    masked,
    middles,
    smeared,
    tilted,
)
from tests.vision.remembering import remembering
from vision.pack import VisionPack
from vision.recompute import recompute

SCENE = "bbt4"
HERE = WHO_IS_IN[SCENE]
BEFORE_S, AFTER_S = 1.8, 2.2
SECONDS = 4.6

POOR = {
    "blurred": Act(SCENE, SECONDS, spoil=blurred(4)),
    "blurred beyond detail": Act(SCENE, SECONDS, spoil=blurred(9)),
    "smeared": Act(SCENE, SECONDS, spoil=smeared(25)),
    "dark": Act(SCENE, SECONDS, spoil=light(0.12)),
    "nearly black": Act(SCENE, SECONDS, spoil=light(0.04)),
    "dark and grainy": Act(SCENE, SECONDS, spoil=all_of(light(0.15), grainy(12))),
    "overexposed": Act(SCENE, SECONDS, spoil=light(4, 40)),
    "in fog": Act(SCENE, SECONDS, spoil=light(0.1, 150)),
    "tiny": Act(SCENE, SECONDS, scale=0.35),
    "few pixels": Act(SCENE, SECONDS, spoil=coarse(7)),
    "grainy": Act(SCENE, SECONDS, spoil=grainy(80)),
    "blocky": Act(SCENE, SECONDS, spoil=blocky(2)),
    "lying": Act(SCENE, SECONDS, spoil=tilted(70)),
}
"""So poor that nothing may be said of anybody, present or not."""

MIDDLING = {
    "a little blurred": Act(SCENE, SECONDS, spoil=blurred(2)),
    "rather grainy": Act(SCENE, SECONDS, spoil=grainy(40)),
    "rather bright": Act(SCENE, SECONDS, spoil=light(2, 40)),
    "masked": Act(SCENE, SECONDS, worn=masked),
}
"""Somebody who is not there may be found not to be there; who is there must not be."""


@dataclass(frozen=True)
class PoorCounter:
    """One recording with an act for each way of being poor, and where in it each is."""

    footage: RememberedFootage
    surroundings: Surroundings
    references: FolderReferences
    settings: CheckSettings
    second_of: dict[str, float]

    def check(self, act: str, person: str) -> IdentityCheck:
        moment = START + timedelta(seconds=self.second_of[act])
        swipe = Swipe(setl_id="S1", psn_no=person, fixmedins_code="P33028100001", terminal_id="T1", setl_time=moment)
        references = self.references.references_for(person, swipe.setl_time)
        return check_swipe(swipe, self.footage, self.surroundings, references, self.settings).check


def a_counter(
    folder: Path, acts: dict[str, Act], faces_dir: Path, pack: VisionPack, thresholds: str, coding: Coding | None = None
) -> PoorCounter:
    played = {f"empty {n}": Act(seconds=2.0) for n in range(len(acts))}
    order = [pair for n, named in enumerate(acts.items()) for pair in ((f"empty {n}", played[f"empty {n}"]), named)]
    path = compose(folder / "poor.mp4", [act for _, act in order], faces_dir / "scenes", coding)
    real = RecordedTimeline([open_recording(path, START)])
    footage = RememberedFootage(real)
    threshold_set, digest = load_set(thresholds)
    quick = remembering(pack)
    return PoorCounter(
        footage,
        Surroundings(footage),
        FolderReferences(quick, PeopleFolder(faces_dir / "bbt")),
        CheckSettings(quick, threshold_set.values(digest), before_s=BEFORE_S, after_s=AFTER_S),
        {name: second for (name, _), second in zip(order, middles([act for _, act in order]), strict=True)},
    )


@pytest.fixture(scope="module")
def counter(
    tmp_path_factory: pytest.TempPathFactory, faces_dir: Path, pack: VisionPack, thresholds: str
) -> Iterator[PoorCounter]:
    yield a_counter(tmp_path_factory.mktemp("poor"), POOR | MIDDLING, faces_dir, pack, thresholds)


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("act", POOR)
def test_a_poor_picture_accuses_nobody(counter: PoorCounter, act: str, person: str) -> None:
    check = counter.check(act, person)
    assert check.verdict not in FLAGGED, (check.reasons, check.tracks)
    assert check.verdict is not Verdict.MATCH or person in HERE
    assert recompute(check).verdict is check.verdict


@pytest.mark.parametrize("person", sorted(HERE))
@pytest.mark.parametrize("act", MIDDLING)
def test_a_middling_picture_never_accuses_who_is_there(counter: PoorCounter, act: str, person: str) -> None:
    check = counter.check(act, person)
    assert check.verdict not in FLAGGED, (check.reasons, check.tracks)


@pytest.mark.parametrize("person", sorted(set(PEOPLE) - HERE))
@pytest.mark.parametrize("act", MIDDLING)
def test_a_middling_picture_never_finds_who_is_not_there(counter: PoorCounter, act: str, person: str) -> None:
    assert counter.check(act, person).verdict in (Verdict.MISMATCH, Verdict.NOT_ASSESSABLE)


def test_too_few_bits_accuse_nobody_who_is_there(
    tmp_path: Path, faces_dir: Path, pack: VisionPack, thresholds: str
) -> None:
    starved = Coding(options={"preset": "ultrafast", "crf": "46"})
    counter = a_counter(tmp_path, {"starved": Act(SCENE, SECONDS)}, faces_dir, pack, thresholds, starved)
    for person in PEOPLE:
        check = counter.check("starved", person)
        assert check.verdict not in FLAGGED or person not in HERE, (person, check.reasons, check.tracks)
