"""The gate on pictures with surroundings: how small a face may be, and how alike the faces of one clip are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from calibration.labelled_folder import list_pictures, read_faces
from vision.align import align_crop
from vision.closer import look_closer
from vision.pack import VisionPack
from vision.photo import load_photo
from vision.pipeline import faces_in
from vision.track import CONFLICT_COSINE, JOIN_COSINE, link
from vision.types import BgrImage, Face, FloatArray, Frame

EYES_PX = (40, 36, 32, 28, 24, 20, 18, 16, 14, 12)
REDUCTIONS = (1.0, 1 / 2, 1 / 3)
Rows = dict[tuple[float, float, bool], list[FloatArray | None]]
"""Cosines by eye distance, reduction, and whether small faces were looked at again; ``None`` where none was found."""

MIN_SCORE = 0.6
LOOKS_A_SECOND = 5
SHORTEST_TRACK = 3


def print_reductions(scenes: Path, faces: Path, pack: VisionPack, accept: float, reject: float) -> list[dict[str, Any]]:
    """Faces of ever smaller pictures, found on the picture or on a reduced one and cut from the picture itself.

    "again" is what the product does: found on the reduced one, small ones looked at again on the picture itself.

    Who a face is, is taken from the best match in ``faces`` at full size; a face under accept is left out.
    """
    people = read_faces(list_pictures(faces), pack)
    rows: Rows = {}
    for path in sorted(scenes.iterdir()):
        image_bgr = load_photo(path)
        for landmarks in pack.detector.detect(image_bgr, MIN_SCORE).landmarks:
            cosines = people.embeddings @ pack.embedder.embed(align_crop(image_bgr, landmarks)[None])[0]
            mine = people.person == people.person[int(np.argmax(cosines))]
            print(f"  {path.name} best {cosines.max():.3f}{'  left out' if cosines.max() < accept else ''}")
            if cosines.max() >= accept:
                _shrink(image_bgr, landmarks, people.embeddings[mine], pack, rows)
    print("\neyes apart  found on   faces  median  under reject  by best reference")
    return [_print_reduction(key, rows[key], reject) for key in sorted(rows, reverse=True)]


def _shrink(
    image_bgr: BgrImage,
    landmarks: FloatArray,
    references: FloatArray,
    pack: VisionPack,
    rows: Rows,
) -> None:
    eyes_px = float(np.hypot(*(landmarks[1] - landmarks[0])))
    for wanted_px in (px for px in EYES_PX if px <= eyes_px):
        small = _scaled(image_bgr, wanted_px / eyes_px)
        middle = landmarks.mean(axis=0) * (wanted_px / eyes_px)
        for reduction in REDUCTIONS:
            reduced_bgr = _scaled(small, reduction)
            scale_xy = small.shape[1] / reduced_bgr.shape[1], small.shape[0] / reduced_bgr.shape[0]
            coarse = pack.detector.detect(reduced_bgr, 0.5).scaled(scale_xy)
            ways = {False: coarse}
            if reduction < 1:
                ways[True], _ = look_closer(small, coarse, scale_xy, pack.detector)
            away = np.linalg.norm(coarse.landmarks.mean(axis=1) - middle, axis=1)
            seen = len(coarse) and away.min() < wanted_px
            for again, found in ways.items():
                crop_bgr = align_crop(small, found.landmarks[int(np.argmin(away))]) if seen else None
                cosines = None if crop_bgr is None else references @ pack.embedder.embed(crop_bgr[None])[0]
                rows.setdefault((wanted_px, reduction, again), []).append(cosines)


def _scaled(image_bgr: BgrImage, factor: float) -> BgrImage:
    if factor >= 1:
        return image_bgr
    scaled = cv2.resize(image_bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, dtype=np.uint8)


def _print_reduction(
    key: tuple[float, float, bool], cosines: Sequence[FloatArray | None], reject: float
) -> dict[str, Any]:
    seen = [c for c in cosines if c is not None]
    row: dict[str, Any] = {
        "eyes_px": key[0],
        "found_on": round(key[1], 3),
        "again": key[2],
        "faces": len(cosines),
        "seen": len(seen),
    }
    if seen:
        mated = np.concatenate(seen)
        row["median"] = round(float(np.median(mated)), 3)
        row["under_reject"] = round(float(np.mean(mated < reject)), 4)
        row["best_under_reject"] = round(float(np.mean([c.max() < reject for c in seen])), 4)
        print(
            f"{key[0]:7.0f} px  1/{1 / key[1]:.0f} {'again' if key[2] else '':5}  {len(seen):3}/{len(cosines):<3}  "
            f"{row['median']:.2f}  {row['under_reject']:12.1%}  {row['best_under_reject']:17.1%}"
        )
    return row


def print_video(video: Path, pack: VisionPack) -> list[dict[str, Any]]:
    """Cosines within a track, and between tracks that share a look and so must be two people; assessable faces only."""
    faces = [face for frame in _frames(video) for face in faces_in(frame, pack, MIN_SCORE)]
    print(f"\n{video.name}: {len(faces)} faces, {sum(f.assessable for f in faces)} assessable")
    runs = [run for run in link(faces) if sum(face.assessable for face in run) >= SHORTEST_TRACK]
    good = [[face for face in run if face.assessable] for run in runs]
    embeddings = [pack.embedder.embed(np.stack([face.crop_bgr for face in run])) for run in good]
    same = [_upper(rows @ rows.T) for rows in embeddings]
    apart = [
        (embeddings[i] @ embeddings[j].T).ravel()
        for i, j in combinations(range(len(good)), 2)
        if _share_a_look(runs[i], runs[j])
    ]
    rows = [_spread("within a track", same), _spread("two people", apart)]
    rows += [
        _spread(f"track at {run[0].time_s:.1f} s, {len(run)} faces", [c]) for run, c in zip(good, same, strict=True)
    ]
    return rows


def _frames(video: Path) -> list[Frame]:
    """About five frames a second; the detector looks at the whole picture."""
    frames = []
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        step = max(1, round(float(stream.average_rate or 25) / LOOKS_A_SECOND))
        for number, picture in enumerate(container.decode(stream)):
            if number % step == 0:
                image_bgr = np.asarray(picture.to_ndarray(format="bgr24"), dtype=np.uint8)
                frames.append(_frame(number / step / LOOKS_A_SECOND, image_bgr))
    return frames


def _frame(time_s: float, image_bgr: BgrImage) -> Frame:
    return Frame(time_s, (image_bgr.shape[1], image_bgr.shape[0]), image_bgr, lambda: image_bgr)


def _share_a_look(run: Sequence[Face], other: Sequence[Face]) -> bool:
    return bool({face.time_s for face in run} & {face.time_s for face in other})


def _upper(cosines: FloatArray) -> FloatArray:
    return np.asarray(cosines[np.triu_indices(len(cosines), 1)], dtype=np.float32)


def _spread(name: str, parts: Sequence[FloatArray]) -> dict[str, Any]:
    cosines = np.concatenate(parts) if parts else np.empty(0, np.float32)
    row: dict[str, Any] = {"what": name, "comparisons": len(cosines)}
    if len(cosines):
        quantiles = np.quantile(cosines, (0, 0.01, 0.05, 0.5, 0.95, 0.99, 1)).round(3)
        row |= {
            "quantiles_0_1_5_50_95_99_100": quantiles.tolist(),
            "below_conflict": round(float(np.mean(cosines < CONFLICT_COSINE)), 4),
            "above_join": round(float(np.mean(cosines >= JOIN_COSINE)), 4),
        }
        print(
            f"  {name:28} {len(cosines):5} cosines, quantiles 0 1 5 50 95 99 100 %: {quantiles.tolist()}, "
            f"below {CONFLICT_COSINE:g}: {row['below_conflict']:.1%}, from {JOIN_COSINE:g}: {row['above_join']:.1%}"
        )
    return row
