"""Where a camera's connection stands and when it is tried again: states and pauses, without a socket.

Times are seconds of the agent's steady clock (:meth:`edge_agent.agent_clock.AgentClock.steady_s`).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from renzheng.contracts.report import CameraState

_PAUSED = (CameraState.WAITING, CameraState.STALLED, CameraState.REFUSED)


@dataclass(frozen=True)
class Pauses:
    """How long to wait before a camera is tried again, seconds; each failure doubles the pause up to the longest.

    A camera that refuses us will hardly change its mind, and many lock an account after a few wrong passwords: it is
    asked seldom. ``jitter`` is the share by which a pause is varied, so that the cameras of a box, or the boxes of a
    city, do not all come back in the same second.
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    refused_first_s: float = 60.0
    refused_longest_s: float = 900.0
    jitter: float = 0.25
    forgiven_after_s: float = 30.0
    """A camera that was live this long begins with the first pause again; one that drops out at once does not."""


@dataclass(frozen=True)
class News:
    """What the log is told of a change; what it was told just before is for the curious only."""

    text: str
    is_trouble: bool = False
    is_repeat: bool = False


class Connection:
    """The state of one camera's connection.

    connecting → live → stalled or waiting → connecting …; refused where the camera wants another password or sends
    what cannot be recorded; stopped at its end. ``draw`` gives numbers from 0 to 1 for the jitter.
    """

    def __init__(
        self,
        *,
        stall_after_s: float,
        connect_within_s: float,
        pauses: Pauses | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.state = CameraState.CONNECTING
        self.reconnects = 0
        self.last_error = ""
        self._stall_after_s = stall_after_s
        self._connect_within_s = connect_within_s
        self._pauses = pauses or Pauses()
        self._draw = draw
        self._failures = 0
        self._was_live = False
        self._is_live_told = False
        self._changed_s = 0.0
        self._received_s = 0.0
        self._retry_s: float | None = None
        self._idle = True

    def is_due(self, now_s: float) -> bool:
        """Whether the camera is to be opened now."""
        if self.state in _PAUSED:
            return self._retry_s is not None and now_s >= self._retry_s
        return self.state is CameraState.CONNECTING and self._idle

    def opening(self, now_s: float) -> None:
        """The camera is being opened."""
        self._enter(CameraState.CONNECTING, now_s)
        self._idle = False

    def received(self, now_s: float) -> News | None:
        """A packet came that can be recorded. Tells when that makes the camera live."""
        self._received_s = now_s
        if self.state is CameraState.LIVE:
            return None
        self._enter(CameraState.LIVE, now_s)
        self.reconnects += self._was_live
        self._was_live = True
        text = f"is live, after: {self.last_error}" if self.last_error else "is live"
        is_repeat, self._is_live_told = self._is_live_told, True
        return News(text, is_repeat=is_repeat)

    def failed(self, now_s: float, why: str, *, refused: bool = False) -> News:
        """The camera could not be opened or its stream broke."""
        return self._pause(CameraState.REFUSED if refused else CameraState.WAITING, now_s, why)

    def overdue(self, now_s: float) -> News | None:
        """Notices a live camera that has sent nothing for too long, or one that does not get live. Ask often.

        What tells so has paused the connection already; the caller closes it.
        """
        if self.state is CameraState.LIVE and now_s - self._received_s >= self._stall_after_s:
            return self._pause(CameraState.STALLED, now_s, f"sent nothing to record for {self._stall_after_s:g} s")
        if self.state is CameraState.CONNECTING and not self._idle and self._is_slow(now_s):
            why = f"nothing that can be recorded came within {self._connect_within_s:g} s"
            return self._pause(CameraState.WAITING, now_s, why)
        return None

    def ended(self, now_s: float) -> None:
        """The camera has nothing more to give, as a recording has at its end; it is not tried again."""
        self._enter(CameraState.STOPPED, now_s)

    def _is_slow(self, now_s: float) -> bool:
        return now_s - self._changed_s >= self._connect_within_s

    def _pause(self, state: CameraState, now_s: float, why: str) -> News:
        if self.state is CameraState.LIVE and now_s - self._changed_s >= self._pauses.forgiven_after_s:
            self._failures = 0
            self.last_error = ""
        self._enter(state, now_s)
        self._retry_s = now_s + self._pause_s(state)
        self._failures += 1
        self._idle = True
        is_repeat, self.last_error = why == self.last_error, why
        self._is_live_told = self._is_live_told and is_repeat
        return News(why, is_trouble=True, is_repeat=is_repeat)

    def _pause_s(self, state: CameraState) -> float:
        pauses = self._pauses
        refused = state is CameraState.REFUSED
        first_s = pauses.refused_first_s if refused else pauses.first_s
        longest_s = pauses.refused_longest_s if refused else pauses.longest_s
        doubled_s: float = min(longest_s, first_s * 2 ** min(self._failures, 30))
        return doubled_s * (1 + pauses.jitter * (2 * self._draw() - 1))

    def _enter(self, state: CameraState, now_s: float) -> None:
        self.state = state
        self._changed_s = now_s
