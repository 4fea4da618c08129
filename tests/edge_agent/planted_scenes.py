"""Random scenes at the make-believe counter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.edge_agent.planted import Planted, references
from vision.people import References

HOLDER, STRANGER, CLERK, AGENT = 1, 2, 3, 4
Scene = Callable[[float], Sequence[Planted]]


def random_scene(random: np.random.Generator) -> tuple[Scene, References, dict[str, object]]:
    """People who come and go at places of their own, with faces that are good or poor."""
    visits = []
    for place in range(int(random.integers(0, 4))):
        person = int(random.choice([HOLDER, STRANGER, CLERK, AGENT, 5, 6]))
        begin = float(random.uniform(-8, 4))
        length = float(random.choice([0.3, 0.8, 1.5, 3.0, 12.0]))
        visits.append((begin, begin + length, Planted(person, 0.15 + 0.25 * place, 0.5, bool(random.random() < 0.8))))
    likeness = {STRANGER: float(random.choice([0.0, 0.0, 0.5])), 5: float(random.choice([0.0, 0.35, 0.7]))}
    people = references(HOLDER, staff=[CLERK], agents=[AGENT] if random.random() < 0.5 else [], likeness=likeness)
    footage: dict[str, object] = {"gop_s": float(random.choice([0.6, 1.0, 2.0, 4.0, 20.0]))}
    if random.random() < 0.2:
        gap = float(random.uniform(-6, 4))
        footage["recorded"] = [(-100.0, gap), (gap + float(random.choice([0.3, 2.0])), 100.0)]
    if random.random() < 0.2:
        begin = float(random.uniform(-6, 4))
        footage["damaged"] = [(begin, begin + 0.7)]
    return lambda second: [face for begin, end, face in visits if begin <= second < end], people, footage
