"""Cameras on the network and on USB as packets. Nothing is decoded.

What a camera is called in messages never holds its user, its password or what else its URL asks for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote, urlsplit

import av
from av.container import InputContainer
from av.error import EOFError as StreamEnded
from av.error import (
    ExitError,
    FFmpegError,
    HTTPForbiddenError,
    HTTPNotFoundError,
    HTTPUnauthorizedError,
    InvalidDataError,
)
from av.packet import Packet
from av.video.stream import VideoStream

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import CameraConfig, secret_of
from edge_agent.recorder.delivery import Delivery, PacketSource, SourceTrouble, arrival_now
from edge_agent.recorder.file_sources import FileCamera
from edge_agent.recorder.parameters import ParameterWatch
from edge_agent.recorder.stream_clock import Arrival
from edge_agent.recording_probe import packet_pts
from renzheng.errors import BadInput

__all__ = ["OPEN_WITHIN_S", "LiveCamera", "PacketSource", "SourceTrouble", "open_source", "shown_url", "url_with_login"]

OPEN_WITHIN_S = 15.0
"""Time a camera has to answer and to send enough for its stream to be understood."""

_READ_SLACK_S = 2.0
"""The recorder notices a silent camera at ``stall_after_s``; this much later the read itself gives up."""

_UNDERSTAND_WITHIN_S = 3.0
"""So much of a stream is looked at before it is recorded; what it does not tell by then its first keyframe does."""

_RECORDABLE = ("h264", "hevc", "mjpeg", "mpeg4", "vp9", "av1")

_UNSTAMPED_FORMATS = ("mpjpeg", "mjpeg", "h264", "hevc")
"""Bare streams without time stamps: their pictures are stamped when they arrive."""

_ARRIVAL_TICK = Fraction(1, 90_000)
_MOST_UNSTAMPED = 250

_HTTP_OPTIONS = {
    "format_whitelist": "mpegts,mpjpeg,mjpeg,mov,matroska,flv,h264,hevc",  # no play lists: they name other addresses
    "protocol_whitelist": "http,https,httpproxy,tcp,tls,crypto",
}
_USB_FORMATS = ("h264", "mjpeg")


def open_source(camera: CameraConfig, clock: AgentClock, stop: threading.Event) -> PacketSource:
    """Open a camera; a file that stands in for one stops playing when ``stop`` is set. Raises :class:`SourceTrouble`.

    Network cameras have ``OPEN_WITHIN_S`` to begin and may be silent for a little more than ``stall_after_s``.
    """
    scheme = camera.url.split(":", 1)[0].lower()
    if scheme == "file":
        path = Path(camera.url[len("file:") :].removeprefix("//"))
        return FileCamera(path, clock, stop, loop=camera.loop)
    if scheme in ("rtsp", "rtsps", "http", "https"):
        return LiveCamera(camera, _open_network(camera, scheme), clock)
    if camera.url.startswith("/dev/"):
        return LiveCamera(camera, _open_usb(camera), clock)
    wanted = "rtsp://, http://, https://, a device such as /dev/video0, or file: and a path"
    raise SourceTrouble(f"{shown_url(camera.url)}: expected {wanted}", refused=True)


def shown_url(url: str) -> str:
    """What of a URL may be told: no user, no password, no query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{url.split(':', 1)[0]}:..."
    scheme = f"{parts.scheme}:" if parts.scheme else ""
    host = f"//{parts.hostname}{port}" if parts.hostname else ""
    return f"{scheme}{host}{parts.path}"


def url_with_login(url: str, username: str | None, password: str | None) -> str:
    """The URL with a login in it; one that it holds already gives way. Without a user it stays as it is."""
    if username is None:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    login = quote(username, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
    return parts._replace(netloc=f"{login}@{host}").geturl()


def _open_network(camera: CameraConfig, scheme: str) -> InputContainer:
    try:
        url = url_with_login(camera.url, camera.username, secret_of(camera.password_file))
    except BadInput as error:
        raise SourceTrouble(str(error), refused=True) from error
    except ValueError:
        raise SourceTrouble(f"{shown_url(camera.url)}: is not a URL", refused=True) from None
    if scheme.startswith("rtsp"):
        options = {"rtsp_transport": camera.transport, "allowed_media_types": "video"}
    else:
        options = dict(_HTTP_OPTIONS)
    read_s = camera.stall_after_s + _READ_SLACK_S
    options["analyzeduration"] = str(round(_UNDERSTAND_WITHIN_S * 1e6))
    options["timeout"] = str(round(max(OPEN_WITHIN_S, read_s) * 1e6))
    try:
        return av.open(url, container_options=options, metadata_errors="replace", timeout=(OPEN_WITHIN_S, read_s))
    except (FFmpegError, ValueError) as error:
        raise _trouble(camera, error) from None  # the error itself names the URL with its password


def _open_usb(camera: CameraConfig) -> InputContainer:
    failed: Exception | None = None
    for wanted in _USB_FORMATS:
        try:
            return av.open(camera.url, format="v4l2", container_options={"input_format": wanted})
        except (FFmpegError, ValueError) as error:
            failed = error
    assert failed is not None
    raise _trouble(camera, failed) from failed


def _trouble(camera: CameraConfig, error: Exception) -> SourceTrouble:
    """What went wrong, in words that hold nothing secret."""
    where = shown_url(camera.url)
    if isinstance(error, HTTPUnauthorizedError):
        return SourceTrouble(f"{where}: wants another username or password (401)", refused=True)
    if isinstance(error, HTTPForbiddenError):
        return SourceTrouble(f"{where}: does not let this user watch (403)", refused=True)
    if isinstance(error, HTTPNotFoundError):
        return SourceTrouble(f"{where}: has no stream of that name (404)")
    if isinstance(error, InvalidDataError):
        return SourceTrouble(f"{where}: sends nothing that can be read as video")
    if isinstance(error, ExitError | TimeoutError):
        return SourceTrouble(f"{where}: did not answer in time")
    if isinstance(error, StreamEnded):
        return SourceTrouble(f"{where}: closed the connection")
    if isinstance(error, OSError) and error.strerror:
        return SourceTrouble(f"{where}: {error.strerror[:1].lower()}{error.strerror[1:]}")
    return SourceTrouble(f"{where}: cannot be read ({type(error).__name__})")


class LiveCamera:
    """A camera whose packets come when they come. Raises :class:`SourceTrouble` when it sends no video we record."""

    can_wait = False

    def __init__(self, camera: CameraConfig, container: InputContainer, clock: AgentClock) -> None:
        self._camera = camera
        self._container = container
        self._clock = clock
        self._stamps_arrivals = container.format.name in _UNSTAMPED_FORMATS
        self._last_ticks = 0
        with ExitStack() as undo:
            undo.callback(container.close)
            self._stream = _moving_picture(camera, container)
            self._watch = ParameterWatch(self._stream)
            undo.pop_all()

    def close(self) -> None:
        """See :class:`edge_agent.recorder.delivery.PacketSource`."""
        with suppress(FFmpegError):
            self._container.close()

    def packets(self) -> Iterator[Delivery]:
        """See :class:`edge_agent.recorder.delivery.PacketSource`."""
        unstamped: list[Delivery] = []
        for packet in self._read():
            arrival = arrival_now(self._clock)
            if self._stamps_arrivals:
                self._stamp(packet, arrival)
            delivery = Delivery(packet, self._watch.of(packet), arrival)
            if packet_pts(packet) is None:
                unstamped = [*unstamped, delivery][-_MOST_UNSTAMPED:]
                continue
            if unstamped:
                _stamp_before(packet, unstamped, self._watch.parameters.frame_s)
                yield from unstamped
                unstamped = []
            yield delivery

    def _read(self) -> Iterator[Packet[VideoStream]]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                raise SourceTrouble(f"{shown_url(self._camera.url)}: closed the connection") from None
            except (FFmpegError, ValueError) as error:
                raise _trouble(self._camera, error) from None
            if packet.size:
                yield packet

    def _stamp(self, packet: Packet[VideoStream], arrival: Arrival) -> None:
        self._last_ticks = max(self._last_ticks + 1, round(arrival.steady_s / _ARRIVAL_TICK))
        packet.time_base = _ARRIVAL_TICK
        packet.pts = packet.dts = self._last_ticks


def _moving_picture(camera: CameraConfig, container: InputContainer) -> VideoStream:
    where = shown_url(camera.url)
    for stream in container.streams.video:
        if stream.codec_context is None:
            break
        if stream.codec_context.codec.name in _RECORDABLE:
            return stream
        codec = stream.codec_context.codec.name
        raise SourceTrouble(f"{where}: sends {codec}; expected H.264, H.265 or MJPEG", refused=True)
    raise SourceTrouble(f"{where}: sends no video that is known; expected H.264, H.265 or MJPEG", refused=True)


def _stamp_before(packet: Packet[VideoStream], unstamped: list[Delivery], frame_s: float) -> None:
    """Give the first packets of an RTSP connection the stamps they lack, counted back from the first that has one."""
    ticks = packet.dts if packet.dts is not None else packet.pts
    assert ticks is not None
    for delivery in reversed(unstamped):
        before = delivery.packet
        ticks -= before.duration or max(1, round(frame_s / before.time_base))
        before.pts = before.dts = ticks
