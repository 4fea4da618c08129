"""Faces of one window into tracks: by overlap and nearness from look to look, then by embedding.

Nothing is embedded to follow a face. Of each track at most five samples are embedded; tracks of the same face are
then joined, and a track in which two faces were mixed is split where it changes over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

from vision.types import Face, FaceTrack, FloatArray, Judged

MAX_SAMPLES = 5
INDEPENDENT_S = 1.0
"""Samples this far apart count as independent (insightface 2.1's PrivateFrame uses the same second)."""

LEAST_WEIGHT = 0.01
"""A sample's weight in its track's mean is its quality score, but never less than this."""

MAX_GAP_S = 1.0
MAX_STEP_IN_FACES = 1.2
MAX_SIZE_RATIO = 1.6
JOIN_COSINE = 0.55
"""Two tracks that never share a look are one face at or above this; far above any accept, so it joins only the sure."""

CERTAIN_FACE_SCORE = 0.8
CONFLICT_COSINE = 0.30
"""Two assessable samples of one track below this are two people: same faces in one window lie far above (ADR 3)."""

Embed = Callable[[Sequence[Face]], FloatArray]


def step_costs(last_xyxy: FloatArray, new_xyxy: FloatArray) -> FloatArray:
    """How far each of R faces would have moved to be each of N faces of the next look, in face widths.

    Shapes R × 4 and N × 4 to R × N; infinite where it cannot be the same face.
    """
    size_0, size_1 = last_xyxy[:, 2:] - last_xyxy[:, :2], new_xyxy[:, 2:] - new_xyxy[:, :2]
    middle_0, middle_1 = last_xyxy[:, :2] + size_0 / 2, new_xyxy[:, :2] + size_1 / 2
    larger = np.maximum(np.maximum(size_0[:, None], size_1[None]), 1e-6)
    smaller = np.maximum(np.minimum(size_0[:, None], size_1[None]), 1e-6)
    width = np.maximum(np.maximum(size_0.mean(axis=1)[:, None], size_1.mean(axis=1)[None]), 1e-6)
    steps = np.linalg.norm(middle_1[None] - middle_0[:, None], axis=2) / width
    possible = (steps <= MAX_STEP_IN_FACES) & ((larger / smaller).max(axis=2) <= MAX_SIZE_RATIO)
    return np.where(possible, steps, np.inf).astype(np.float32)


def link(faces: Sequence[Face]) -> list[list[Face]]:
    """Faces into runs of one face each, in order of time; nearest pairs first, one face a run and look."""
    runs: list[list[Face]] = []
    for time_s, look in groupby(sorted(faces, key=_reading_order), key=lambda face: face.time_s):
        seen = list(look)
        recent = [run for run in runs if time_s - run[-1].time_s <= MAX_GAP_S]
        taken: set[int] = set()
        for i, j in _nearest_pairs(recent, seen):
            recent[i].append(seen[j])
            taken.add(j)
        runs.extend([face] for j, face in enumerate(seen) if j not in taken)
    return runs


def _nearest_pairs(runs: Sequence[Sequence[Face]], seen: Sequence[Face]) -> list[tuple[int, int]]:
    """Which run goes on with which face: the smallest step first, each run and face at most once."""
    if not runs or not seen:
        return []
    costs = step_costs(np.stack([run[-1].box_xyxy for run in runs]), np.stack([face.box_xyxy for face in seen]))
    pairs: list[tuple[int, int]] = []
    for _ in range(min(costs.shape)):
        i, j = np.unravel_index(int(np.argmin(costs)), costs.shape)
        if not np.isfinite(costs[i, j]):
            break
        pairs.append((int(i), int(j)))
        costs[i, :] = costs[:, j] = np.inf
    return pairs


def _reading_order(face: Face) -> tuple[float, float, float]:
    return face.time_s, float(face.box_xyxy[0]), float(face.box_xyxy[1])


def choose_samples(faces: Sequence[Face]) -> list[Face]:
    """At most five faces, good ones that lie apart in time and pose, in order of time.

    The best comes first; each next one is the face whose quality times its distance to the chosen is largest. Faces
    the gate refuses are taken only when no other is there, and then one: it can cast doubt but prove nothing.
    """
    good = [face for face in faces if face.assessable]
    if not good:
        return [max(faces, key=lambda face: (face.quality.score, face.score, -face.time_s))]
    chosen = [max(good, key=lambda face: (face.quality.score, -face.time_s))]
    while len(chosen) < min(MAX_SAMPLES, len(good)):
        rest = [face for face in good if not any(face is other for other in chosen)]
        chosen.append(max(rest, key=lambda face: (_worth(face, chosen), -face.time_s)))
    return sorted(chosen, key=lambda face: face.time_s)


def _worth(face: Face, chosen: Sequence[Face]) -> float:
    """Quality of a face times how new it is beside the chosen: a second or 30° of yaw away counts as wholly new."""
    news = min(
        min(1.0, abs(face.time_s - other.time_s) / INDEPENDENT_S) + min(1.0, _yaw_between(face, other) / 30.0) / 2
        for other in chosen
    )
    return news * (0.2 + face.quality.score)


def _yaw_between(face: Face, other: Face) -> float:
    return abs(face.quality.measures["yaw_deg"] - other.quality.measures["yaw_deg"])


def independent_count(times_s: Sequence[float]) -> int:
    """The most samples that lie pairwise one second or more apart."""
    count, last = 0, float("-inf")
    for time_s in sorted(times_s):
        if time_s - last >= INDEPENDENT_S - 1e-6:
            count, last = count + 1, time_s
    return count


def sample_weights(samples: Sequence[Judged]) -> FloatArray:
    """Weight of each sample in its track's mean: its quality score, never quite zero. Shape (N,)."""
    return np.array([max(face.quality.score, LEAST_WEIGHT) for face in samples], dtype=np.float32)


def _split_mixed(faces: list[Face], samples: list[Face], embeddings: FloatArray) -> list[list[Face]]:
    """Part a run in two where its samples show two people; each face goes with the sample nearest in time."""
    good = [index for index, face in enumerate(samples) if face.assessable]
    if len(good) < 2:
        return [faces]
    cosines = embeddings[good] @ embeddings[good].T
    if cosines.min() >= CONFLICT_COSINE:
        return [faces]
    first, second = np.unravel_index(int(np.argmin(cosines)), cosines.shape)
    with_second = cosines[second] > cosines[first]
    times_s = np.array([samples[index].time_s for index in good])
    nearest = [int(np.argmin(np.abs(times_s - face.time_s))) for face in faces]
    sides = [[f for f, n in zip(faces, nearest, strict=True) if with_second[n] == side] for side in (False, True)]
    return [side for side in sides if side]


def _may_join(track: FaceTrack, other: FaceTrack) -> bool:
    """Whether two tracks can be one face: never in the same look, and their best samples surely alike."""
    if {face.time_s for face in track.faces} & {face.time_s for face in other.faces}:
        return False
    mine, theirs = track.assessable_indices, other.assessable_indices
    return bool(mine and theirs) and float(np.min(track.embeddings[mine] @ other.embeddings[theirs].T)) >= JOIN_COSINE


def _as_track(faces: Sequence[Face], embed: Embed) -> FaceTrack:
    samples = choose_samples(faces)
    return FaceTrack(tuple(faces), tuple(samples), embed(samples))


def _as_tracks(run: list[Face], embed: Embed) -> list[FaceTrack]:
    """One track of a run, or several when faces were mixed up in it."""
    track = _as_track(run, embed)
    pieces = _split_mixed(run, list(track.samples), track.embeddings)
    if len(pieces) == 1:
        return [track]
    return [piece_track for piece in pieces for piece_track in _as_tracks(piece, embed)]


def _is_person(run: Sequence[Face]) -> bool:
    """A single unsure sighting is more likely a shelf than a face."""
    return len(run) > 1 or run[0].score >= CERTAIN_FACE_SCORE


def build_tracks(faces: Sequence[Face], embed: Embed) -> list[FaceTrack]:
    """Tracks of a window, in order of their first sighting. ``embed`` turns N faces into N × D unit rows."""
    tracks = [track for run in filter(_is_person, link(faces)) for track in _as_tracks(run, embed)]
    joined: list[FaceTrack] = []
    for track in sorted(tracks, key=lambda track: _reading_order(track.faces[0])):
        partner = next((i for i, other in enumerate(joined) if _may_join(other, track)), None)
        if partner is None:
            joined.append(track)
        else:
            both = sorted((*joined[partner].faces, *track.faces), key=_reading_order)
            joined[partner] = _as_track(both, embed)
    return joined
