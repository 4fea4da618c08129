"""Who a face may be compared with: the holder, the holder's approved agents, the staff."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vision.types import BgrImage, FloatArray


@dataclass(frozen=True)
class Person:
    """An enrolled person's templates, M × D unit rows; M = 0 when no photo passed the gate."""

    person_id: str
    templates: FloatArray
    portrait_bgr: BgrImage | None = None


@dataclass(frozen=True)
class References:
    """Everyone a check compares with. ``holder`` is ``None`` when the person number is unknown.

    ``reachable`` is false when nobody could be asked: whether the person is enrolled is then not known. ``stale`` ones
    are older than an approval may be: they may say who somebody is, and nobody may be accused on them.
    """

    holder: Person | None
    agents: tuple[Person, ...] = ()
    staff: tuple[Person, ...] = ()
    agents_without_photo: int = 0
    reachable: bool = True
    stale: bool = False

    def withheld(self) -> References:
        """Staff alone, as where nobody could be asked: whoever is known later decides."""
        return replace(self, holder=None, agents=(), agents_without_photo=0, reachable=False)
