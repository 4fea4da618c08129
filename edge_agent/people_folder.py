"""A folder of people's photos: ``DIR/<psn_no>/*.jpg``. Only the listing; whether a photo will do is told elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from renzheng.errors import BadInput

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class PeopleFolder:
    """The people a folder has photos of, as it was when it was opened.

    A person number is looked up among the names that were listed and joined to a path only when it is one of them, so
    no number, whatever it contains, leads out of the folder. Links that lead out of it and hidden files are passed
    over.
    """

    def __init__(self, folder: Path) -> None:
        """List the folder. Raises :class:`BadInput` when it is missing, no folder, or cannot be read."""
        self.folder = folder
        try:
            self._root = folder.resolve(strict=True)
            self._persons = {_readable(folder, entry.name) for entry in self._inside(folder) if entry.is_dir()}
        except FileNotFoundError as error:
            raise BadInput(f"{folder}: no such folder; expected one folder per person number in it") from error
        except NotADirectoryError as error:
            raise BadInput(f"{folder}: expected a folder with one folder per person number, found a file") from error
        except OSError as error:
            raise BadInput(f"{folder}: cannot be listed: {error.strerror}") from error

    def __contains__(self, psn_no: object) -> bool:
        return psn_no in self._persons

    def person_ids(self) -> tuple[str, ...]:
        """The person numbers that have a folder, sorted; the folder may hold no photo."""
        return tuple(sorted(self._persons))

    def photos(self, psn_no: str) -> tuple[Path, ...]:
        """The person's photos sorted by name; none for a number without folder."""
        if psn_no not in self._persons:
            return ()
        folder = self.folder / psn_no
        try:
            return tuple(sorted(folder / entry.name for entry in self._inside(folder) if _is_photo(entry)))
        except OSError as error:
            raise BadInput(f"{folder}: cannot be listed: {error.strerror}") from error

    def _inside(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        """What lies in a folder and is neither hidden nor a link that leads out of the root (or round in a circle).

        Only links are resolved: whatever else is listed in a folder lies in it, and a folder may have 100,000 entries.
        """
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and not (entry.is_symlink() and self._leads_out(entry)):
                    yield entry

    def _leads_out(self, link: os.DirEntry[str]) -> bool:
        try:
            return not Path(link.path).resolve(strict=True).is_relative_to(self._root)
        except (OSError, RuntimeError):
            return True


def _is_photo(entry: os.DirEntry[str]) -> bool:
    return Path(entry.name).suffix.lower() in PHOTO_SUFFIXES and entry.is_file()


def _readable(folder: Path, name: str) -> str:
    """The name, which ends up in checks and so must be text."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(f"{folder}: a folder's name is not UTF-8 text: {name!r}") from error
    return name
