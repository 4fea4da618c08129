"""What is remembered of a window while its swipe is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edge_agent.footage import OnDamage, Stretch, TimeWindow
from edge_agent.looks import WINDOWS_KEPT, Known, Look, LookMemory
from tests.vision.builders import a_face

WINDOW = TimeWindow(0.0, 10.0)
PIXELS = np.zeros((2, 2, 3), np.uint8)
GREY = np.zeros((2, 2), np.uint8)


class Camera:
    """Gives a look a second, and notes which it had to look at and which were known."""

    def __init__(self) -> None:
        self.looked: list[float] = []
        self.decoded = 0

    def fresh(self, stretch: Stretch, known: Known, on_damage: OnDamage) -> Iterator[Look]:
        self.decoded += 1
        for time_s in np.arange(stretch.start_s, stretch.end_s):
            if time_s not in known:
                self.looked.append(float(time_s))
            yield replace(known.get(time_s, Look(float(time_s), (a_face(time_s),), GREY, None)), reduced_bgr=PIXELS)
        on_damage("the end is torn")


def through(memory: LookMemory, camera: Camera, stretch: Stretch, window: TimeWindow = WINDOW) -> list[Look]:
    return list(memory.through(stretch, window, 4.2, camera.fresh, lambda _: None))


def test_a_stretch_that_is_known_is_not_decoded_again_and_tells_its_damage_again() -> None:
    memory, camera, damage = LookMemory(), Camera(), list[str]()
    for _ in range(2):
        looks = list(memory.through(Stretch("a", 0, 4), WINDOW, 4.2, camera.fresh, damage.append))
        assert [look.time_s for look in looks] == [0, 1, 2, 3]
    assert camera.decoded == 1 and damage == ["the end is torn"] * 2


def test_of_a_stretch_that_grew_only_what_is_new_is_looked_at() -> None:
    memory, camera = LookMemory(), Camera()
    through(memory, camera, Stretch("a", 0, 3))
    looks = through(memory, camera, Stretch("a", 0, 5))
    assert [look.time_s for look in looks] == [0, 1, 2, 3, 4] == camera.looked
    assert all(len(look.faces) == 1 for look in looks) and camera.decoded == 2


def test_of_all_pictures_the_one_nearest_to_the_swipe_is_kept() -> None:
    memory, camera = LookMemory(), Camera()
    stretches = [Stretch("a", 0, 3), Stretch("a", 0, 4), Stretch("b", 4, 6), Stretch("b", 4, 8)]
    for stretch in stretches:
        through(memory, camera, stretch)
    known = through(memory, camera, stretches[1]) + through(memory, camera, stretches[3])
    assert [look.time_s for look in known if look.reduced_bgr is not None] == [4]


def test_a_stretch_that_was_not_looked_through_is_not_remembered() -> None:
    memory, camera = LookMemory(), Camera()
    looks = memory.through(Stretch("a", 0, 4), WINDOW, 4.2, camera.fresh, lambda _: None)
    next(looks)
    looks.close()  # type: ignore[attr-defined]
    assert len(through(memory, camera, Stretch("a", 0, 4))) == 4
    assert camera.looked == [0, 0, 1, 2, 3]


def test_every_look_at_a_window_shares_its_embeddings_until_it_is_forgotten() -> None:
    memory = LookMemory()
    assert memory.embedded(WINDOW) is memory.embedded(WINDOW)
    before = memory.embedded(WINDOW)
    memory.forget(WINDOW)
    assert memory.embedded(WINDOW) is not before


def test_only_the_last_windows_are_remembered() -> None:
    memory, camera = LookMemory(), Camera()
    for start_s in range(WINDOWS_KEPT + 1):
        through(memory, camera, Stretch("a", 0, 4), TimeWindow(start_s, start_s + 10))
    assert len(memory._windows) == WINDOWS_KEPT
    through(memory, camera, Stretch("a", 0, 4), TimeWindow(0, 10))
    assert camera.decoded == WINDOWS_KEPT + 2
