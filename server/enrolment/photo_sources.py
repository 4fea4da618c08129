"""The photos of an enrolment: a folder, or a zip that is read where it lies and never unpacked.

A photo belongs to the person whose number is its name, alone or with a counter: ``<psn_no>.jpg``,
``<psn_no>_2.jpg``. In which folder it lies says nothing.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from renzheng.errors import BadInput

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
FILES_MAX = 300_000
DIRECTORY_BYTES_MAX = 32 * 2**20
"""Of a zip's list of its files, which is read whole before anything else can be asked of it."""

UNPACKED_TIMES_MAX = 20
"""A zip of photos unpacks to hardly more than itself, since photos are packed already."""

SMALL_BYTES = 64 * 2**20
"""A zip that unpacks to less may do so however well it packed."""

_COUNTER = re.compile(r"(.+)_[0-9]{1,3}")
_END, _END_BYTES = b"PK\x05\x06", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_LARGE_END, _LARGE_END_BYTES = b"PK\x06\x06", 56
"""Before the end of a zip of over 4 GiB or 65,535 files."""
_COMMENT_BYTES_MAX = 65_535
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, KeyError)


class PhotoBroken(BadInput):
    """The bytes of a photo cannot be had: a damaged zip, a wrong checksum, a file that went away."""


@dataclass(frozen=True)
class PhotoFile:
    """One file by its plain name, with what tells it from another of that name; ``read`` gives its bytes."""

    name: str
    size_bytes: int
    crc32: int
    read: Callable[[], bytes]

    @property
    def stem(self) -> str:
        """The name without suffix."""
        return PurePosixPath(self.name).stem


@dataclass(frozen=True)
class Photos:
    """All photos by whose they are, in the order of their names, and how many are nobody's."""

    by_person: dict[str, tuple[PhotoFile, ...]]
    unused: int


def sorted_out(files: Iterable[PhotoFile], psn_nos: Collection[str]) -> Photos:
    """Each file given to the person it is named after; a number that itself ends in a counter comes first."""
    numbers = set(psn_nos)
    by_person: dict[str, list[PhotoFile]] = defaultdict(list)
    unused = 0
    for file in files:
        counted = _COUNTER.fullmatch(file.stem)
        if file.stem in numbers:
            by_person[file.stem].append(file)
        elif counted is not None and counted[1] in numbers:
            by_person[counted[1]].append(file)
        else:
            unused += 1
    return Photos({psn_no: tuple(sorted(own, key=_order)) for psn_no, own in by_person.items()}, unused)


def _order(file: PhotoFile) -> tuple[int, str]:
    return len(file.stem), file.name


def _is_photo(name: str) -> bool:
    """Hidden files, and what some systems add to archives, are no photos, whatever they are called."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and "__MACOSX" not in path.parts


def photos_of_folder(folder: Path) -> list[PhotoFile]:
    """Photos of a folder and those in it; links are not followed. Raises :class:`BadInput`."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder")
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if _is_photo(path.relative_to(folder).as_posix()) and path.is_file() and not _through_link(path, folder)
    ]
    if len(paths) > FILES_MAX:
        raise BadInput(f"{folder}: expected at most {FILES_MAX:,} photos")
    return [_file_of(path) for path in paths]


def _through_link(path: Path, folder: Path) -> bool:
    return any(one.is_symlink() for one in (path, *path.parents) if one.is_relative_to(folder) and one != folder)


def _file_of(path: Path) -> PhotoFile:
    checksum, size = 0, 0
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                checksum, size = zlib.crc32(block, checksum), size + len(block)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error

    def read() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise PhotoBroken("the photo cannot be read") from error

    return PhotoFile(path.name, size, checksum, read)


def photos_of_zip(stream: BinaryIO) -> list[PhotoFile]:
    """Photos of a zip. The stream must stay open while they are read.

    Raises :class:`BadInput` for what is no zip, for names that lead outside of it, links, passwords, and for what
    unpacks to far more than it is.
    """
    size = _refuse_large_directory(stream)
    try:
        archive = zipfile.ZipFile(stream)
    except _BROKEN as error:
        raise BadInput("photos: not a readable zip") from error
    entries = archive.infolist()
    _refuse_bad_entries(entries, size)
    return [_entry_of(archive, entry) for entry in entries if _is_photo(entry.filename)]


def _refuse_large_directory(stream: BinaryIO) -> int:
    """Size of the zip. Python reads a zip's directory whole, so what it states is looked at before.

    Offsets are those of APPNOTE.TXT 4.3.14 to 4.3.16.
    """
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END_BYTES - _COMMENT_BYTES_MAX - _LOCATOR_BYTES - _LARGE_END_BYTES))
    tail = stream.read()
    stream.seek(0)
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_BYTES:
        raise BadInput("photos: not a readable zip")
    directory: int = struct.unpack_from("<L", tail, end + 12)[0]
    large_end = end - _LOCATOR_BYTES - _LARGE_END_BYTES
    if large_end >= 0 and tail.startswith(_LARGE_END, large_end) and tail.startswith(_LOCATOR, end - _LOCATOR_BYTES):
        directory = struct.unpack_from("<Q", tail, large_end + 40)[0]
    if directory > DIRECTORY_BYTES_MAX:
        raise BadInput(f"photos: expected at most {FILES_MAX:,} files")
    return size


def _refuse_bad_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > FILES_MAX:
        raise BadInput(f"photos: expected at most {FILES_MAX:,} files")
    if sum(entry.file_size for entry in entries) > max(SMALL_BYTES, UNPACKED_TIMES_MAX * size):
        raise BadInput(f"photos: unpacks to over {UNPACKED_TIMES_MAX} times its size; not a zip of photos")
    for number, entry in enumerate(entries, 1):
        if _leads_outside(entry.filename):
            raise BadInput(f"photos: file {number} of the zip has a name that leads outside of it")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BadInput(f"photos: file {number} of the zip is a link")
        if entry.flag_bits & 1:
            raise BadInput("photos: the zip has a password; send one without")


def _leads_outside(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name) is not None


def _entry_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> PhotoFile:
    def read() -> bytes:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PhotoBroken("the photo is packed in a way that is not read here")
        try:
            with archive.open(entry) as part:
                return part.read()
        except _BROKEN as error:
            raise PhotoBroken("the photo's bytes are damaged") from error

    return PhotoFile(PurePosixPath(entry.filename).name, entry.file_size, entry.CRC, read)
