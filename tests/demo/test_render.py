"""Pictures are the same every time, and the recordings are what a shop's recorder would have written."""

from __future__ import annotations

from datetime import datetime

import av
import numpy as np
import pytest

from renzheng.demo import people
from renzheng.demo.render import (
    FRAMES_PER_S,
    KEYFRAME_EVERY_S,
    affine,
    drawn_number,
    paste,
    piece_name,
    planes,
    render_piece,
)
from renzheng.demo.town import AFTERNOON, MORNING


def test_rendering_a_frame_twice_gives_the_same_bytes():
    for session, number in ((MORNING, 525), (AFTERNOON, 150)):
        assert planes(session, number).tobytes() == planes(session, number).tobytes()


def test_frames_differ_while_somebody_is_there_and_while_nobody_is():
    assert not np.array_equal(planes(MORNING, 550), planes(MORNING, 552))
    assert not np.array_equal(planes(MORNING, 1250), planes(MORNING, 1256))


def test_people_who_walk_move_in_every_frame_and_people_who_stand_in_every_other():
    assert [drawn_number(MORNING, n) for n in (20, 21, 200, 201)] == [20, 21, 200, 200]
    assert not np.array_equal(planes(MORNING, 20), planes(MORNING, 21))


def test_the_faulty_camera_shows_a_dark_picture():
    luma = planes(AFTERNOON, 175)[:1080]
    assert luma.mean() < 30


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    return render_piece(MORNING, 118.0, 121.0, tmp_path_factory.mktemp("piece"))


def test_a_piece_is_named_by_its_local_start(piece):
    assert piece.name == "20260501T090158+0800.mp4" == piece_name(MORNING, 118.0)


def test_a_piece_decodes_with_a_keyframe_every_two_seconds(piece):
    with av.open(str(piece)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (1920, 1080, FRAMES_PER_S)
        frames = [(frame.time, frame.key_frame) for frame in container.decode(stream)]
    assert [time for time, _ in frames] == pytest.approx([n / FRAMES_PER_S for n in range(75)])
    assert [time for time, key in frames if key] == [0.0, KEYFRAME_EVERY_S]


def test_a_piece_says_when_it_was_recorded(piece):
    with av.open(str(piece)) as container:
        created = datetime.fromisoformat(container.metadata["creation_time"])
    assert created == datetime.fromisoformat("2026-05-01T01:01:58Z")


def test_the_same_piece_is_encoded_to_the_same_bytes(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        render_piece(AFTERNOON, 12.4, 12.8, folder)
    name = piece_name(AFTERNOON, 12.4)
    assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_sprite_outside_the_picture_changes_nothing():
    picture = np.full((100, 200, 3), 7, np.uint8)
    sprite = np.full((20, 20, 4), 255, np.uint8)
    for to_xy in ((-50, 50), (300, 50), (50, 95)):
        paste(picture, sprite, affine((10, 0), to_xy, 1, 0), 90)
    assert (picture == 7).all()


def test_a_sprite_stops_at_the_counter():
    picture = np.zeros((100, 200, 3), np.uint8)
    paste(picture, np.full((20, 20, 4), 255, np.uint8), affine((10, 0), (50, 80), 1, 0), 90)
    assert picture[85, 50].tolist() == [255] * 3
    assert not picture[90:].any()


def test_turning_a_head_keeps_its_silhouette_and_moves_its_face():
    head = people.head("curly-hair")
    turned = people.turned(head, 10)
    assert np.array_equal(turned[..., 3], head[..., 3])
    assert np.abs(turned[..., :3].astype(int) - head[..., :3]).mean() > 3


def test_the_back_of_a_head_has_the_silhouette_of_the_head():
    back = people.back_of_head("curly-hair")
    assert np.array_equal(back[..., 3], people.head("curly-hair")[..., 3])
