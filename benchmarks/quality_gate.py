"""What the quality gate is worth: faces spoilt in known ways, against what the gate and the embedder make of them.

    python -m benchmarks.quality_gate FACES... [--scenes DIR] [--video FILE] [--spoil 110] [--out gate.json]

FACES are folders ``DIR/<person>/*``. SCENES are pictures with several of those people. The figures in
``docs/adr/0003-quality-gate.md`` were printed by this.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverings import print_coverings
from benchmarks.degradations import DEGRADATIONS
from benchmarks.gate_video import print_reductions, print_video
from calibration.labelled_folder import list_pictures
from calibration.sets import load_set
from renzheng.contracts.check import SampleQuality
from vision.align import align_crop
from vision.pack import VisionPack, open_pack
from vision.photo import TIGHT_BORDER_PX, enlarge_if_tight, load_photo
from vision.quality import COMPONENTS, assess
from vision.types import BgrImage, FloatArray

MIN_SCORE = 0.5
BIN_SHARES = (0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 1)
NEAR_LIMIT = (-0.2, 0, 0.2)
"""Bins end at a component's limit and at a fifth of its ramp to either side."""

ORIGINAL = "original"


@dataclass(frozen=True)
class Look:
    """What detector, gate and embedder made of one picture; landmarks are in the picture's own pixels."""

    quality: SampleQuality
    embedding: FloatArray
    landmarks: FloatArray


@dataclass(frozen=True)
class Probe:
    """One picture, spoilt in one way; ``look`` is ``None`` where no face was found."""

    person: str
    path: Path
    kind: str
    level: float
    look: Look | None


@dataclass(frozen=True)
class Scored:
    """A probe with a face: its cosines against the person's other good pictures, and against everybody else's."""

    probe: Probe
    look: Look
    mated: FloatArray
    non_mated: FloatArray

    @property
    def refused(self) -> bool:
        """Whether the gate refuses it."""
        return bool(self.look.quality.failed)


def look_at(image_bgr: BgrImage, pack: VisionPack, near: FloatArray | None = None) -> Look | None:
    """The largest face, or the one whose landmarks lie nearest to ``near`` (5 × 2 px); gate not applied."""
    enlarged, factor = enlarge_if_tight(image_bgr)
    border = TIGHT_BORDER_PX if factor > 1 else 0
    found = pack.detector.detect(enlarged, MIN_SCORE)
    if not len(found):
        return None
    widths = found.boxes_xyxy[:, 2] - found.boxes_xyxy[:, 0]
    index = int(np.argmax(widths))
    if near is not None:
        away = np.linalg.norm(found.landmarks.mean(axis=1) - (near.mean(axis=0) * factor + border), axis=1)
        index = int(np.argmin(away))
        if away[index] > widths[index]:
            return None
    landmarks, box_xyxy = found.landmarks[index], found.boxes_xyxy[index]
    crop_bgr = align_crop(enlarged, landmarks)
    frame_wh = enlarged.shape[1], enlarged.shape[0]
    quality = assess(crop_bgr, landmarks, box_xyxy, frame_wh, float(found.scores[index]), factor)
    return Look(quality, pack.embedder.embed(crop_bgr[None])[0], (landmarks - border) / np.float32(factor))


def probes_of(folder: Path, pack: VisionPack, spoil: int) -> Iterator[Probe]:
    """Every picture as it is, and at most ``spoil`` of them, evenly spread, in each way and level of spoiling."""
    pictures = [(person, path) for person, paths in list_pictures(folder).items() for path in paths]
    every = -(-len(pictures) // max(spoil, 1))
    for number, (person, path) in enumerate(pictures):
        image_bgr = load_photo(path)
        original = look_at(image_bgr, pack)
        yield Probe(person, path, ORIGINAL, 0.0, original)
        if original is None or number % every:
            continue
        for way in DEGRADATIONS:
            for level in way.levels:
                spoilt = way.spoil(image_bgr, level, original.landmarks)
                near = original.landmarks * np.float32(spoilt.shape[0] / image_bgr.shape[0])
                yield Probe(person, path, way.name, level, look_at(spoilt, pack, near))


def score(probes: Sequence[Probe]) -> list[Scored]:
    """Probes with a face against all good originals; a picture is not compared with what was made of it."""
    good = [p for p in probes if p.kind == ORIGINAL and p.look is not None and not p.look.quality.failed]
    references = np.stack([p.look.embedding for p in good if p.look is not None])
    people, paths = np.array([p.person for p in good]), np.array([str(p.path) for p in good])
    scored = []
    for probe in probes:
        if probe.look is None:
            continue
        cosines = references @ probe.look.embedding
        mine = people == probe.person
        mated = cosines[mine & (paths != str(probe.path))]
        if len(mated):
            scored.append(Scored(probe, probe.look, mated, cosines[~mine]))
    return scored


def figures(group: Sequence[Scored], accept: float, reject: float) -> dict[str, Any]:
    """Shares under reject: of mated comparisons, and of faces whose best reference is under it; FMR at accept."""
    if not group:
        return {"faces": 0}
    mated = np.concatenate([s.mated for s in group])
    non_mated = np.concatenate([s.non_mated for s in group])
    return {
        "faces": len(group),
        "median": round(float(np.median(mated)), 3),
        "under_reject": round(float(np.mean(mated < reject)), 4),
        "best_under_reject": round(float(np.mean([s.mated.max() < reject for s in group])), 4),
        "fmr": float(f"{np.mean(non_mated >= accept):.2g}"),
    }


def print_originals(name: str, probes: Sequence[Probe]) -> None:
    """How many pictures the gate refuses as they are, and why."""
    originals = [p for p in probes if p.kind == ORIGINAL]
    reasons = Counter(reason for p in originals if p.look for reason in p.look.quality.failed)
    refused = sum(p.look is None or bool(p.look.quality.failed) for p in originals)
    print(f"\n{name}: {len(originals)} pictures, refused {refused} ({refused / len(originals):.1%}) {dict(reasons)}")


def level_table(name: str, probes: Sequence[Probe], accept: float, reject: float) -> list[dict[str, Any]]:
    """Each way and level: refused share, and scores of all faces and of those that pass."""
    scored = score(probes)
    print("kind       level  no face  refused | all: under reject, by best | passed: faces, under reject, by best, FMR")
    rows = []
    for kind, level in dict.fromkeys((p.kind, p.level) for p in probes):
        group = [s for s in scored if (s.probe.kind, s.probe.level) == (kind, level)]
        none = sum(p.look is None for p in probes if (p.kind, p.level) == (kind, level))
        passed = [s for s in group if not s.refused]
        every, through = figures(group, accept, reject), figures(passed, accept, reject)
        refused = 1 - len(passed) / len(group) if group else 1.0
        rows.append({"set": name, "kind": kind, "level": level, "no_face": none, "refused": round(refused, 3)})
        rows[-1] |= {"all": every, "passed": through}
        print(
            f"{kind:10} {level:5g}  {none:7}  {refused:7.0%} | {_short(every)} | {through['faces']:4} {_short(through)}"
        )
    return rows


def _short(values: dict[str, Any]) -> str:
    if not values["faces"]:
        return "    –     –       –"
    return f"{values['under_reject']:5.1%} {values['best_under_reject']:5.1%} {values['fmr']:7.1e}"


def component_table(scored: Sequence[Scored], accept: float, reject: float) -> list[dict[str, Any]]:
    """For each component, bins of its measure over faces that no other component refuses."""
    rows = []
    for component in COMPONENTS:
        others = [s for s in scored if _passes_but(s, component.name)]
        raw = np.array([s.look.quality.measures[component.measure] for s in others])
        near_limit = component.fails_at + (component.good_at - component.fails_at) * np.array(NEAR_LIMIT)
        inner = near_limit[(near_limit > raw.min()) & (near_limit < raw.max())]
        edges = np.unique(np.concatenate([np.quantile(raw, BIN_SHARES), inner]))
        print(f"\n{component.measure}: fails at {component.fails_at:g}, good at {component.good_at:g}")
        for low, high in pairwise(edges):
            inside = (raw >= low) & ((raw < high) | (high == edges[-1]))
            group = [s for s, chosen in zip(others, inside, strict=True) if chosen]
            values = figures(group, accept, reject)
            rows.append({"measure": component.measure, "from": float(low), "to": float(high), **values})
            print(f"  {low:8.3f} – {high:8.3f}  {values['faces']:5} faces  {_short(values)}")
    return rows


def _passes_but(scored: Scored, name: str) -> bool:
    values = scored.look.quality.components
    return all(values[component.name] > 0 for component in COMPONENTS if component.name != name)


def main() -> None:
    """Measure, print and, with ``--out``, write everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("faces", nargs="+", type=Path, help="folders DIR/<person>/*")
    parser.add_argument("--scenes", type=Path, help="folder of pictures with people of the last FACES folder")
    parser.add_argument("--video", type=Path, help="a clip with people; each track is taken for one person")
    parser.add_argument("--spoil", type=int, default=110, help="spoil at most so many pictures a folder (default 110)")
    parser.add_argument("--thresholds", default="opencv-zoo", help="threshold set, by name or file")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    bands, _ = load_set(options.thresholds)
    pack = open_pack(bands.pack)
    print(f"accept {bands.accept:g}, reject {bands.reject:g}; FMR is at accept")
    results: dict[str, list[dict[str, Any]]] = {"levels": [], "components": []}
    everything: list[Scored] = []
    for folder in options.faces:
        probes = list(probes_of(folder, pack, options.spoil))
        print_originals(folder.name, probes)
        results["levels"] += level_table(folder.name, probes, bands.accept, bands.reject)
        scored = score(probes)
        everything += scored
        print(f"\nby component, {folder.name}")
        results["components"] += [
            {"set": folder.name, **row} for row in component_table(scored, bands.accept, bands.reject)
        ]
    if options.scenes:
        results["reductions"] = print_reductions(options.scenes, options.faces[-1], pack, bands.accept, bands.reject)
        results["coverings"] = print_coverings(options.scenes, pack)
    if options.video:
        results["video"] = print_video(options.video, pack)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
