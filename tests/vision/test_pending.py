"""What a box could not decide is decided later as it would have been at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.counter import CheckedSwipe, check_swipe
from edge_agent.search import CheckSettings
from edge_agent.surroundings import Surroundings
from renzheng.clock import from_seconds
from renzheng.contracts import IdentityCheck, PendingSamples, Reason, Swipe, ThresholdValues, TrackRole, Verdict
from renzheng.crypto import Tampered, public_of
from renzheng.errors import BadInput
from tests.edge_agent.planted import START_S, Planted, PlantedEmbedder, PlantedFootage, planted_pack, references
from tests.edge_agent.planted_scenes import CLERK, HOLDER, STRANGER, Scene, random_scene
from vision.pending import decide_pending, open_pending, seal_pending
from vision.people import References
from vision.recompute import recompute

THRESHOLDS = ThresholdValues(
    name="t", digest="0", accept=0.45, reject=0.30, few_samples_margin=0.1, target_fmr=1e-4, target_fnmr=0.01
)
SERVER_KEY = bytes(range(32))


def checked(
    scene: Scene, people: References, known_faults: tuple[Reason, ...] = (), *, exhaustive: bool = False,
    **footage: object,
) -> CheckedSwipe:  # fmt: skip
    pack = planted_pack()
    assert isinstance(pack.embedder, PlantedEmbedder)
    memory = PlantedFootage(scene, learn=pack.embedder.learn, **footage)  # type: ignore[arg-type]
    swipe = Swipe(
        setl_id="S1", psn_no="P1", fixmedins_code="P33028100001", terminal_id="T1", setl_time=from_seconds(START_S)
    )
    settings = CheckSettings(pack, THRESHOLDS, exhaustive=exhaustive)
    return check_swipe(swipe, memory, Surroundings(memory), people, settings, known_faults)


def unreached(people: References) -> References:
    """What a box knows of them when the server cannot be asked: its own staff."""
    return References(None, staff=people.staff, reachable=False)


def pending(scene: Scene, people: References, *more: tuple[Reason, ...], **footage: object) -> CheckedSwipe:
    done = checked(scene, unreached(people), *more, **footage)
    assert done.check.verdict is Verdict.PENDING_REFERENCE
    assert done.pending is not None
    return done


def decided_later(scene: Scene, people: References, *more: tuple[Reason, ...], **footage: object) -> IdentityCheck:
    """The check as the server decides it, after its samples went through the seal."""
    done = pending(scene, people, *more, **footage)
    assert done.pending is not None
    sealed = seal_pending(done.pending, public_of(SERVER_KEY))
    return decide_pending(done.check, open_pending(SERVER_KEY, sealed, "S1"), people)


def while_swiping(*faces: Planted) -> Scene:
    return lambda second: faces if -9 <= second < 9 else ()


@pytest.mark.parametrize("block", range(5))
def test_deciding_later_is_deciding_at_once(block: int) -> None:
    for seed in range(block * 16, block * 16 + 16):
        scene, people, footage = random_scene(np.random.default_rng(seed))
        if seed % 5 == 0:
            people = replace(people, agents_without_photo=1)
        at_once = checked(scene, people, **footage).check
        whole = checked(scene, people, exhaustive=True, **footage).check
        later = decided_later(scene, people, **footage)
        assert (later.verdict, later.reasons) == (at_once.verdict, at_once.reasons), seed
        assert later == whole, seed
        assert recompute(later).verdict is later.verdict


@pytest.mark.parametrize("person", [HOLDER, STRANGER])
def test_a_doubt_about_the_footage_holds_later_too(person: int) -> None:
    doubts = (Reason.CLOCK_UNCLEAR,)
    scene, people = while_swiping(Planted(person)), references(HOLDER)
    later = decided_later(scene, people, doubts)
    assert (later.verdict, later.reasons) == (
        (Verdict.MATCH, (Reason.INDEPENDENT_SAMPLES,))
        if person == HOLDER
        else (Verdict.NOT_ASSESSABLE, (Reason.CLOCK_UNCLEAR,))
    )


def test_a_pending_check_says_nothing_of_the_holder_and_names_the_staff() -> None:
    people = references(HOLDER, staff=[CLERK])
    check = pending(while_swiping(Planted(HOLDER, x=0.2), Planted(CLERK, x=0.8)), people).check
    assert check.reasons == (Reason.REFERENCE_UNREACHABLE,)
    assert {track.role for track in check.tracks} == {TrackRole.UNCERTAIN, TrackRole.STAFF}
    assert all(track.holder_score is None for track in check.tracks)
    assert all(sample.similarity is None for sample in check.samples)
    assert check.score is None and check.reference_photos == 0
    assert recompute(check).verdict is Verdict.PENDING_REFERENCE


def test_a_clerk_whom_only_the_box_knows_is_no_stranger_to_the_server() -> None:
    on_box, at_server = references(HOLDER, staff=[CLERK]), references(HOLDER)
    scene = while_swiping(Planted(CLERK))
    done = pending(scene, on_box)
    assert done.pending is not None
    at_once, later = checked(scene, on_box).check, decide_pending(done.check, done.pending, at_server)
    assert (later.verdict, later.reasons) == (at_once.verdict, at_once.reasons)
    assert later.verdict is Verdict.STAFF_ONLY
    assert [track.role for track in later.tracks] == [TrackRole.STAFF]


@pytest.mark.parametrize(
    ("people", "reason"),
    [(references(None), Reason.PERSON_UNKNOWN), (references(HOLDER, photos=0), Reason.NO_USABLE_PHOTO)],
)
def test_whoever_turns_out_not_to_be_enrolled_leaves_nothing_behind(people: References, reason: Reason) -> None:
    later = decided_later(while_swiping(Planted(HOLDER)), people)
    assert (later.verdict, later.reasons) == (Verdict.NOT_ENROLLED, (reason,))
    assert (later.tracks, later.samples) == ((), ())


def test_a_server_that_cannot_say_either_leaves_the_check_pending() -> None:
    people = references(HOLDER)
    done = pending(while_swiping(Planted(HOLDER)), people)
    assert done.pending is not None
    assert decide_pending(done.check, done.pending, unreached(people)) is done.check


def test_crops_of_others_are_forgotten_once_the_holder_is_found() -> None:
    people = references(HOLDER)
    done = pending(while_swiping(Planted(HOLDER, x=0.2), Planted(STRANGER, x=0.8)), people)
    assert done.pending is not None
    crops = tuple(
        sample.model_copy(update={"crop": f"{number}.jpg"}) for number, sample in enumerate(done.check.samples)
    )
    later = decide_pending(done.check.model_copy(update={"samples": crops}), done.pending, people)
    holder = {track.track for track in later.tracks if track.role is TrackRole.HOLDER}
    assert {sample.track for sample in later.samples if sample.crop} == holder
    assert len(holder) == 1


def test_samples_of_another_check_or_model_are_refused() -> None:
    done = pending(while_swiping(Planted(HOLDER)), references(HOLDER))
    assert done.pending is not None
    for wrong in ({"check_id": "S2"}, {"embedder_sha256": "f" * 64}):
        with pytest.raises(BadInput, match="expected the samples of this check"):
            decide_pending(done.check, done.pending.model_copy(update=wrong), references(HOLDER))


def test_sealed_samples_open_only_for_the_server_and_their_own_check() -> None:
    done = pending(while_swiping(Planted(HOLDER)), references(HOLDER))
    assert isinstance(done.pending, PendingSamples)
    sealed = seal_pending(done.pending, public_of(SERVER_KEY))
    assert done.pending.faces[0].embedding.encode() not in sealed
    with pytest.raises(Tampered):
        open_pending(bytes(32), sealed, "S1")
    with pytest.raises(Tampered):
        open_pending(SERVER_KEY, sealed, "S2")
