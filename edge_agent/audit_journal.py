"""What an audit has finished so far, so that a killed run goes on where it stopped.

One JSON line a swipe, written and synced before the next counts as done. The first line names the inputs by digest, and
so does every other: a journal of other inputs is never continued, and a line of other inputs never counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge_agent.audit_files import CHECKS_NAME, JOURNAL_NAME, OWNED_FOLDERS, RESULT_NAMES, leftover_parts, pictures_of
from edge_agent.audit_lock import LOCK_NAME, sole_writer
from edge_agent.references import PhotoRefusal
from renzheng.contracts import IdentityCheck, Reason
from renzheng.errors import BadInput
from renzheng.files import is_part, make_private, sha256_file, storage_errors, sync_folder, write_atomic

__all__ = ["JOURNAL_NAME", "Finished", "Journal", "digest_of"]

_HALF_A_LINE = (ValueError, KeyError, TypeError, ValidationError)


@dataclass(frozen=True)
class Finished:
    """One finished swipe: its check, the photos refused on the way, and what went wrong beside it."""

    check: IdentityCheck
    refusals: tuple[PhotoRefusal, ...] = ()
    warnings: tuple[str, ...] = ()

    def as_facts(self) -> dict[str, Any]:
        """As it is written down."""
        refusals = [[refusal.person_id, str(refusal.path), *refusal.reasons] for refusal in self.refusals]
        return {"check": self.check.model_dump(mode="json"), "refusals": refusals, "warnings": self.warnings}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Finished:
        """The reverse of :meth:`as_facts`. Raises one of ``_HALF_A_LINE`` for anything else."""
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

    @contextmanager
    def opened(self, *, replace: bool) -> Iterator[None]:
        """Take up a journal of the same inputs, or begin one; nobody else writes to the folder until the end.

        Raises :class:`BadInput` when the folder cannot be used, another audit is writing to it, or it holds the
        results of other inputs and ``replace`` was not asked; :class:`StorageFull` when there is no room.
        """
        with ExitStack() as held:
            try:
                with storage_errors(self.folder):
                    make_private(self.folder)
                    held.enter_context(sole_writer(self.folder))
                    self._open(replace)
            except OSError as error:
                why = error.strerror or error
                raise BadInput(f"{self.folder}: cannot be used for the results: {why}") from error
            yield

    def _open(self, replace: bool) -> None:
        if self.path.exists():
            inputs, lines = self._read()
            if inputs == self.inputs_digest:
                self._take_up(lines)
                return
            if not replace and not self._is_stillborn(inputs, lines):
                raise BadInput(
                    f"{self.folder}: holds the results of an audit of other inputs; "
                    "choose another --out, or say --replace to overwrite them"
                )
        elif not replace and any(self._strangers()):
            raise BadInput(f"{self.folder}: is not empty and holds no audit; choose another --out, or say --replace")
        self._clear()
        write_atomic(self.path, json.dumps({"inputs": self.inputs_digest}) + "\n")

    def _strangers(self) -> Iterator[Path]:
        """What lies in the folder and is not the remains of an audit killed before it began."""
        return (path for path in self.folder.iterdir() if path.name != LOCK_NAME and not is_part(path.name))

    def _read(self) -> tuple[str | None, list[str]]:
        """The digest of the inputs, ``None`` when the first line does not say it, and the other whole lines."""
        first, *lines = self.path.read_bytes().rpartition(b"\n")[0].decode("utf-8", errors="replace").split("\n")
        try:
            return str(json.loads(first)["inputs"]), lines
        except _HALF_A_LINE:
            return None, lines

    def _is_stillborn(self, inputs: str | None, lines: Iterable[str]) -> bool:
        """Whether the journal was cut off before its first line was whole, and nothing is lost with it."""
        return inputs is None and not any(lines) and not (self.folder / CHECKS_NAME).exists()

    def _clear(self) -> None:
        """Remove the results of an audit that is replaced, and its faces and clips: no check of the new one would name
        them. The results go first, so that a kill leaves no old report over new clips."""
        ours = self.path.exists() or (self.folder / CHECKS_NAME).exists()
        for name in RESULT_NAMES:
            (self.folder / name).unlink(missing_ok=True)
        sync_folder(self.folder)
        for part in OWNED_FOLDERS if ours else ():
            if (self.folder / part).exists():
                shutil.rmtree(self.folder / part)
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        for path in list(leftover_parts(self.folder)):
            path.unlink(missing_ok=True)

    def _take_up(self, lines: Iterable[str]) -> None:
        """Read the finished swipes of the same inputs; half a last line, from a kill, is cut off.

        What an error stopped, or has lost a file since, is not finished.
        """
        kept = [json.dumps({"inputs": self.inputs_digest}), *lines]
        for line in kept[1:]:
            try:
                facts = json.loads(line)
                of_these_inputs = facts["inputs"] == self.inputs_digest
                done, clip_stamp = Finished.from_facts(facts), facts["clip"]
            except _HALF_A_LINE:
                continue
            if of_these_inputs:
                self.finished.pop(done.check.swipe_id, None)
                if Reason.UNREADABLE not in done.check.reasons and self._is_whole(done.check, clip_stamp):
                    self.finished[done.check.swipe_id] = done
        self._remove_leftovers()
        write_atomic(self.path, "\n".join(kept) + "\n")

    def _is_whole(self, check: IdentityCheck, clip_stamp: object) -> bool:
        """Whether every file that a check names is there; a clip that was touched since is read again."""
        sizes = (_stamp(self.folder / picture) for picture in pictures_of(check))
        if not all(size for size, _ in sizes):
            return False
        if check.clip is None:
            return True
        clip = self.folder / check.clip.path
        stamp = _stamp(clip)
        return bool(stamp[0]) and (list(stamp) == clip_stamp or sha256_file(clip) == check.clip.sha256)

    def add(self, done: Finished) -> None:
        """Write one finished swipe through to the disk. Raises :class:`StorageFull`."""
        clip = done.check.clip
        stamp = _stamp(self.folder / clip.path) if clip else None
        facts = {"inputs": self.inputs_digest, "clip": stamp, **done.as_facts()}
        line = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
        with storage_errors(self.path), self.path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.finished[done.check.swipe_id] = done


def _stamp(path: Path) -> tuple[int, int]:
    """Size in bytes and time of change in nanoseconds; no size when no file is there."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return 0, 0
    return (facts.st_size, facts.st_mtime_ns) if path.is_file() else (0, 0)


def digest_of(facts: dict[str, Any], files: Iterable[Path], photos: Iterable[tuple[str, Path]]) -> str:
    """One digest over settings, the bytes of small files, and role, folder, name, size and time of photos."""
    hasher = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for path in files:
        hasher.update(sha256_file(path).encode())
    for role, path in photos:
        stamp = path.stat()
        hasher.update(f"{role}/{path.parent.name}/{path.name}|{stamp.st_size}|{stamp.st_mtime_ns}\n".encode())
    return hasher.hexdigest()
