"""Small real videos in which every picture carries its number, so that a test can tell which one it got."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from edge_agent.footage import Footage, Stretch, TimeWindow
from edge_agent.recorded import RecordedTimeline, open_recording
from renzheng.clock import SHANGHAI, to_seconds
from vision.types import BgrImage

WH = (320, 180)
FPS = 25
BITS = 8
_TICK = Fraction(1, 1000)
_X264 = "scenecut=0:threads=1"


@dataclass(frozen=True)
class Recipe:
    """How a numbered video is made; times are in milliseconds."""

    frames: int = 100
    codec: str = "libx264"
    pixels: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: x264(25))
    container: dict[str, str] = field(default_factory=dict)
    shown_ms: Sequence[int] | None = None
    rotation: int = 0
    first_number: int = 0
    wh: tuple[int, int] = WH
    tick: Fraction = _TICK


def x264(keyint: int, more: str = "bframes=2:b-pyramid=none") -> dict[str, str]:
    """Encoder options with a keyframe every ``keyint`` pictures and nowhere else."""
    return {"x264-params": f"keyint={keyint}:min-keyint={keyint}:{_X264}:{more}"}


def x265(keyint: int, more: str = "bframes=2") -> dict[str, str]:
    """The same for H.265."""
    return {"x265-params": f"keyint={keyint}:min-keyint={keyint}:scenecut=0:pools=1:log-level=0:{more}"}


def numbered_picture(number: int, wh: tuple[int, int] = WH) -> BgrImage:
    """Grey texture that moves, over eight black or white blocks: the bits of the number, highest first."""
    width, height = wh
    ys, xs = np.mgrid[0:height, 0:width]
    texture = 128 + 60 * np.sin((xs + 3 * number) / 9.0) * np.cos(ys / 7.0)
    picture = np.repeat(texture[:, :, None], 3, axis=2)
    block = width // BITS
    for bit in range(BITS):
        picture[height // 2 :, bit * block : (bit + 1) * block] = 255 if number >> (BITS - 1 - bit) & 1 else 0
    return picture.astype(np.uint8)


def read_number(image_bgr: BgrImage) -> int:
    """The number that a picture carries, after any loss in coding and scaling."""
    height, width = image_bgr.shape[:2]
    strip = image_bgr[height * 5 // 8 : height * 7 // 8].mean(axis=(0, 2))
    block = width / BITS
    bits = [strip[int((bit + 0.3) * block) : int((bit + 0.7) * block)].mean() > 127 for bit in range(BITS)]
    return sum(1 << (BITS - 1 - bit) for bit, is_set in enumerate(bits) if is_set)


def write_video(path: Path, recipe: Recipe | None = None) -> Path:
    """Encode numbered pictures into ``path``; the container is chosen by its suffix."""
    recipe = recipe or Recipe()
    shown_ms = recipe.shown_ms or [number * 1000 // FPS for number in range(recipe.frames)]
    with av.open(str(path), "w", container_options=recipe.container) as container:
        stream = container.add_stream(recipe.codec, rate=FPS, options=recipe.options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = recipe.wh
        stream.pix_fmt = recipe.pixels
        stream.codec_context.time_base = recipe.tick
        if recipe.rotation:
            stream.set_display_rotation(recipe.rotation)
        for number, milliseconds in enumerate(shown_ms):
            picture = numbered_picture((recipe.first_number + number) % (1 << BITS), recipe.wh)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=recipe.pixels)
            frame.pts, frame.time_base = int(Fraction(milliseconds, 1000) / recipe.tick), recipe.tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """A container with sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        assert isinstance(stream, av.AudioStream)
        for number in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def damage_packet(path: Path, number: int) -> None:
    """Overwrite the second half of one packet's data in the file with noise."""
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    position, size = packets[number]
    assert position is not None
    data = bytearray(path.read_bytes())
    data[position + size // 2 : position + size] = np.random.default_rng(3).bytes(size - size // 2)
    path.write_bytes(data)


def drop_packet(source: Path, target: Path, number: int) -> Path:
    """Copy a video without one of its packets, as a recorder does that lost it on the network."""
    with av.open(str(source)) as opened, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(opened.streams.video[0], opaque=True)
        for count, packet in enumerate(opened.demux(video=0)):
            if packet.size and count != number:
                packet.stream = stream
                container.mux_one(packet)
    return target


START = datetime(2026, 5, 1, 9, tzinfo=SHANGHAI)
START_S = to_seconds(START)
GRID = [(tenths / 5, tenths * 5) for tenths in range(20)]
"""Seconds and numbers of the pictures to look at in a plain four-second recording."""


def within(from_s: float, to_s: float) -> TimeWindow:
    """A window in seconds after ``START``."""
    return TimeWindow(START_S + from_s, START_S + to_s)


def looked_at(
    footage: Footage,
    window: TimeWindow,
    damage: list[str] | None = None,
    order: Callable[[list[Stretch]], list[Stretch]] = list,
) -> list[tuple[float, int]]:
    """Seconds after the start and picture number of each frame, sorted by time."""
    told = damage if damage is not None else []
    frames = [f for s in order(footage.stretches(window)) for f in footage.look(s, window, told.append)]
    if damage is None:
        assert not told
    return sorted((round(frame.time_s - START_S, 3), read_number(frame.reduced_bgr)) for frame in frames)


def timeline(path: Path, start: datetime = START) -> RecordedTimeline:
    """One recording as a timeline."""
    return RecordedTimeline([open_recording(path, start)])


def shown_in(path: Path) -> list[int]:
    """Numbers of all pictures of a video, in order."""
    with av.open(str(path)) as container:
        return [read_number(np.asarray(f.to_ndarray(format="bgr24"), np.uint8)) for f in container.decode(video=0)]


def hide_beginning(source: Path, target: Path, hidden_ms: int) -> Path:
    """Copy a video with an edit list that begins in the middle of a group of pictures."""
    with (
        av.open(str(source)) as opened,
        av.open(str(target), "w", container_options={"avoid_negative_ts": "disabled"}) as container,
    ):
        stream = container.add_stream_from_template(opened.streams.video[0], opaque=True)
        for packet in opened.demux(video=0):
            if packet.size and packet.pts is not None and packet.dts is not None:
                ticks = round(Fraction(hidden_ms, 1000) / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - ticks, packet.dts - ticks, stream
                container.mux_one(packet)
    return target
