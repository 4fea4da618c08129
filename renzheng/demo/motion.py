"""How people move: from an act of the script to a pose at a moment.

Pure functions of time, so that any frame can be drawn alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sin

from renzheng.demo.painting import PICTURE_WH
from renzheng.demo.town import PEOPLE, Act

WALK_S = 1.5
OFF_LEFT_X, OFF_RIGHT_X = -330.0, PICTURE_WH[0] + 330.0
TURN_S = 0.45
WALKING_YAW_DEG = 10.0


@dataclass(frozen=True)
class Pose:
    """Where a person is in the picture; lengths in pixels, angles in degrees, yaw positive to the right."""

    x: float
    chin_y: float
    size: float
    yaw_deg: float
    roll_deg: float
    nod_px: float


def smooth(share: float) -> float:
    """0 to 1 with a soft start and end; clamps outside."""
    t = min(1.0, max(0.0, share))
    return t * t * (3 - 2 * t)


def _edge(side: str, x: float) -> float:
    return {"left": OFF_LEFT_X, "right": OFF_RIGHT_X, "there": x}[side]


def _walk(act: Act, t_s: float) -> tuple[float, float]:
    """(x, direction of walking in −1…1) of an act at a moment."""
    start, end = _edge(act.come_from, act.x), _edge(act.go_to, act.x)
    if t_s < act.enter_s + WALK_S and start != act.x:
        share = smooth((t_s - act.enter_s) / WALK_S)
        return start + (act.x - start) * share, 4 * share * (1 - share) * (1 if act.x > start else -1)
    if t_s > act.leave_s - WALK_S and end != act.x:
        share = smooth((t_s - act.leave_s + WALK_S) / WALK_S)
        return act.x + (end - act.x) * share, 4 * share * (1 - share) * (1 if end > act.x else -1)
    return act.x, 0.0


def moves_fast(act: Act, t_s: float) -> bool:
    """Whether the person walks or turns the head at a moment, rather than merely standing there."""
    arriving = act.come_from != "there" and 0 <= t_s - act.enter_s < WALK_S
    leaving = act.go_to != "there" and 0 <= act.leave_s - t_s < WALK_S
    return (
        arriving or leaving or any(0 <= t_s - at < TURN_S for look in act.looks for at in (look.from_s, look.until_s))
    )


def pose_at(act: Act, t_s: float) -> Pose | None:
    """The pose of an act ``t_s`` seconds into its session; ``None`` while the person is not there."""
    if not act.enter_s <= t_s < act.leave_s:
        return None
    person = PEOPLE[act.who]
    phase = sum(map(ord, act.who)) * 0.37 + act.enter_s
    x, walking = _walk(act, t_s)
    sway = 5 * sin(0.9 * t_s + phase) + 2.5 * sin(2.3 * t_s + 2 * phase)
    step = 7 * abs(sin(2 * pi * t_s * 1.1)) * abs(walking)
    yaw = 1 + 2.5 * sin(0.7 * t_s + phase) + 1.5 * sin(1.9 * t_s + phase) + WALKING_YAW_DEG * walking
    for look in act.looks:
        yaw += (look.yaw_deg - yaw) * (smooth((t_s - look.from_s) / TURN_S) - smooth((t_s - look.until_s) / TURN_S))
    return Pose(
        x=x + sway,
        chin_y=person.chin_y + step + 1.5 * sin(1.3 * t_s + phase),
        size=person.size,
        yaw_deg=yaw,
        roll_deg=1.6 * sin(0.8 * t_s + 1.7 * phase) + 0.05 * yaw,
        nod_px=2.0 * sin(1.1 * t_s + 0.5 * phase),
    )
