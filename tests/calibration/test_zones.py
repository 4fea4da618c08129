"""The file zones are read from."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.zones import read_zones
from renzheng.errors import BadInput
from vision.zones import ZoneKind

GOOD = """
[[zone]]
kind = "counter"
name = "一号柜台"
polygon = [[0.1, 0.4], [0.9, 0.4], [0.9, 1], [0.1, 1.0]]

[[zone]]
kind = "private"
name = "door"
polygon = [[0, 0], [0.1, 0], [0, 0.1]]
"""


def written(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "zones.toml"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_zones_are_read_in_order(tmp_path: Path, encoding: str) -> None:
    zones = read_zones(written(tmp_path, GOOD, encoding))

    assert [(zone.kind, zone.name) for zone in zones.zones] == [
        (ZoneKind.COUNTER, "一号柜台"),
        (ZoneKind.PRIVATE, "door"),
    ]
    assert zones.zones[1].polygon == ((0.0, 0.0), (0.1, 0.0), (0.0, 0.1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"expected at least one \[\[zone\]\] table, found none"),
        ("zone = 3", r"expected at least one \[\[zone\]\] table"),
        ("zone = [3]", "zone 1, zone: expected a table, found 3"),
        ("[[zones]]\nkind = 'staff'", r"expected \[\[zone\]\] tables only, found zones"),
        ("[[zone]\n", "not TOML: .*line 1"),
        (GOOD.replace('"counter"', '"till"'), 'zone 1 "一号柜台", kind: expected counter, staff, private, found'),
        (GOOD.replace('name = "door"', ""), "zone 2, name: expected a name, found none"),
        (GOOD.replace("polygon = [[0, 0]", "polgon = [[0, 0]"), 'zone 2 "door", polgon: unknown; expected kind, name'),
        (GOOD.replace(", [0.1, 0], [0, 0.1]]", "]"), 'zone 2 "door", polygon: expected at least 3 points, found 1'),
        (GOOD.replace("[0.9, 1]", "[900, 1]"), r"polygon: expected shares of the picture from 0 to 1, found \[900, "),
        (GOOD.replace("[0.9, 1]", "[true, 1]"), r"polygon: expected \[x, y\] in numbers, found \[True, 1\] at point 3"),
        (GOOD.replace("[0.9, 1]", "[1]"), r"polygon: expected \[x, y\] in numbers, found \[1\] at point 3"),
        (GOOD.replace("[[0.1, 0.4], [0.9, 0.4]", "[[0.9, 0.4], [0.1, 0.4]"), "sides 2 and 4 crossing"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_zone_and_field(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(BadInput, match=message) as told:
        read_zones(path)

    assert str(told.value).startswith(str(path))


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"zone 1, kind: .*zone 1, name: .*zone 1, polygon: .*zone 2, kind: "):
        read_zones(written(tmp_path, "[[zone]]\n[[zone]]\n"))


def test_a_missing_file_a_folder_and_other_encodings_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_zones(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="cannot be read"):
        read_zones(tmp_path)
    with pytest.raises(BadInput, match="not UTF-8 text: byte offset 37"):
        read_zones(written(tmp_path, GOOD, "gb18030"))
