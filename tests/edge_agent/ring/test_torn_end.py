"""The torn end of a segment whose recorder was killed while it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.ring.torn_end import cut_torn_end
from tests.edge_agent.numbered_video import START_S, shown_in
from tests.edge_agent.ring.recording import record


@pytest.fixture
def segment(plain: Path, tmp_path: Path) -> Path:
    """The first segment of a ring, as the recorder left it while it was still writing."""
    with record(plain, tmp_path / "ring", START_S, close=False) as index:
        return index.folder / index.segments()[-1].name


def fragments(data: bytes) -> list[int]:
    """Where each fragment begins."""
    starts, at = [], 0
    while at < len(data):
        if data[at + 4 : at + 8] == b"moof":
            starts.append(at)
        at += int.from_bytes(data[at : at + 4], "big")
    return starts


def test_a_segment_shows_all_its_whole_pictures_wherever_its_last_was_torn(segment: Path, tmp_path: Path) -> None:
    data, pictures = segment.read_bytes(), shown_in(segment)
    before, last = fragments(data)[-2:]
    torn = tmp_path / "torn.mp4"
    for end in range(before + 1, last):
        torn.write_bytes(data[:end])
        cut_torn_end(torn)
        assert torn.stat().st_size == before
    assert shown_in(torn) == pictures[:-2]


def test_a_fragment_without_its_picture_goes_as_a_whole(segment: Path, tmp_path: Path) -> None:
    data = segment.read_bytes()
    last = fragments(data)[-1]
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(data[: last + int.from_bytes(data[last : last + 4], "big")])
    cut_torn_end(torn)
    assert torn.stat().st_size == last


def test_a_whole_segment_stays_as_it_is(segment: Path) -> None:
    before = segment.read_bytes()
    cut_torn_end(segment)
    assert segment.read_bytes() == before


@pytest.mark.parametrize("data", [b"", b"x", b"no video at all" * 9, b"\0" * 64])
def test_a_file_that_is_no_segment_stays_as_it_is(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.mp4"
    path.write_bytes(data)
    cut_torn_end(path)
    assert path.read_bytes() == data


def test_a_segment_damaged_in_its_middle_loses_nothing_after_it(segment: Path) -> None:
    data = bytearray(segment.read_bytes())
    middle = fragments(data)[len(fragments(data)) // 2]
    data[middle : middle + 8] = b"\0" * 8
    segment.write_bytes(data)
    cut_torn_end(segment)
    assert segment.stat().st_size == len(data)
