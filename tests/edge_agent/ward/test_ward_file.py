"""``ward.toml`` is read, and every mistake in it is named."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_agent.ward.ward_file import Ward, read_ward
from renzheng.errors import BadInput

CAMERAS = ("ward-301", "counter")
BED = """
[[bed]]
id = "301-1"
camera = "ward-301"
polygon = [[0.1, 0.2], [0.5, 0.2], [0.5, 0.4], [0.1, 0.4]]
head = "right"
"""
HEAD = 'admissions = "admissions.csv"\n'


def read(folder: Path, text: str) -> Ward:
    path = folder / "ward.toml"
    path.write_text(text, encoding="utf-8")
    return read_ward(path, CAMERAS)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(BadInput) as refused:
        read(folder, text)
    assert str(refused.value).startswith(str(folder / "ward.toml"))
    return str(refused.value)


def test_a_whole_file_reads_as_it_says(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((36, 64, 3), np.uint8)).save(tmp_path / "empty.png")
    rounds = """
window_s = 20
[rounds]
fixed = ["08:30", "15:00"]
surprise = { rounds = 2, start = "09:30", end = "20:30" }
night = { start = "22:00", end = "05:30" }
"""
    bed = BED + 'empty_pictures = ["empty.png"]\n'
    ward = read(
        tmp_path, HEAD + rounds + bed + BED.replace("301-1", "3 床").replace('"right"', "225").replace("0.2]", "0.6]")
    )
    assert ward.admissions == tmp_path / "admissions.csv"
    assert ward.window_s == 20
    assert ward.rounds.fixed == (time(8, 30), time(15))
    assert ward.rounds.surprise and ward.rounds.surprise.rounds == 2
    assert ward.rounds.night and (ward.rounds.night.rounds, ward.rounds.night.end) == (1, time(5, 30))
    first, second = ward.beds
    assert (first.bed_id, first.camera_id, first.head) == ("301-1", "ward-301", 90.0)
    assert first.empty_pictures == (tmp_path / "empty.png",)
    assert (second.bed_id, second.head) == ("3 床", 225.0)
    assert ward.bed_named("3 床") is second


@pytest.mark.parametrize(
    ("head", "degrees"), [('"up"', 0), ('"right"', 90), ('"down"', 180), ('"left"', 270), ("360", 0), ("12.5", 12.5)]
)
def test_the_head_points_where_a_word_or_degrees_say(tmp_path: Path, head: str, degrees: float) -> None:
    assert read(tmp_path, HEAD + BED.replace('"right"', head)).beds[0].head == degrees


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BED, "admissions: Field required"),
        (HEAD, "bed: Field required"),
        (HEAD + BED.replace('"right"', '"east"'), "bed 1 head: expected up, right, down, left, or degrees"),
        (HEAD + BED.replace('"right"', "-4"), "bed 1 head: expected"),
        (HEAD + BED.replace('"right"', "true"), "bed 1 head: expected"),
        (HEAD + BED.replace('head = "right"', ""), "bed 1 head: Field required"),
        (HEAD + BED.replace("[0.5, 0.2], ", "").replace("[0.5, 0.4], ", ""), "expected at least 3 points, found 2"),
        (HEAD + BED.replace("0.5, 0.4", "5, 4"), "expected shares of the picture"),
        (HEAD + BED.replace("ward-301", "ward-302"), "bed 301-1, camera: expected one of ward-301, counter"),
        (HEAD + BED + BED, "bed 301-1: is there more than once"),
        (HEAD + BED + BED.replace("301-1", "2").replace("0.2]", "0.39]").replace("0.4]", "0.6]"),
         "beds 301-1 and 2, polygon: expected outlines drawn apart on ward-301, found that they share 5% of the small"),
        (HEAD + BED + 'colour = "red"', "bed 1 colour: Extra inputs are not permitted"),
        (HEAD + BED + 'empty_pictures = ["no.jpg"]', "empty_pictures: "),
        (HEAD + "window_s = 1\n" + BED, "window_s: "),
        (HEAD + '[rounds]\nfixed = [8]\n' + BED, 'rounds fixed 1: expected a time of day such as "08:30", found 8'),
        (HEAD + '[rounds]\nfixed = ["8 o clock"]\n' + BED, "rounds fixed 1: "),
        (HEAD + '[rounds]\nnight = { start = "22:00", end = "22:00" }\n' + BED, "rounds, night: expected a start and"),
        (HEAD + '[rounds]\nsurprise = { rounds = -1, start = "22:00", end = "23:00" }\n' + BED, "rounds surprise"),
        ("bed = ", "expected TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, HEAD + BED.replace("ward-301", "a") + BED.replace("301-1", "x").replace("ward-301", "b"))
    assert "bed 301-1, camera" in said
    assert "bed x, camera" in said


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"no picture")
    assert "empty.jpg" in refusal(tmp_path, HEAD + BED + 'empty_pictures = ["empty.jpg"]')


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_ward(tmp_path / "ward.toml", CAMERAS)
    with pytest.raises(BadInput, match="cannot be read"):
        read_ward(tmp_path, CAMERAS)
    (tmp_path / "ward.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="UTF-8"):
        read_ward(tmp_path / "ward.toml", CAMERAS)


def test_beds_that_touch_or_that_other_cameras_see_at_the_same_place_are_no_mistake(tmp_path: Path) -> None:
    touching = BED.replace("301-1", "2").replace("0.2]", "0.399]").replace("0.4]", "0.6]")
    elsewhere = BED.replace("301-1", "3").replace("ward-301", "counter")
    assert len(read(tmp_path, HEAD + BED + touching + elsewhere).beds) == 3
