"""What an audit has finished so far, so that a killed run goes on where it stopped.

One JSON line a swipe, written and synced before the next counts as done. The first line names the inputs by digest:
a journal of other inputs is never continued.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge_agent.references import PhotoRefusal
from renzheng.contracts import IdentityCheck, Reason
from renzheng.errors import BadInput
from renzheng.files import sha256_file, storage_errors, write_atomic

JOURNAL_NAME = "journal.jsonl"
OWNED_FOLDERS = ("clips", "faces", "stills")
"""Folders of the output that only an audit writes to."""


@dataclass(frozen=True)
class Finished:
    """One finished swipe: its check, the photos refused on the way, and what went wrong beside it."""

    check: IdentityCheck
    refusals: tuple[PhotoRefusal, ...] = ()
    warnings: tuple[str, ...] = ()

    def as_line(self) -> str:
        """One JSON line without its end."""
        refusals = [[refusal.person_id, str(refusal.path), *refusal.reasons] for refusal in self.refusals]
        facts = {"check": self.check.model_dump(mode="json"), "refusals": refusals, "warnings": self.warnings}
        return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Finished:
        """The reverse of :meth:`as_line`. Raises ``ValueError`` for half a line."""
        facts = json.loads(line)
        refusals = [
            PhotoRefusal(person_id, Path(path), tuple(Reason(reason) for reason in reasons))
            for person_id, path, *reasons in facts["refusals"]
        ]
        return cls(IdentityCheck.model_validate(facts["check"]), tuple(refusals), tuple(facts["warnings"]))


@dataclass
class Journal:
    """The journal of one output folder."""

    folder: Path
    inputs_digest: str
    finished: dict[str, Finished] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where the journal lies."""
        return self.folder / JOURNAL_NAME

    def open(self, *, replace: bool) -> None:
        """Take up a journal of the same inputs, or begin one.

        Raises :class:`BadInput` when the folder cannot be used, or holds the results of other inputs and ``replace``
        was not asked.
        """
        try:
            self._open(replace)
        except OSError as error:
            raise BadInput(f"{self.folder}: cannot be used for the results: {error.strerror}") from error

    def _open(self, replace: bool) -> None:
        if self.path.exists():
            if self._take_up():
                return
            if not replace:
                raise BadInput(
                    f"{self.folder}: holds the results of an audit of other inputs; "
                    "choose another --out, or say --replace to overwrite them"
                )
        elif self.folder.exists() and any(self.folder.iterdir()) and not replace:
            raise BadInput(f"{self.folder}: is not empty and holds no audit; choose another --out, or say --replace")
        self._clear()
        write_atomic(self.path, json.dumps({"inputs": self.inputs_digest}) + "\n")

    def _clear(self) -> None:
        """Remove the faces and clips of an audit that is replaced: no check of the new one would name them."""
        if self.path.exists():
            for part in OWNED_FOLDERS:
                shutil.rmtree(self.folder / part, ignore_errors=True)

    def _take_up(self) -> bool:
        """Read the finished swipes of the same inputs; half a last line, from a kill, is cut off."""
        whole = self.path.read_bytes().rpartition(b"\n")[0].decode("utf-8", errors="replace").split("\n")
        try:
            if json.loads(whole[0]) != {"inputs": self.inputs_digest}:
                return False
        except ValueError:
            return False
        for line in whole[1:]:
            try:
                done = Finished.from_line(line)
            except (ValueError, KeyError, TypeError, ValidationError):
                continue
            if self._clip_is_whole(done.check):
                self.finished[done.check.swipe_id] = done
        write_atomic(self.path, "\n".join(whole) + "\n")
        return True

    def _clip_is_whole(self, check: IdentityCheck) -> bool:
        if check.clip is None:
            return True
        clip = self.folder / check.clip.path
        return clip.is_file() and sha256_file(clip) == check.clip.sha256

    def add(self, done: Finished) -> None:
        """Write one finished swipe through to the disk. Raises :class:`StorageFull`."""
        with storage_errors(self.path), self.path.open("a", encoding="utf-8") as stream:
            stream.write(done.as_line() + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.finished[done.check.swipe_id] = done


def digest_of(facts: dict[str, Any], files: Iterable[Path], photos: Iterable[tuple[str, Path]]) -> str:
    """One digest over settings, the bytes of small files, and role, folder, name, size and time of photos."""
    hasher = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for path in files:
        hasher.update(sha256_file(path).encode())
    for role, path in photos:
        stamp = path.stat()
        hasher.update(f"{role}/{path.parent.name}/{path.name}|{stamp.st_size}|{stamp.st_mtime_ns}\n".encode())
    return hasher.hexdigest()
