"""Faces of a window into tracks of one person each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.contracts import Reason
from tests.vision.builders import a_face, embed_by_shade
from vision.track import (
    CERTAIN_FACE_SCORE,
    INDEPENDENT_S,
    LEAST_WEIGHT,
    MAX_GAP_S,
    MAX_SAMPLES,
    build_tracks,
    choose_samples,
    independent_count,
    link,
    sample_weights,
    step_costs,
)
from vision.types import Face

STEP_S = 0.2
ALICE, BOB = 100, 200


def walk(
    start_x: float, step_px: float, looks: int, *, shade: int = ALICE, begin_s: float = 0.0, y: float = 500.0
) -> list[Face]:
    """Somebody who moves so far from look to look."""
    return [a_face(begin_s + n * STEP_S, (start_x + n * step_px, y), shade=shade) for n in range(looks)]


def shades(faces: Sequence[Face]) -> set[int]:
    return {int(face.crop_bgr[0, 0, 0]) for face in faces}


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_px", [0, 5, -40, 90])
def test_somebody_walking_is_one_run(step_px: float) -> None:
    faces = walk(900, step_px, 10)
    assert link(faces) == [faces]


def test_a_leap_is_somebody_else() -> None:
    assert [len(run) for run in link(walk(200, 300, 4))] == [1, 1, 1, 1]


def test_a_face_that_doubles_in_size_is_somebody_else() -> None:
    assert len(link([a_face(0.0), a_face(0.2, width_px=220)])) == 2


def test_two_who_cross_at_different_heights_stay_apart() -> None:
    alice, bob = walk(600, 40, 12), walk(1040, -40, 12, shade=BOB, y=900)
    runs = link([*bob, *alice])
    assert sorted(map(len, runs)) == [12, 12]
    assert all(len(shades(run)) == 1 for run in runs)


def test_the_nearest_is_taken_first() -> None:
    before = [a_face(0.0, (500, 500), shade=ALICE), a_face(0.0, (560, 500), shade=BOB)]
    after = [a_face(0.2, (555, 500), shade=BOB), a_face(0.2, (610, 500), shade=ALICE)]
    runs = link([*after, *before])
    assert any(shades(run) == {BOB} and len(run) == 2 for run in runs)


def test_a_gap_ends_a_run() -> None:
    first, second = walk(900, 0, 3), walk(900, 0, 3, begin_s=0.4 + MAX_GAP_S + 0.1)
    assert [len(run) for run in link([*first, *second])] == [3, 3]
    bridged = walk(900, 0, 3, begin_s=0.4 + MAX_GAP_S)
    assert [len(run) for run in link([*first, *bridged])] == [6]


def test_nobody_gives_no_run_and_no_track() -> None:
    assert link([]) == []
    assert build_tracks([], embed_by_shade) == []
    assert step_costs(np.empty((0, 4), np.float32), np.empty((0, 4), np.float32)).shape == (0, 0)


positions = st.tuples(st.integers(0, 15), st.integers(0, 1800), st.integers(0, 1000), st.integers(40, 200))


@given(st.lists(positions, max_size=30))
def test_a_run_never_holds_two_faces_of_one_look_and_no_face_is_lost(seen: list[tuple[int, int, int, int]]) -> None:
    faces = [a_face(look * STEP_S, (x, y), width_px=width, shade=x % 3) for look, x, y, width in seen]
    runs = link(faces)
    assert sorted(id(face) for run in runs for face in run) == sorted(map(id, faces))
    for run in runs:
        times = [face.time_s for face in run]
        assert times == sorted(set(times))


@given(st.lists(positions, max_size=20), st.randoms())
def test_tracks_do_not_depend_on_the_order_of_the_faces(seen: list[tuple[int, int, int, int]], order: object) -> None:
    assert isinstance(order, np.random.Generator) or hasattr(order, "shuffle")
    faces = [a_face(look * STEP_S, (x, y), width_px=width, shade=x % 3) for look, x, y, width in seen]
    shuffled = list(faces)
    order.shuffle(shuffled)
    tracks, again = build_tracks(faces, embed_by_shade), build_tracks(shuffled, embed_by_shade)
    assert [[f.time_s for f in track.faces] for track in tracks] == [[f.time_s for f in track.faces] for track in again]


@given(st.lists(positions, max_size=30))
def test_a_track_never_holds_two_faces_of_one_look(seen: list[tuple[int, int, int, int]]) -> None:
    faces = [a_face(look * STEP_S, (x, y), width_px=width, shade=x % 3) for look, x, y, width in seen]
    for track in build_tracks(faces, embed_by_shade):
        times = [face.time_s for face in track.faces]
        assert times == sorted(set(times))
        assert len(track.samples) <= MAX_SAMPLES


# --- joined and parted -----------------------------------------------------------------------------------------------


def test_who_comes_back_is_the_same_track() -> None:
    faces = [*walk(300, 0, 5), *walk(1500, 0, 5, begin_s=5.0)]
    (track,) = build_tracks(faces, embed_by_shade)
    assert len(track.faces) == 10
    assert track.faces[0].time_s == 0.0


def test_somebody_else_at_the_same_place_is_another_track() -> None:
    faces = [*walk(300, 0, 5), *walk(300, 0, 5, begin_s=5.0, shade=BOB)]
    assert [shades(track.faces) for track in build_tracks(faces, embed_by_shade)] == [{ALICE}, {BOB}]


def test_twins_who_stand_side_by_side_are_two_tracks() -> None:
    faces = [*walk(300, 0, 5), *walk(900, 0, 5)]
    assert len(build_tracks(faces, embed_by_shade)) == 2


def test_a_run_in_which_two_people_were_mixed_up_is_parted() -> None:
    """Bob steps in front of Alice: by place alone it looks like one face."""
    faces = [*walk(900, 0, 8), *walk(905, 0, 8, begin_s=8 * STEP_S, shade=BOB)]
    assert len(link(faces)) == 1
    tracks = build_tracks(faces, embed_by_shade)
    assert [shades(track.samples) for track in tracks] == [{ALICE}, {BOB}]
    assert sum(len(track.faces) for track in tracks) == 16


def test_poor_faces_are_joined_to_nobody() -> None:
    poor = [a_face(5.0 + n * STEP_S, (1500, 500), failed=(Reason.FACE_BLURRED,), quality_score=0.0) for n in range(3)]
    tracks = build_tracks([*walk(300, 0, 5), *poor], embed_by_shade)
    assert [len(track.assessable_indices) > 0 for track in tracks] == [True, False]


@pytest.mark.parametrize(
    ("score", "count"), [(CERTAIN_FACE_SCORE, 1), (CERTAIN_FACE_SCORE - 0.01, 0), (0.5, 0), (0.99, 1)]
)
def test_a_single_unsure_sighting_is_nobody(score: float, count: int) -> None:
    assert len(build_tracks([a_face(score=score)], embed_by_shade)) == count


def test_two_unsure_sightings_are_somebody() -> None:
    assert len(build_tracks([a_face(0.0, score=0.5), a_face(0.2, score=0.5)], embed_by_shade)) == 1


# --- samples ---------------------------------------------------------------------------------------------------------


def test_at_most_five_samples_are_kept_and_they_are_spread_over_time() -> None:
    faces = walk(900, 0, 50)
    samples = choose_samples(faces)
    assert len(samples) == MAX_SAMPLES
    assert [face.time_s for face in samples] == sorted(face.time_s for face in samples)
    assert independent_count([face.time_s for face in samples]) == MAX_SAMPLES


def test_the_best_sighting_is_always_kept() -> None:
    faces = walk(900, 0, 30)
    faces[17] = a_face(faces[17].time_s, (900, 500), quality_score=0.99)
    assert any(face is faces[17] for face in choose_samples(faces))


def test_another_pose_is_worth_more_than_the_same_again() -> None:
    faces = [a_face(n * STEP_S, yaw_deg=25.0 if n == 3 else 0.0) for n in range(6)]
    chosen = choose_samples([*faces, a_face(0.1)])
    assert any(face.quality.measures["yaw_deg"] == 25.0 for face in chosen)


def test_poor_faces_give_one_sample_and_only_where_no_other_is() -> None:
    failed = (Reason.FACE_BLURRED,)
    poor = [a_face(n * STEP_S, failed=failed, score=0.5 + n / 20) for n in range(5)]
    assert choose_samples(poor) == [poor[4]]
    good = a_face(2.0, quality_score=0.01)
    assert choose_samples([*poor, good]) == [good]


@pytest.mark.parametrize(
    ("times_s", "count"),
    [
        ([], 0),
        ([3.0], 1),
        ([0.0, 0.9], 1),
        ([0.0, 1.0], 2),
        ([2.0, 0.0, 1.0], 3),
        ([0.0, 0.6, 1.2, 1.8], 2),
        ([0.0, 0.5, 1.0, 1.5, 2.0], 3),
        ([1777600000.2, 1777600001.2, 1777600002.2], 3),
    ],
)
def test_samples_a_second_apart_are_independent(times_s: list[float], count: int) -> None:
    assert independent_count(times_s) == count


@given(st.lists(st.floats(0, 10, width=32), max_size=9))
def test_no_choice_of_samples_is_larger_than_the_count(times_s: list[float]) -> None:
    ordered = sorted(times_s)
    best = [1] * len(ordered)
    for i in range(len(ordered)):
        for j in range(i):
            if ordered[i] - ordered[j] >= INDEPENDENT_S - 1e-6:
                best[i] = max(best[i], best[j] + 1)
    assert independent_count(times_s) == max(best, default=0)


def test_weights_are_quality_and_never_nothing() -> None:
    faces = [a_face(quality_score=0.7), a_face(failed=(Reason.FACE_BLURRED,))]
    np.testing.assert_allclose(sample_weights(faces), [0.7, LEAST_WEIGHT])
    assert sample_weights([]).shape == (0,)


def test_each_face_is_embedded_from_its_samples_only() -> None:
    asked: list[int] = []

    def embed(faces: Sequence[Face]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        asked.append(len(faces))
        return embed_by_shade(faces)

    build_tracks(walk(900, 0, 50), embed)
    assert asked == [MAX_SAMPLES]
