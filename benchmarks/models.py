"""Detector and embedder against the ordinary way to run the same files: one thread, in turns, in one process.

``python -m benchmarks.models`` prints the figures. The detector's time holds everything from the picture to the list
of faces, on both sides; the embedder's is the network's run alone, on one crop.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import onnxruntime

from models.fetch import cached_path, fetch_asset, fetch_pack
from models.manifest import manifest
from models.pack import DEFAULT_PACK, load_pack
from models.prepare import SFACE, folded
from models.runtime import OnnxSession, open_session, session_options
from vision.detect import MIN_SCORE, NMS_MAX_IOU, YuNetDetector

DETECTOR_WH = (640, 384)
RUNS = 40
WARM_UP_RUNS = 3
MS_PER_S = 1e3

Figures = dict[str, float | int | str]


def bench_detector(runs: int = RUNS) -> Figures:
    """Our YuNet against ``cv2.FaceDetectorYN`` on the same file and picture: medians in ms and their ratio."""
    fetch_pack(DEFAULT_PACK)
    width, height = DETECTOR_WH
    people_bgr = np.asarray(cv2.imread(str(fetch_asset("demo-people"))), np.uint8)
    picture_bgr = np.asarray(cv2.resize(people_bgr, DETECTOR_WH), np.uint8)
    ours = YuNetDetector(open_session(load_pack().detector_path, threads=1, provider="cpu"))
    weights = cached_path(manifest().pack(DEFAULT_PACK).detector)
    threads_before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        theirs = cv2.FaceDetectorYN.create(str(weights), "", DETECTOR_WH, MIN_SCORE, NMS_MAX_IOU)
        ours_ms, theirs_ms = medians_in_turns(
            lambda: ours.detect(picture_bgr), lambda: theirs.detect(picture_bgr), runs
        )
    finally:
        cv2.setNumThreads(threads_before)
    return _figures("YuNet", f"{width}×{height}", "cv2.FaceDetectorYN", ours_ms, theirs_ms, runs)


def bench_embedder(runs: int = RUNS) -> Figures:
    """Our SFace against the same network merely folded to float32, both on ONNX Runtime: medians in ms."""
    entry = fetch_pack(DEFAULT_PACK)
    pixels = np.random.default_rng(7).uniform(0, 255, (1, 3, 112, 112)).astype(np.float32)
    ours = open_session(load_pack().embedder_path, threads=1, provider="cpu")
    plain = folded(cached_path(entry.embedder), SFACE).SerializeToString()
    providers = ["CPUExecutionProvider"]
    theirs = OnnxSession(onnxruntime.InferenceSession(plain, session_options(1), providers=providers))
    ours_ms, theirs_ms = medians_in_turns(
        lambda: ours.run({"data": pixels}), lambda: theirs.run({"data": pixels}), runs
    )
    return _figures("SFace", "112×112", "the folded graph", ours_ms, theirs_ms, runs)


def medians_in_turns(ours: Callable[[], object], theirs: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median duration of each in milliseconds, run in turns so that both meet the same disturbances."""
    for _ in range(WARM_UP_RUNS):
        ours()
        theirs()
    spent_s: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for durations_s, work in zip(spent_s, (ours, theirs), strict=True):
            began_s = time.perf_counter()
            work()
            durations_s.append(time.perf_counter() - began_s)
    first, second = (statistics.median(durations_s) * MS_PER_S for durations_s in spent_s)
    return first, second


def _figures(what: str, size: str, alternative: str, ours_ms: float, theirs_ms: float, runs: int) -> Figures:
    return {
        "what": what,
        "size": size,
        "ours_ms": round(ours_ms, 2),
        "alternative": alternative,
        "alternative_ms": round(theirs_ms, 2),
        "ratio": round(theirs_ms / ours_ms, 2),
        "runs": runs,
        "threads": 1,
    }


def main() -> None:
    """Print both benches, one line each."""
    for figures in (bench_detector(), bench_embedder()):
        print("  ".join(f"{name}={value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
