"""A folder of known people, ``DIR/<person>/*``, as embeddings: the sample that thresholds are measured on."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from renzheng.contracts.reasons import REASON_WORDS, Reason
from renzheng.errors import BadInput
from vision.enrol import Refused, face_of_photo
from vision.pack import VisionPack
from vision.photo import PhotoRefused, load_photo
from vision.types import FloatArray

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".pgm", ".bmp"})
PEOPLE_MIN = 2
PICTURES_MIN = 2

Advance = Callable[[], None]


@dataclass(frozen=True)
class RefusedPicture:
    """A picture that takes part in no comparison: a failure to enrol or to acquire (ISO/IEC 19795-1)."""

    path: Path
    reasons: tuple[Reason, ...] = ()
    same_as: Path | None = None

    @property
    def why(self) -> str:
        """The reasons in words."""
        if self.same_as is not None:
            return f"the same file as {self.same_as.name}"
        return ", ".join(REASON_WORDS[reason].en for reason in self.reasons)


@dataclass(frozen=True)
class LabelledFaces:
    """Faces of known people. ``embeddings`` is N × D; ``person`` (N,) counts through ``names``; ``paths`` has N."""

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    person: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    embeddings: FloatArray
    refused: tuple[RefusedPicture, ...] = field(default=())

    @property
    def pictures(self) -> int:
        """Every picture that was looked at, refused ones too."""
        return len(self.paths) + len(self.refused)

    @property
    def refusals(self) -> Counter[str]:
        """How often each reason came first."""
        return Counter("duplicate" if r.same_as else str(r.reasons[0]) for r in self.refused)


def list_pictures(folder: Path) -> dict[str, list[Path]]:
    """The pictures of each person, both in natural order. Hidden files and other kinds of files are left out.

    Raises :class:`BadInput` when the folder is not there or holds no person with a picture.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: expected a folder with one folder per person")
    people = {
        person.name: sorted((p for p in person.iterdir() if _is_picture(p)), key=_natural)
        for person in sorted(folder.iterdir(), key=_natural)
        if person.is_dir() and not person.name.startswith(".")
    }
    people = {name: paths for name, paths in people.items() if paths}
    if not people:
        kinds = ", ".join(sorted(SUFFIXES))
        raise BadInput(f"{folder}: expected folders of people with pictures ({kinds}), found none")
    return people


def _is_picture(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix.lower() in SUFFIXES


def _natural(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """Order in which 2 comes before 10 and numbers before words, the same on every machine."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name)
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts], path.name


def read_faces(
    people: dict[str, list[Path]], pack: VisionPack, *, gate: bool = True, advance: Advance = lambda: None
) -> LabelledFaces:
    """One embedding a picture, through the gate that enrolment uses. ``advance`` is called after every picture.

    Raises :class:`BadInput` when one file stands under two people, or when fewer than two people are left with two
    pictures each.
    """
    originals = _originals(people)
    paths: list[Path] = []
    person: list[int] = []
    rows: list[FloatArray] = []
    refused: list[RefusedPicture] = []
    for index, pictures in enumerate(people.values()):
        for path in pictures:
            face = _face(path, originals, pack, gate)
            if isinstance(face, RefusedPicture):
                refused.append(face)
            else:
                paths.append(path)
                person.append(index)
                rows.append(face)
            advance()
    embeddings = np.stack(rows) if rows else np.empty((0, pack.embedding_size), np.float32)
    faces = LabelledFaces(tuple(people), tuple(paths), np.array(person, np.int64), embeddings, tuple(refused))
    _refuse_few(faces)
    return faces


def _face(path: Path, originals: dict[Path, Path], pack: VisionPack, gate: bool) -> FloatArray | RefusedPicture:
    if originals[path] != path:
        return RefusedPicture(path, same_as=originals[path])
    try:
        face = face_of_photo(load_photo(path), pack, gate=gate)
    except PhotoRefused as error:
        return RefusedPicture(path, (error.reason,))
    return RefusedPicture(path, face.reasons) if isinstance(face, Refused) else face.embedding


def _originals(people: dict[str, list[Path]]) -> dict[Path, Path]:
    """For each picture the first with the same bytes. Copies would count as perfect matches."""
    first: dict[str, tuple[str, Path]] = {}
    originals: dict[Path, Path] = {}
    for name, pictures in people.items():
        for path in pictures:
            owner, original = first.setdefault(_digest(path), (name, path))
            if owner != name:
                raise BadInput(f"{path}: the same file as {original}, which stands under another person")
            originals[path] = original
    return originals


def _digest(path: Path) -> str:
    """Digest of the bytes; of the path where they cannot be read, which :func:`load_photo` will say better."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return f"unreadable {path}"


def _refuse_few(faces: LabelledFaces) -> None:
    counts = Counter(faces.person.tolist())
    enough = sum(count >= PICTURES_MIN for count in counts.values())
    if enough >= PEOPLE_MIN:
        return
    raise BadInput(
        f"expected at least {PEOPLE_MIN} people with {PICTURES_MIN} usable pictures each, got {enough} "
        f"({len(faces.names)} people, {faces.pictures} pictures, {len(faces.refused)} refused{_most(faces.refused)})"
    )


def _most(refused: Sequence[RefusedPicture]) -> str:
    if not refused:
        return ""
    listed = "; ".join(f"{r.path.parent.name}/{r.path.name}: {r.why}" for r in refused[:10])
    return f": {listed}{' …' if len(refused) > 10 else ''}"
