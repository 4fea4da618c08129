"""What a source hands to the recorder, whatever the camera is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from av.packet import Packet
from av.video.stream import VideoStream

from edge_agent.agent_clock import LONGEST_NAP_S, AgentClock
from edge_agent.recorder.segment_file import StreamParameters
from edge_agent.recorder.stream_clock import Arrival
from edge_agent.recording_probe import packet_pts
from renzheng.errors import RenzhengError


class SourceTrouble(RenzhengError):
    """A camera that cannot be opened or read. ``refused``: trying again soon is no use."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True)
class Delivery:
    """One packet: what it is read with, when it came and, of recordings alone, when its picture was taken."""

    packet: Packet[VideoStream]
    parameters: StreamParameters
    arrival: Arrival
    time_s: float | None = None

    @property
    def shown_s(self) -> float:
        """Presentation time on the camera's clock, seconds."""
        pts = packet_pts(self.packet)
        if pts is None:
            raise ValueError("Delivery: expected a packet with a time stamp")
        return float(pts * self.packet.time_base)

    @property
    def order_s(self) -> float | None:
        """Decoding time on the camera's clock, seconds; ``None`` where the stream does not tell it."""
        return None if self.packet.dts is None else float(self.packet.dts * self.packet.time_base)


class PacketSource(Protocol):
    """An opened camera. ``can_wait`` says that it can be held up without losing packets."""

    can_wait: bool

    def packets(self) -> Iterator[Delivery]:
        """Packets with time stamps as they come, up to the end of a camera that has one.

        Raises :class:`SourceTrouble` when the camera breaks off.
        """
        ...

    def close(self) -> None:
        """Leave the camera."""
        ...


def arrival_now(clock: AgentClock) -> Arrival:
    """This moment on both clocks."""
    return Arrival(clock.steady_s(), clock.now_s())


def wait_for_clock(clock: AgentClock, left_s: float, stop: threading.Event) -> None:
    """Sleep about ``left_s`` of the clock's seconds, but not so long as to miss that it was set."""
    stop.wait(clock.real_s(min(left_s, LONGEST_NAP_S)))
