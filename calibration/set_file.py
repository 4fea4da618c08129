"""Writing a threshold set as TOML, with what it rests on in words for whoever opens the file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from calibration.sets import ThresholdSet
from renzheng.files import write_atomic

HEAD = """\
# Threshold set {name}: written by `renzheng calibrate thresholds`, not by hand.
# Cosines. Error rates are of single comparisons, one picture with one picture; intervals are 95 % bootstrap
# intervals over people. See docs/adr/0003-quality-gate.md for the gate that the pictures passed.
"""


def to_toml(threshold_set: ThresholdSet) -> str:
    """The set as TOML; :func:`calibration.sets.load_set` reads the same values back."""
    fields = threshold_set.model_dump()
    plain = {name: value for name, value in fields.items() if not isinstance(value, dict)}
    tables = {name: value for name, value in fields.items() if isinstance(value, dict)}
    # a comment ends with its line: a name with a line break must not begin a new one
    lines = [HEAD.format(name=_literal(threshold_set.name)), *(_assign(*item) for item in plain.items())]
    for table, values in tables.items():
        lines += ["", f"[{table}]", *(_assign(*item) for item in values.items())]
    text = "\n".join(lines) + "\n"
    if ThresholdSet.model_validate(tomllib.loads(text)) != threshold_set:
        raise ValueError(f"to_toml: {threshold_set.name!r} does not read back as it was written")
    return text


def write_set(path: Path, threshold_set: ThresholdSet) -> None:
    """The whole file or nothing. Raises :class:`renzheng.errors.StorageFull` when the disk has no room."""
    write_atomic(path, to_toml(threshold_set))


def _assign(name: str, value: object) -> str:
    return f"{name} = {_literal(value)}"


def _literal(value: object) -> str:
    """A TOML value. Python writes floats and whole numbers as TOML does; JSON strings are TOML basic strings."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"_literal: expected text or a number, got {value!r}")
    return repr(value)
