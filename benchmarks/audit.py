"""The audit of an hour against the usual way: decode every frame, find and embed every face at 5 frames a second.

Both run on one core. The audit is the real command in a process of its own, start-up and clips included. The usual
way is timed on two minutes, twelve seconds around each of the ten swipes, and scaled to the hour; it runs the models
as published (``cv2.FaceDetectorYN``, the folded graph). What it finds is compared with the audit's verdicts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import onnxruntime

from benchmarks.hour import PIECE_S, PIECES, STARTS_S, Cards, Hour
from calibration.sets import load_set
from edge_agent.check_table import read_checks_jsonl
from models.fetch import cached_path, fetch_pack
from models.manifest import manifest
from models.pack import DEFAULT_PACK
from models.prepare import SFACE, folded
from models.runtime import session_options
from renzheng.contracts import IdentityCheck, Verdict
from vision.align import align_crop
from vision.detect import MIN_SCORE, NMS_MAX_IOU
from vision.enrol import PhotoFace, face_of_photo
from vision.gallery import unit_rows
from vision.pack import VisionPack
from vision.photo import load_photo
from vision.track import independent_count
from vision.types import BgrImage, FloatArray
from vision.verdict import INDEPENDENT_NEEDED

USUAL_FPS = 5
USUAL_BEFORE_S, USUAL_AFTER_S = 7.0, 5.0
DETECT_WH = (640, 384)
HOUR_S = PIECES * PIECE_S


@dataclass(frozen=True)
class AuditRun:
    """One run of the command: wall seconds, peak memory in MB, and its checks."""

    seconds: float
    peak_mb: float
    checks: tuple[IdentityCheck, ...]

    @property
    def verdicts(self) -> list[Verdict]:
        """In order of swipe time."""
        return [check.verdict for check in self.checks]


def run_audit(hour: Hour, cards: Cards, out: Path, *extra: str) -> AuditRun:
    """Run ``renzheng audit`` pinned to one core. Raises ``RuntimeError`` with its output when it fails."""
    zones = ["--zones", str(hour.zones)] if hour.zones else []
    command = [sys.executable, "-m", "renzheng", "audit", *map(str, hour.recordings)]
    command += ["--swipes", str(cards.swipes), "--gallery", str(cards.gallery), "--out", str(out), *zones, *extra]
    log, usage = out.with_suffix(".log"), out.with_suffix(".usage.json")
    with log.open("w") as stream:
        core = str(max(os.sched_getaffinity(0)))
        finished = subprocess.run(
            [sys.executable, "-c", _LAUNCHER, core, str(usage), *command], stdout=stream, stderr=stream
        )
    if finished.returncode:
        raise RuntimeError(f"renzheng audit left with {finished.returncode}:\n{log.read_text()}")
    seconds, peak_kb = json.loads(usage.read_text())
    return AuditRun(seconds, peak_kb / 1024, tuple(read_checks_jsonl(out / "checks.jsonl")))


_LAUNCHER = """
import json, os, resource, subprocess, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
began = time.perf_counter()
finished = subprocess.run(sys.argv[3:])
seconds = time.perf_counter() - began
peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[2], "w").write(json.dumps([seconds, peak_kb]))
sys.exit(finished.returncode)
"""
"""A small process between this one and the audit: a child's peak begins at that of the process it was split from."""


class UsualWay:
    """Every frame decoded, every face of every fifth frame embedded, with the models as they are published."""

    def __init__(self) -> None:
        entry = fetch_pack(DEFAULT_PACK)
        cv2.setNumThreads(1)
        weights = cached_path(manifest().pack(DEFAULT_PACK).detector)
        self.detector = cv2.FaceDetectorYN.create(str(weights), "", DETECT_WH, MIN_SCORE, NMS_MAX_IOU)
        graph = folded(cached_path(entry.embedder), SFACE).SerializeToString()
        self.embedder = onnxruntime.InferenceSession(graph, session_options(1), providers=["CPUExecutionProvider"])

    def seconds_and_scores(
        self, hour: Hour, moment_s: float, templates: FloatArray
    ) -> tuple[float, list[tuple[float, float]]]:
        """Twelve seconds around a swipe: the time it took, and (time, cosine) of every face against the holder."""
        start_s, end_s = moment_s - USUAL_BEFORE_S, moment_s + USUAL_AFTER_S
        spent, scores = 0.0, []
        began = time.perf_counter()
        for number, (time_s, frame) in enumerate(_decode(hour, start_s, end_s)):
            if number == 0:
                began = time.perf_counter()
            if number % (25 // USUAL_FPS) == 0:
                scores += [(time_s, float((templates @ e).max())) for e in self._embeddings(frame)]
        spent = time.perf_counter() - began
        return spent, scores

    def faces_of(self, frame: av.VideoFrame) -> int:
        """Look for faces in a decoded frame and embed them; how many there were."""
        return sum(1 for _ in self._embeddings(frame))

    def _embeddings(self, frame: av.VideoFrame) -> Iterator[FloatArray]:
        image_bgr: BgrImage = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        small = np.zeros((DETECT_WH[1], DETECT_WH[0], 3), np.uint8)
        scale = DETECT_WH[0] / image_bgr.shape[1]
        reduced = cv2.resize(image_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        small[: reduced.shape[0]] = reduced
        _, faces = self.detector.detect(small)
        for face in faces if faces is not None else ():
            crop = align_crop(image_bgr, (face[4:14].reshape(5, 2) / scale).astype(np.float32))
            pixels = crop[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
            yield unit_rows(self.embedder.run(None, {"data": np.ascontiguousarray(pixels)})[0])[0]


def _decode(hour: Hour, start_s: float, end_s: float) -> Iterator[tuple[float, av.VideoFrame]]:
    """Every frame of a stretch of time in the file it lies in, one thread."""
    number = min(PIECES - 1, int((start_s - STARTS_S) / PIECE_S))
    piece_start = STARTS_S + number * PIECE_S
    with av.open(hour.recordings[number]) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        container.seek(int((start_s - piece_start) * av.time_base))
        for frame in container.decode(stream):
            time_s = piece_start + float(frame.time or 0.0)
            if time_s >= end_s:
                return
            if time_s >= start_s:
                yield time_s, frame


def usual_way(hour: Hour, cards: Cards, psn_nos: Sequence[str], pack: VisionPack) -> tuple[float, list[bool]]:
    """Seconds the usual way would need for the hour, and for each swipe whether it saw the holder.

    It sees the holder when faces at or above accept lie in as many independent looks as the audit asks for.
    """
    way, accept = UsualWay(), load_set(DEFAULT_PACK)[0].accept
    spent, seen = 0.0, []
    for psn_no, moment_s in zip(psn_nos, cards.times_s, strict=True):
        seconds, scores = way.seconds_and_scores(hour, moment_s, _templates(cards.gallery / psn_no, pack))
        spent += seconds
        seen.append(independent_count([t for t, score in scores if score >= accept]) >= INDEPENDENT_NEEDED)
    return spent * HOUR_S / (len(psn_nos) * (USUAL_BEFORE_S + USUAL_AFTER_S)), seen


def _templates(folder: Path, pack: VisionPack) -> FloatArray:
    faces = [face_of_photo(load_photo(path), pack) for path in sorted(folder.iterdir())]
    return np.stack([face.embedding for face in faces if isinstance(face, PhotoFace)])
