"""A recorder at work in a thread of the test, and cameras on HTTP that misbehave."""

from __future__ import annotations

import base64
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av

from edge_agent.agent_clock import AgentClock, WallClock
from edge_agent.edge_config import CameraConfig, KeepConfig
from edge_agent.footage import TimeWindow
from edge_agent.recorder.recorder import Recorder
from edge_agent.recording_probe import RecordedFile
from edge_agent.ring.index import CameraStatus, Gap, SegmentIndex
from edge_agent.ring.segment import Segment
from tests.edge_agent.numbered_video import shown_in

EVER = TimeWindow(0.0, 1e11)
KEEP = KeepConfig(min_free_gib=0.001)


def a_camera(url: str, **given: Any) -> CameraConfig:
    """A camera with short segments that is soon taken for stalled."""
    return CameraConfig(**({"id": "c1", "url": url, "segment_s": 1.0, "stall_after_s": 2.0} | given))


class Running:
    """A recorder that is running, and what its ring tells."""

    def __init__(self, camera: CameraConfig, folder: Path, clock: AgentClock, recordings: list[RecordedFile]) -> None:
        self.folder = folder
        self.index = SegmentIndex(folder)
        self.error: BaseException | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(camera, clock, recordings))
        self._thread.start()

    def _run(self, camera: CameraConfig, clock: AgentClock, recordings: list[RecordedFile]) -> None:
        try:
            with SegmentIndex(self.folder) as index:
                index.recover()
                Recorder(camera, KEEP, clock, index, recordings).run(self._over.is_set)
        except BaseException as error:
            self.error = error

    def status(self) -> CameraStatus:
        """The camera's state; the recorder is waited for."""
        self.until(lambda: self.index.status() is not None)
        status = self.index.status()
        assert status is not None
        return status

    def until(self, condition: Callable[[], bool], within_s: float = 15.0) -> None:
        """Wait for something to become true."""
        end = time.monotonic() + within_s
        while not condition():
            assert self.error is None, self.error
            assert time.monotonic() < end, f"waited in vain: {self.index.status()} {self.segments()}"
            time.sleep(0.05)

    def until_state(self, state: str, within_s: float = 15.0) -> CameraStatus:
        """Wait for a state of the camera."""
        self.until(lambda: self.status().state == state, within_s)
        return self.status()

    def until_recorded(self, packets: int, within_s: float = 15.0) -> CameraStatus:
        """Wait until so many packets are recorded."""
        self.until(lambda: self.status().packets >= packets, within_s)
        return self.status()

    def segments(self) -> list[Segment]:
        """Segments of the ring."""
        return self.index.segments()

    def gaps(self) -> list[Gap]:
        """Gaps that were noted."""
        return self.index.gaps(EVER)

    def numbers(self) -> list[int]:
        """Numbers of all recorded pictures in order."""
        return [number for s in self.segments() if s.packets for number in shown_in(self.folder / s.name)]

    def stop(self) -> None:
        """Have the recorder finish."""
        self._over.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        assert self.error is None, self.error


@contextmanager
def recording(
    camera: CameraConfig, folder: Path, clock: AgentClock | None = None, recordings: list[RecordedFile] | None = None
) -> Iterator[Running]:
    """A recorder of ``camera`` at work."""
    running = Running(camera, folder, clock or WallClock(), recordings or [])
    try:
        yield running
    finally:
        running.stop()
        running.index.close()


Chunks = list[tuple[float, bytes]]
"""What a camera sends: seconds after the connection was made, and bytes."""


def mpeg_ts(video: Path, first_s: float = 0.0) -> Chunks:
    """A video as live MPEG-TS; its time stamps begin at ``first_s``."""
    buffer, chunks = io.BytesIO(), []
    with av.open(str(video)) as opened, av.open(buffer, "w", format="mpegts") as container:
        source = opened.streams.video[0]
        stream = container.add_stream_from_template(source)
        for packet in opened.demux(source):
            if packet.size and packet.pts is not None and packet.dts is not None:
                due_s = float(packet.pts * packet.time_base)
                ticks = round(first_s / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + ticks, packet.dts + ticks, stream
                container.mux_one(packet)
                chunks.append((due_s, buffer.getvalue()))
                buffer.seek(0)
                buffer.truncate()
        container.close()
        chunks.append((chunks[-1][0], buffer.getvalue()))
    return chunks


def motion_jpeg(video: Path) -> Chunks:
    """An MJPEG video as a camera's multipart answer."""
    chunks: Chunks = []
    with av.open(str(video)) as opened:
        for number, packet in enumerate(p for p in opened.demux(video=0) if p.size):
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {packet.size}\r\n\r\n"
            chunks.append((number * 0.04, head.encode() + bytes(packet) + b"\r\n"))
    return chunks


class HttpCamera:
    """A camera on a socket: each connection is sent the next of ``shows``, the last one ever after.

    ``login`` is the user and password it wants; ``hangs`` keeps a connection open when its show is over.
    """

    def __init__(self, *shows: Chunks, kind: str = "video/mp2t", login: str = "", hangs: bool = False) -> None:
        self.connections = 0
        self._shows = shows
        self._kind = kind
        self._login = login
        self._hangs = hangs
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def __enter__(self) -> HttpCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with suppress(OSError):
            socket.create_connection(self._listener.getsockname(), 1).close()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/stream?channel=1&token=hush"

    def _serve(self) -> None:
        while not self._over.is_set():
            connection, _ = self._listener.accept()
            thread = threading.Thread(target=self._answer, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(5)
            asked = b""
            while b"\r\n\r\n" not in asked:
                got = connection.recv(4096)
                if not got:
                    return
                asked += got
            wanted = b"Basic " + base64.b64encode(self._login.encode())
            if self._login and wanted not in asked:
                connection.sendall(
                    b'HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm="camera"\r\nContent-Length: 0\r\n\r\n'
                )
                return
            show = self._shows[min(self.connections, len(self._shows) - 1)]
            self.connections += 1
            connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Type: {self._kind}\r\n\r\n".encode())
            began = time.monotonic()
            for due_s, data in show:
                if self._over.wait(max(0.0, began + due_s - time.monotonic())):
                    return
                connection.sendall(data)
            if self._hangs:
                self._over.wait(60)
