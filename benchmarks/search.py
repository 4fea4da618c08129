"""One to many over a million templates, against what this machine's memory can deliver.

Run in a process of its own with one BLAS thread. The bound is the time in which a STREAM-like copy moves as many
bytes as the gallery has.
"""

from __future__ import annotations

import json
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np

from vision.gallery import Gallery
from vision.types import FloatArray

TEMPLATES = 1_000_000
SIZE = 128
RUNS = 15
BATCH = 32
SEED = 11


def median_ms(work: Callable[[], object], runs: int = RUNS) -> float:
    """Median time of one call in milliseconds, after one call to warm up."""
    work()
    spent = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1e3


def copy_median_ms(array: FloatArray) -> float:
    """Time to copy an array once, as STREAM's copy kernel does; reads and writes its bytes."""
    target = np.empty_like(array)
    return median_ms(lambda: np.copyto(target, array))


def bench_search() -> dict[str, float | int]:
    """Figures of one probe, of its five best, and of a batch, over a million random unit templates."""
    rng = np.random.default_rng(SEED)
    embeddings = rng.standard_normal((TEMPLATES, SIZE), dtype=np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    gallery = Gallery(embeddings, [str(number) for number in range(TEMPLATES)])
    copy_ms = copy_median_ms(embeddings)
    bound_ms = copy_ms / 2
    one_ms = median_ms(lambda: gallery.search(embeddings[777:778], 1))
    five_ms = median_ms(lambda: gallery.search(embeddings[777:778], 5))
    batch_ms = median_ms(lambda: gallery.search(embeddings[:BATCH], 5), 3)
    found = gallery.search(embeddings[777:778], 1).rows[0, 0]
    if found != 777:
        raise AssertionError(f"expected a template to find itself, got row {found}")
    return {
        "templates": TEMPLATES,
        "copy GB/s": round(2 * embeddings.nbytes / copy_ms / 1e6, 1),
        "bound ms": round(bound_ms, 1),
        "one probe ms": round(one_ms, 1),
        "five best ms": round(five_ms, 1),
        f"batch of {BATCH}, ms a probe": round(batch_ms / BATCH, 1),
        "one probe / bound": round(one_ms / bound_ms, 2),
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    print(json.dumps(bench_search()))
