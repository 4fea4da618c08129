"""Reading the zones of a camera's picture from a TOML file.

One ``[[zone]]`` per polygon::

    [[zone]]
    kind = "counter"            # counter, staff or private
    name = "till 1"
    polygon = [[0.1, 0.4], [0.9, 0.4], [0.9, 1.0], [0.1, 1.0]]
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from renzheng.errors import BadInput
from vision.zones import Point, Zone, ZoneKind, Zones, polygon_problem

FIELDS = ("kind", "name", "polygon")


def read_zones(path: Path) -> Zones:
    """The zones of a file. Raises :class:`BadInput` that names the file and, for every mistake, zone and field."""
    entries = _entries(path, _parse(path))
    problems = [
        f"zone {number}{_called(entry)}, {field}: {message}"
        for number, entry in enumerate(entries, 1)
        for field, message in _entry_problems(entry)
    ]
    if problems:
        raise BadInput(f"{path}: " + "; ".join(problems))
    return Zones(tuple(Zone(ZoneKind(e["kind"]), e["name"].strip(), _points(e["polygon"])) for e in entries))


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text: byte offset {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: not TOML: {error}") from error


def _entries(path: Path, document: dict[str, Any]) -> list[Any]:
    unknown = sorted(set(document) - {"zone"})
    if unknown:
        raise BadInput(f"{path}: expected [[zone]] tables only, found {', '.join(unknown)}")
    entries = document.get("zone")
    if not isinstance(entries, list) or not entries:
        raise BadInput(f"{path}: expected at least one [[zone]] table, found none")
    return entries


def _called(entry: Any) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return f' "{name}"' if isinstance(name, str) and name.strip() else ""


def _entry_problems(entry: Any) -> list[tuple[str, str]]:
    """Field and message of everything that is wrong with one zone."""
    if not isinstance(entry, dict):
        return [("zone", f"expected a table, found {entry!r}")]
    problems = [(name, f"unknown; expected {', '.join(FIELDS)}") for name in sorted(set(entry) - set(FIELDS))]
    kinds = [kind.value for kind in ZoneKind]
    if entry.get("kind") not in kinds:
        problems.append(("kind", f"expected {', '.join(kinds)}, found {_found(entry, 'kind')}"))
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip():
        problems.append(("name", f"expected a name, found {_found(entry, 'name')}"))
    if message := _polygon_message(entry):
        problems.append(("polygon", message))
    return problems


def _polygon_message(entry: dict[str, Any]) -> str:
    corners = entry.get("polygon")
    if not isinstance(corners, list):
        return f"expected a list of [x, y], found {_found(entry, 'polygon')}"
    for number, corner in enumerate(corners, 1):
        if not (isinstance(corner, list) and len(corner) == 2 and all(type(share) in (int, float) for share in corner)):
            return f"expected [x, y] in numbers, found {corner!r} at point {number}"
    return polygon_problem(_points(corners))


def _points(corners: list[list[float]]) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in corners)


def _found(entry: dict[str, Any], name: str) -> str:
    return repr(entry[name]) if name in entry else "none"
