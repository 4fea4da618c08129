"""The search through a window, on a make-believe counter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.counter import CheckedSwipe, check_swipe
from edge_agent.footage import Footage, Stretch, TimeWindow
from edge_agent.recorded import RecordedTimeline, open_recording
from edge_agent.search import CheckSettings, outward
from edge_agent.surroundings import Surroundings
from renzheng.clock import from_seconds
from renzheng.contracts import FLAGGED, IdentityCheck, Reason, Swipe, ThresholdValues, Verdict
from tests.edge_agent import planted
from tests.edge_agent.numbered_video import START as VIDEO_START
from tests.edge_agent.numbered_video import START_S as VIDEO_START_S
from tests.edge_agent.numbered_video import write_video
from tests.edge_agent.planted import START_S, Planted, PlantedFootage, planted_pack, references
from tests.edge_agent.planted_scenes import AGENT, CLERK, HOLDER, STRANGER, Scene, random_scene
from vision.people import References
from vision.recompute import recompute
from vision.zones import Zone, ZoneKind, Zones

THRESHOLDS = ThresholdValues(
    name="t", digest="0", accept=0.45, reject=0.30, few_samples_margin=0.1, target_fmr=1e-4, target_fnmr=0.01
)


def swipe_at(second: float) -> Swipe:
    return Swipe(
        setl_id="S1", psn_no="P1", fixmedins_code="P33028100001", terminal_id="T1",
        setl_time=from_seconds(START_S + second),
    )  # fmt: skip


def settings_for(**given: object) -> CheckSettings:
    return replace(CheckSettings(planted_pack(), THRESHOLDS), **given)  # type: ignore[arg-type]


def checked(
    scene: Scene, people: References | None = None, settings: CheckSettings | None = None, second: float = 0.0,
    **footage: object,
) -> tuple[IdentityCheck, PlantedFootage]:  # fmt: skip
    settings = settings or settings_for()
    embedder = settings.pack.embedder
    assert isinstance(embedder, planted.PlantedEmbedder)
    memory = PlantedFootage(scene, learn=embedder.learn, **footage)  # type: ignore[arg-type]
    done: CheckedSwipe = check_swipe(
        swipe_at(second), memory, Surroundings(memory), people or references(HOLDER), settings
    )
    again = recompute(done.check)
    assert (again.verdict, again.reasons) == (done.check.verdict, done.check.reasons)
    assert len(done.sample_faces) == len(done.check.samples)
    return done.check, memory


def while_swiping(*faces: Planted) -> Scene:
    return lambda second: faces if -9 <= second < 9 else ()


def between(begin: float, end: float, *faces: Planted) -> Scene:
    return lambda second: faces if begin <= second < end else ()


# --- the order of the search -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("starts", "moment", "order"),
    [
        ([], 5, []),
        ([0], 5, [0]),
        ([0, 2, 4, 6, 8], 5, [4, 6, 2, 8, 0]),
        ([0, 2, 4, 6, 8], 4, [4, 6, 2, 8, 0]),
        ([0, 2, 4, 6, 8], 0, [0, 2, 4, 6, 8]),
        ([0, 2, 4, 6, 8], 9, [8, 6, 4, 2, 0]),
        ([0, 2, 4], 30, [4, 2, 0]),
        ([6, 8], 5, [6, 8]),
        ([0, 2, 8], 5, [8, 2, 0]),
    ],
)
def test_the_search_goes_outward(starts: list[int], moment: float, order: list[int]) -> None:
    stretches = [Stretch("a", start, start + 2) for start in starts]
    assert [stretch.start_s for stretch in outward(stretches, moment)] == order


@pytest.mark.parametrize("moment", np.arange(-3, 23, 0.7).tolist())
@pytest.mark.parametrize("count", [1, 2, 5, 10])
def test_every_stretch_is_searched_once(moment: float, count: int) -> None:
    stretches = [Stretch("a", 2 * n, 2 * n + 2) for n in range(count)]
    assert sorted(outward(stretches, moment), key=lambda s: s.start_s) == stretches


def test_a_holder_who_stands_there_is_established_without_looking_at_everything() -> None:
    check, memory = checked(while_swiping(Planted(HOLDER)))
    assert (check.verdict, check.reasons) == (Verdict.MATCH, (Reason.INDEPENDENT_SAMPLES,))
    assert check.coverage.searched_share < 0.5
    assert memory.looked[0].start_s <= START_S < memory.looked[0].end_s


def test_two_samples_at_once_are_not_enough_to_stop() -> None:
    check, _ = checked(between(0.0, 0.9, Planted(HOLDER)))
    assert (check.verdict, check.reasons) == (Verdict.MATCH, (Reason.STRONG_SAMPLE,))
    assert check.coverage.searched_share == 1.0
    assert check.coverage.frames_looked == 50


def test_what_is_in_doubt_is_searched_whole() -> None:
    check, memory = checked(while_swiping(Planted(STRANGER)))
    assert check.verdict is Verdict.MISMATCH
    assert check.coverage.searched_share == 1.0
    assert check.coverage.frames_looked == 50
    assert len(set(memory.decoded)) >= 50


def test_a_holder_seen_only_at_the_end_of_the_window_is_found() -> None:
    check, _ = checked(lambda second: [Planted(STRANGER, x=0.2), *([Planted(HOLDER, x=0.8)] if second > 1.7 else [])])
    assert check.verdict is Verdict.MATCH


def test_an_exhaustive_search_looks_at_everything() -> None:
    check, _ = checked(while_swiping(Planted(HOLDER)), settings=settings_for(exhaustive=True))
    assert check.verdict is Verdict.MATCH
    assert check.coverage.searched_share == 1.0


# --- verdicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scene", "people", "verdict", "reason"),
    [
        (while_swiping(Planted(HOLDER)), references(HOLDER), Verdict.MATCH, Reason.INDEPENDENT_SAMPLES),
        (while_swiping(Planted(STRANGER)), references(HOLDER), Verdict.MISMATCH, Reason.EVERY_FACE_DIFFERS),
        (while_swiping(), references(HOLDER), Verdict.HOLDER_ABSENT, Reason.NOBODY_SEEN),
        (while_swiping(Planted(CLERK)), references(HOLDER, staff=[CLERK]), Verdict.STAFF_ONLY, Reason.ONLY_STAFF_SEEN),
        (while_swiping(Planted(AGENT)), references(HOLDER, agents=[AGENT]), Verdict.PROXY_MATCH, Reason.APPROVED_AGENT),
        (while_swiping(Planted(STRANGER, good=False)), references(HOLDER), Verdict.NOT_ASSESSABLE,
         Reason.NO_ASSESSABLE_FACE),
        (while_swiping(Planted(HOLDER, good=False)), references(HOLDER), Verdict.NOT_ASSESSABLE,
         Reason.POOR_FACE_MAY_BE_HOLDER),
        (while_swiping(Planted(STRANGER)), references(HOLDER, likeness={STRANGER: 0.45}), Verdict.NOT_ASSESSABLE,
         Reason.SCORE_BETWEEN),
        (between(0, 0.5, Planted(STRANGER)), references(HOLDER), Verdict.NOT_ASSESSABLE, Reason.TOO_FEW_SAMPLES),
    ],
)  # fmt: skip
def test_a_scene_gives_its_verdict(scene: Scene, people: References, verdict: Verdict, reason: Reason) -> None:
    check, _ = checked(scene, people)
    assert (check.verdict, check.reasons[0]) == (verdict, reason)


def test_an_unknown_person_costs_no_look() -> None:
    check, memory = checked(while_swiping(Planted(HOLDER)), references(None))
    assert (check.verdict, check.reasons) == (Verdict.NOT_ENROLLED, (Reason.PERSON_UNKNOWN,))
    assert memory.decoded == []
    assert check.coverage.recorded_share == 1.0
    assert check.reference_photos == 0


def test_a_person_without_a_usable_photo_costs_no_look() -> None:
    check, memory = checked(while_swiping(Planted(HOLDER)), references(HOLDER, photos=0))
    assert (check.verdict, check.reasons) == (Verdict.NOT_ENROLLED, (Reason.NO_USABLE_PHOTO,))
    assert memory.decoded == []


# --- footage that is not all there -----------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [-500.0, 500.0, 104.0])
def test_a_swipe_outside_the_recordings_is_not_assessable(second: float) -> None:
    check, memory = checked(while_swiping(Planted(HOLDER)), second=second + (6 if second == 104 else 0))
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.NO_FOOTAGE,))
    assert memory.decoded == []


@pytest.mark.parametrize(
    ("recorded", "verdict"),
    [
        ([(-100.0, 0.0)], Verdict.NOT_ASSESSABLE),
        ([(-100.0, -1.0), (1.0, 100.0)], Verdict.NOT_ASSESSABLE),
        ([(-100.0, -0.4), (0.4, 100.0)], Verdict.MISMATCH),
    ],
)
def test_a_gap_in_the_window_accuses_nobody(recorded: list[tuple[float, float]], verdict: Verdict) -> None:
    check, _ = checked(while_swiping(Planted(STRANGER)), recorded=recorded)
    assert check.verdict is verdict
    if verdict is Verdict.NOT_ASSESSABLE:
        assert check.reasons == (Reason.FOOTAGE_INCOMPLETE,)


def test_a_holder_beside_a_gap_is_still_a_match() -> None:
    check, _ = checked(while_swiping(Planted(HOLDER)), recorded=[(-100.0, 0.0)])
    assert check.verdict is Verdict.MATCH


@pytest.mark.parametrize("scene", [while_swiping(Planted(STRANGER)), while_swiping()])
def test_damage_accuses_nobody(scene: Scene) -> None:
    check, _ = checked(scene, damaged=[(-5.5, -4.0), (-3.5, -2.0), (-1.5, 0.0), (0.5, 2.0), (2.5, 4.0)])
    assert check.verdict is Verdict.NOT_ASSESSABLE
    assert Reason.FOOTAGE_DAMAGED in check.reasons
    assert check.coverage.damaged_frames == 5


def test_a_customer_whose_face_does_not_show_beside_a_stranger_may_be_the_holder() -> None:
    check, _ = checked(while_swiping(Planted(STRANGER, x=0.2), Planted(planted.BACK, x=0.8)))
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.SOMEONE_WITHOUT_FACE,))


TURNED_AWAY = Planted(planted.BACK, x=0.5)


@pytest.mark.parametrize("clerk", [(), (Planted(CLERK, x=0.1),)])
def test_who_stands_there_unseen_all_the_short_time_that_was_recorded_is_not_called_absent(
    clerk: tuple[Planted, ...],
) -> None:
    scene, people = while_swiping(*clerk), references(HOLDER, staff=[CLERK])
    stands_there: Scene = lambda second: [TURNED_AWAY, *scene(second)]  # noqa: E731
    short: dict[str, object] = {"recorded": [(-50.0, 10.0)], "gop_s": 1.0}
    assert checked(stands_there, people, **short)[0].verdict in FLAGGED  # what a short recording alone would give
    check, _ = checked(stands_there, people, settings_for(usual_span_s=600.0), **short)
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.SURROUNDINGS_UNKNOWN,))
    assert check.coverage.unexplained_presence is None


def test_one_picture_of_long_ago_makes_no_short_recording_long() -> None:
    recorded = [(-850.0, -848.0), (-50.0, 10.0)]
    stands_there: Scene = lambda second: [TURNED_AWAY] if second > -100 else []  # noqa: E731
    check, _ = checked(stands_there, None, settings_for(usual_span_s=600.0), recorded=recorded, gop_s=1.0)
    assert check.reasons == (Reason.SURROUNDINGS_UNKNOWN,)


def test_too_few_glances_to_know_what_is_usual_call_nobody_absent() -> None:
    check, _ = checked(while_swiping(), recorded=[(-8.0, 5.0)], gop_s=2.0)
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.SURROUNDINGS_UNKNOWN,))


def test_where_long_enough_was_recorded_nobody_is_nobody_and_somebody_is_somebody() -> None:
    settings, recorded = settings_for(usual_span_s=600.0), [(-900.0, 900.0)]
    came_before = between(-500, -300, TURNED_AWAY)
    nobody, _ = checked(came_before, None, settings, recorded=recorded)
    assert nobody.verdict is Verdict.HOLDER_ABSENT
    both: Scene = lambda second: [*came_before(second), *while_swiping(TURNED_AWAY)(second)]  # noqa: E731
    somebody, _ = checked(both, None, settings, recorded=recorded)
    assert somebody.reasons == (Reason.SOMEONE_WITHOUT_FACE,)


def test_a_short_recording_still_tells_of_somebody_who_came_and_of_a_stranger() -> None:
    settings, short = settings_for(usual_span_s=600.0), [(-50.0, 10.0)]
    came, _ = checked(while_swiping(TURNED_AWAY), None, settings, recorded=short, gop_s=1.0)
    assert came.reasons == (Reason.SOMEONE_WITHOUT_FACE,)
    stranger, _ = checked(while_swiping(Planted(STRANGER)), None, settings, recorded=short, gop_s=1.0)
    assert stranger.verdict is Verdict.MISMATCH
    assert stranger.coverage.unexplained_presence is None


def test_a_body_that_is_always_there_takes_nothing_from_a_mismatch() -> None:
    furniture = Planted(planted.BACK, x=0.8)
    check, _ = checked(lambda second: [furniture, *([Planted(STRANGER, x=0.2)] if -9 <= second < 9 else [])])
    assert check.verdict is Verdict.MISMATCH


def test_a_face_that_is_always_there_is_a_poster_and_accuses_nobody() -> None:
    check, _ = checked(lambda _second: [Planted(STRANGER)])
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.FACE_ALWAYS_THERE,))


def test_damage_everywhere_is_no_picture() -> None:
    check, _ = checked(while_swiping(Planted(STRANGER)), damaged=[(-100.0, 100.0)])
    assert check.verdict is Verdict.NOT_ASSESSABLE
    assert set(check.reasons) == {Reason.FOOTAGE_DAMAGED, Reason.NO_PICTURE}


# --- clock and zones -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offset_s", "verdict"), [(0.0, Verdict.HOLDER_ABSENT), (30.0, Verdict.MATCH)])
def test_the_clock_offset_moves_the_window(offset_s: float, verdict: Verdict) -> None:
    check, _ = checked(between(24, 36, Planted(HOLDER)), settings=settings_for(clock_offset_s=offset_s))
    assert check.verdict is verdict
    assert check.clock_offset_s == offset_s
    assert (check.window_start - check.swiped_at).total_seconds() == offset_s - 6


RIGHT_HALF = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


def zones(**drawn: tuple[tuple[float, float], ...]) -> CheckSettings:
    return settings_for(zones=Zones(tuple(Zone(ZoneKind(kind), kind, polygon) for kind, polygon in drawn.items())))


def test_a_face_in_a_private_zone_is_as_if_it_were_not_there() -> None:
    private = zones(private=LEFT_HALF, counter=RIGHT_HALF)
    check, _ = checked(while_swiping(Planted(HOLDER, x=0.2), Planted(STRANGER, x=0.8)), settings=private)
    assert check.verdict is Verdict.MISMATCH
    assert len(check.tracks) == 1
    assert all(sample.box_xyxy[0] > 320 for sample in check.samples)


def test_the_holder_outside_the_counter_zone_is_no_match_and_no_mismatch() -> None:
    counter = zones(counter=RIGHT_HALF)
    check, _ = checked(while_swiping(Planted(HOLDER, x=0.2), Planted(STRANGER, x=0.8)), settings=counter)
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.HOLDER_OUTSIDE_ZONE,))


def test_a_stranger_behind_the_counter_is_staff() -> None:
    staff = zones(staff=LEFT_HALF, counter=RIGHT_HALF)
    check, _ = checked(while_swiping(Planted(STRANGER, x=0.2)), settings=staff)
    assert check.verdict is Verdict.STAFF_ONLY


# --- stopping early changes no verdict -------------------------------------------------------------------------------


@pytest.mark.parametrize("block", range(8))
def test_an_exhaustive_search_and_one_that_stops_agree(block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        scene, people, footage = random_scene(np.random.default_rng(seed))
        quick, _ = checked(scene, people, **footage)
        whole, _ = checked(scene, people, settings_for(exhaustive=True), **footage)
        assert quick.verdict is whole.verdict, seed
        assert quick.reasons == whole.reasons, seed
        assert quick.coverage.searched_share <= whole.coverage.searched_share, seed


def test_the_random_scenes_hold_every_verdict() -> None:
    scenes = (random_scene(np.random.default_rng(seed)) for seed in range(80))
    found = {checked(scene, people, **footage)[0].verdict for scene, people, footage in scenes}
    assert found == set(Verdict) - {Verdict.NOT_ENROLLED, Verdict.PENDING_REFERENCE}


# --- memory and file keep one contract -------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "file"])
def any_footage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Footage, float]]:
    """Four seconds of footage and when they begin."""
    if request.param == "memory":
        yield PlantedFootage(while_swiping(), recorded=[(0.0, 4.0)], gop_s=1.0), START_S
        return
    path = write_video(tmp_path / "four-seconds.mp4")
    with RecordedTimeline([open_recording(path, VIDEO_START)]) as footage:
        yield footage, VIDEO_START_S


def test_stretches_are_in_order_and_join(any_footage: tuple[Footage, float]) -> None:
    footage, start_s = any_footage
    stretches = footage.stretches(TimeWindow(start_s + 0.5, start_s + 3.5))
    assert [s.start_s - start_s for s in stretches] == pytest.approx([0, 1, 2, 3], abs=0.001)
    assert [s.end_s - start_s for s in stretches] == pytest.approx([1, 2, 3, 4], abs=0.001)
    assert footage.stretches(TimeWindow(start_s + 10, start_s + 11)) == []


def test_looks_lie_on_the_grid_and_in_the_window(any_footage: tuple[Footage, float]) -> None:
    footage, start_s = any_footage
    whole, part = TimeWindow(start_s, start_s + 4), TimeWindow(start_s + 0.5, start_s + 2.5)

    def times(window: TimeWindow) -> list[float]:
        looks = [f for s in footage.stretches(window) for f in footage.look(s, window, pytest.fail)]
        return [round(frame.time_s - start_s, 3) for frame in looks]

    assert times(whole) == pytest.approx([n / 5 for n in range(20)])
    assert times(part) == [second for second in times(whole) if 0.5 <= second < 2.5]


def test_glances_are_few_in_order_and_in_the_window(any_footage: tuple[Footage, float]) -> None:
    footage, start_s = any_footage
    window = TimeWindow(start_s + 0.5, start_s + 3.5)
    times = [frame.time_s for frame in footage.glances(window, 2)]
    assert 1 <= len(times) <= 2
    assert times == sorted(times)
    assert all(window.start_s <= time_s < window.end_s for time_s in times)
    assert footage.glances(TimeWindow(start_s + 10, start_s + 11), 3) == []


@pytest.mark.parametrize(("begin", "end", "share"), [(0, 4, 1.0), (-4, 4, 0.5), (3, 7, 0.25), (5, 6, 0.0)])
def test_the_recorded_share_is_told(any_footage: tuple[Footage, float], begin: float, end: float, share: float) -> None:
    footage, start_s = any_footage
    assert footage.recorded_share(TimeWindow(start_s + begin, start_s + end)) == pytest.approx(share, abs=0.001)


def test_a_window_needs_a_length() -> None:
    with pytest.raises(ValueError, match="expected start before end"):
        TimeWindow(5.0, 5.0)
