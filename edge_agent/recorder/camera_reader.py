"""The thread that reads a camera, so that neither a silent camera nor a slow disk holds up the other.

Packets wait in a bounded queue. When it is full, a live camera's packets are dropped and counted, up to the next
keyframe, because those in between cannot be decoded without what was dropped; a recording waits.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass

from edge_agent.recorder.delivery import Delivery, PacketSource, SourceTrouble

_LOG = logging.getLogger(__name__)

MOST_WAITING = 500
"""Packets: 20 s of a camera, some 10 MB, for a disk that hangs."""

_LOOK_S = 0.2

OpenSource = Callable[[threading.Event], PacketSource]


@dataclass(frozen=True)
class Ended:
    """There are no more packets: for a reason, or because the camera is one that ends."""

    trouble: SourceTrouble | None


class CameraReader:
    """Opens one camera and reads it until it ends, breaks off, or :meth:`leave`."""

    def __init__(self, name: str, open_source: OpenSource) -> None:
        self.dropped = 0
        self._is_dropping = False
        self._open_source = open_source
        self._waiting: queue.Queue[Delivery] = queue.Queue(MOST_WAITING)
        self._stop = threading.Event()
        self._trouble: SourceTrouble | None = None
        self._thread = threading.Thread(target=self._run, name=f"reads {name}", daemon=True)
        self._thread.start()

    def next(self, timeout_s: float) -> Delivery | Ended | None:
        """The next packet; ``None`` when none came in time."""
        try:
            return self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            if self._thread.is_alive() or not self._waiting.empty():
                return None
            return Ended(self._trouble)

    def leave(self) -> None:
        """Stop reading; the thread ends as soon as its read returns."""
        self._stop.set()

    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            with closing(self._open_source(self._stop)) as source:
                self._read(source)
        except SourceTrouble as trouble:
            self._trouble = trouble
        except Exception as error:  # the edge of the thread; whatever a camera brings about, it is tried again
            _LOG.debug("unexpected error while reading", exc_info=True)
            self._trouble = SourceTrouble(f"cannot be read ({type(error).__name__})")

    def _read(self, source: PacketSource) -> None:
        put = self._put_patiently if source.can_wait else self._put_or_drop
        for delivery in source.packets():
            put(delivery)
            if self._stop.is_set():
                return

    def _put_patiently(self, delivery: Delivery) -> None:
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._waiting.put(delivery, timeout=_LOOK_S)
                return

    def _put_or_drop(self, delivery: Delivery) -> None:
        if not self._is_dropping or delivery.packet.is_keyframe:
            with suppress(queue.Full):
                self._waiting.put_nowait(delivery)
                self._is_dropping = False
                return
        self._is_dropping = True
        self.dropped += 1
