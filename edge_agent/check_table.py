"""Checks as files: one JSON line each for machines, a CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from renzheng.clock import local_text
from renzheng.contracts import REASON_WORDS, VERDICT_WORDS, IdentityCheck
from renzheng.errors import BadInput
from renzheng.files import write_atomic

CSV_FIELDS = (
    "swipe_id",
    "psn_no",
    "fixmedins_code",
    "terminal_id",
    "swiped_at",
    "verdict",
    "verdict_zh",
    "reasons",
    "reasons_zh",
    "score",
    "samples",
    "independent_samples",
    "tracks",
    "recorded_share",
    "window_start",
    "window_end",
    "clock_offset_s",
    "clip",
    "clip_sha256",
    "pack",
    "thresholds",
    "accept",
    "reject",
)
"""The header row, in the contracts' own names; the order of the columns is part of the format."""

_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


def write_checks_csv(checks: Sequence[IdentityCheck], path: Path) -> None:
    """Write one row a check: UTF-8 with byte order mark, times in Asia/Shanghai, reasons in codes and in Chinese.

    Text that a spreadsheet would take for a formula gets a leading apostrophe. Long digit strings stay as they are:
    a spreadsheet that shortens them must be told to import those columns as text. The whole file is written or none
    of it. Raises :class:`renzheng.errors.StorageFull`.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\r\n")
    writer.writerow(CSV_FIELDS)
    writer.writerows(_row(check) for check in checks)
    write_atomic(path, b"\xef\xbb\xbf" + table.getvalue().encode("utf-8"))


def _row(check: IdentityCheck) -> list[str]:
    """The cells of one check, in the order of :data:`CSV_FIELDS`."""
    independent = max((track.independent_samples for track in check.tracks), default=0)
    cells = {
        "swipe_id": _safe(check.swipe_id),
        "psn_no": _safe(check.psn_no),
        "fixmedins_code": _safe(check.fixmedins_code),
        "terminal_id": _safe(check.terminal_id),
        "swiped_at": local_text(check.swiped_at),
        "verdict": check.verdict.value,
        "verdict_zh": VERDICT_WORDS[check.verdict].zh,
        "reasons": " ".join(reason.value for reason in check.reasons),
        "reasons_zh": "；".join(REASON_WORDS[reason].zh for reason in check.reasons),
        "score": "" if check.score is None else f"{check.score:.4f}",
        "samples": str(len(check.samples)),
        "independent_samples": str(independent),
        "tracks": str(len(check.tracks)),
        "recorded_share": f"{check.coverage.recorded_share:.3f}",
        "window_start": local_text(check.window_start, milliseconds=True),
        "window_end": local_text(check.window_end, milliseconds=True),
        "clock_offset_s": f"{check.clock_offset_s:g}",
        "clip": _safe(check.clip.path) if check.clip else "",
        "clip_sha256": _safe(check.clip.sha256) if check.clip else "",
        "pack": _safe(check.pack.name),
        "thresholds": _safe(check.thresholds.name),
        "accept": f"{check.thresholds.accept:.4f}",
        "reject": f"{check.thresholds.reject:.4f}",
    }
    return [cells[field] for field in CSV_FIELDS]


def _safe(text: str) -> str:
    """Text from outside as a cell that no spreadsheet runs as a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def write_checks_jsonl(checks: Sequence[IdentityCheck], path: Path) -> None:
    """Write one check a line, in the order given, whole file or nothing. Raises ``StorageFull``."""
    write_atomic(path, "".join(check.model_dump_json() + "\n" for check in checks))


def read_checks_jsonl(path: Path) -> list[IdentityCheck]:
    """Read what :func:`write_checks_jsonl` wrote; empty lines are passed over.

    Raises :class:`BadInput` naming the file, and the line where one does not hold a check.
    """
    return list(_checks(path, _read(path)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error


def _checks(path: Path, data: bytes) -> Iterator[IdentityCheck]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield IdentityCheck.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            problem = f"{where}: {first['msg']}" if where else first["msg"]
            raise BadInput(f"{path}, line {number}: expected an identity check; {problem}") from error
