"""A folder of people's photos: ``DIR/<psn_no>/*.jpg``. Only the listing; whether a photo will do is told elsewhere."""

from __future__ import annotations

from pathlib import Path

from renzheng.errors import BadInput

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class PeopleFolder:
    """The people a folder has photos of, as it was when it was opened.

    A person number is looked up among the names that were listed and never joined to a path, so no number, whatever
    it contains, leads out of the folder. Links that lead out of it and hidden files are passed over.
    """

    def __init__(self, folder: Path) -> None:
        """List the folder. Raises :class:`BadInput` when it is missing, no folder, or cannot be read."""
        self.folder = folder
        try:
            self._root = folder.resolve(strict=True)
            self._persons = {
                _readable(entry): entry for entry in folder.iterdir() if self._inside(entry) and entry.is_dir()
            }
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
        folder = self._persons.get(psn_no)
        if folder is None:
            return ()
        try:
            return tuple(sorted(entry for entry in folder.iterdir() if self._is_photo(entry)))
        except OSError as error:
            raise BadInput(f"{folder}: cannot be listed: {error.strerror}") from error

    def _is_photo(self, entry: Path) -> bool:
        return entry.suffix.lower() in PHOTO_SUFFIXES and self._inside(entry) and entry.is_file()

    def _inside(self, entry: Path) -> bool:
        """Not hidden, and not a link out of the folder (or round in a circle)."""
        if entry.name.startswith("."):
            return False
        try:
            return entry.resolve().is_relative_to(self._root)
        except (OSError, RuntimeError):
            return False


def _readable(entry: Path) -> str:
    """The name, which ends up in checks and so must be text."""
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(f"{entry.parent}: a folder's name is not UTF-8 text: {entry.name!r}") from error
    return entry.name
