"""The invented town: who lives there and what happens at the counter, as data. Every name and number is made up.

Times of a session are seconds from its start. A swipe is looked at from 6 s before it to 4 s after it, so every scene
is given 14 s with its swipe in the middle, and its people come and go inside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from renzheng.clock import SHANGHAI
from renzheng.contracts import Verdict, Words

DEMO_VERSION = 3
"""Raised whenever the script or the drawing changes, so that footage in the cache is rendered anew."""

BEFORE_S, AFTER_S = 6.0, 4.0
INSTITUTION, TERMINAL = "P33028100001", "T01"

Facing = Literal["camera", "away"]
Fault = Literal["dark_and_blurred"]


@dataclass(frozen=True)
class Person:
    """Somebody of the town: which cut-out, what they wear, their enrolment number and how tall they are."""

    cutout: str
    garment: str
    psn_no: str
    name: str
    size: float = 0.9
    chin_y: float = 490.0


PEOPLE: dict[str, Person] = {
    "zhou": Person("curly-hair", "blue-shirt", "33028100000000000011", "周启明", 0.92, 478),
    "lin": Person("long-hair", "red-blouse", "33028100000000000027", "林素秋", 0.86, 508),
    "qian": Person("bob", "teal-blouse", "33028100000000000034", "钱玉兰", 0.86, 512),
    "shen": Person("short-hair", "olive-jacket", "33028100000000000048", "沈志远", 0.94, 472),
    "wu": Person("quiff", "dark-jacket", "33028100000000000055", "吴海生", 0.92, 470),
    "clerk": Person("pinned-hair", "white-coat", "S001", "店员", 0.88, 502),
    "stranger": Person("curly-hair", "grey-jacket", "", "", 0.92, 480),
}
ENROLLED = ("zhou", "lin", "qian", "shen")
UNKNOWN_PSN_NO = "33028100000000000099"


@dataclass(frozen=True)
class Look:
    """A turn of the head between two moments; positive to the right of the picture."""

    from_s: float
    until_s: float
    yaw_deg: float


@dataclass(frozen=True)
class Act:
    """One person in the picture: comes in from a side, stands at ``x``, leaves by a side. Faces the camera or not."""

    who: str
    enter_s: float
    leave_s: float
    x: float
    come_from: Literal["left", "right", "there"] = "left"
    go_to: Literal["left", "right", "there"] = "left"
    facing: Facing = "camera"
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True)
class SwipeScene:
    """A swipe, whose card it is, and the truth about it."""

    at_s: int
    card: str
    verdict: Verdict
    what: Words


@dataclass(frozen=True)
class Session:
    """A stretch of recording: its start, where it is cut into files, who acts, what is swiped, what ails the camera."""

    start: datetime
    cuts_s: tuple[float, ...]
    acts: tuple[Act, ...]
    swipes: tuple[SwipeScene, ...]
    faults: tuple[tuple[float, float, Fault], ...] = ()

    @property
    def length_s(self) -> float:
        """Seconds of recording."""
        return self.cuts_s[-1]

    def pieces(self) -> list[tuple[float, float]]:
        """(from, until) of each file, seconds."""
        return list(zip((0.0, *self.cuts_s[:-1]), self.cuts_s, strict=True))


CLERK_X, CLERK_AT_COUNTER_X = 1560.0, 800.0

MORNING = Session(
    start=datetime(2026, 5, 1, 9, 0, 0, tzinfo=SHANGHAI),
    cuts_s=(121.0, 130.0),
    acts=(
        Act("clerk", 0.0, 41.0, CLERK_X, "there", "right"),
        Act("zhou", 0.4, 12.2, 420),
        Act("lin", 14.2, 26.4, 800, looks=(Look(17.4, 19.4, 16), Look(20.4, 22.6, -24), Look(23.4, 24.6, 12))),
        Act("shen", 28.2, 40.2, 560),
        Act("clerk", 55.6, 85.8, CLERK_X, "right", "right"),
        Act("qian", 64.4, 71.6, 660),
        Act("shen", 72.6, 84.6, 340),
        Act("stranger", 87.6, 96.6, 720, facing="away"),
        Act("clerk", 99.0, 130.0, CLERK_X, "right", "there"),
        Act("wu", 101.0, 112.4, 1000),
        Act("qian", 114.2, 127.6, 520, looks=(Look(122.0, 123.4, 12),)),
        Act("shen", 114.9, 128.0, 980),
    ),
    swipes=(
        SwipeScene(7, "zhou", Verdict.MATCH, Words("本人到柜台刷卡", "the holder stands at the counter")),
        SwipeScene(21, "lin", Verdict.MATCH, Words("本人刷卡，其间转头", "the holder, turning her head")),
        SwipeScene(35, "lin", Verdict.PROXY_MATCH, Words("登记的代办人代为刷卡", "her approved agent comes for her")),
        SwipeScene(50, "qian", Verdict.HOLDER_ABSENT, Words("柜台前后均无人", "nobody at the counter or behind it")),
        SwipeScene(64, "qian", Verdict.MATCH, Words("刷卡时本人刚走到", "the holder walks in just at the swipe")),
        SwipeScene(79, "zhou", Verdict.MISMATCH, Words("他人持周启明的卡", "somebody else uses the holder's card")),
        SwipeScene(
            92, "qian", Verdict.NOT_ASSESSABLE, Words("顾客始终背对镜头", "a customer with the back to the camera")
        ),
        SwipeScene(107, "", Verdict.NOT_ENROLLED, Words("人员编号未建档", "nobody is enrolled under this number")),
        SwipeScene(
            121, "qian", Verdict.MATCH, Words("本人与同伴，跨两段录像", "the holder and a companion, across two files")
        ),
    ),
)

NOON = SwipeScene(0, "zhou", Verdict.NOT_ASSESSABLE, Words("午间没有录像", "no recording over noon"))
NOON_AT = datetime(2026, 5, 1, 12, 10, 0, tzinfo=SHANGHAI)

AFTERNOON = Session(
    start=datetime(2026, 5, 1, 14, 0, 0, tzinfo=SHANGHAI),
    cuts_s=(86.0,),
    acts=(
        Act("zhou", 1.4, 12.2, 600),
        Act("clerk", 0.0, 12.6, CLERK_X, "there", "there"),
        Act("clerk", 12.6, 67.0, CLERK_AT_COUNTER_X, "right", "right"),
        Act("shen", 70.6, 84.0, 620),
        Act("clerk", 69.0, 86.0, CLERK_X, "right", "there"),
    ),
    swipes=(
        SwipeScene(7, "zhou", Verdict.NOT_ASSESSABLE, Words("画面黑暗且失焦", "the picture is dark and out of focus")),
        SwipeScene(
            22, "zhou", Verdict.STAFF_ONLY, Words("店员刷第一张留存卡", "the clerk swipes a first retained card")
        ),
        SwipeScene(
            34, "lin", Verdict.STAFF_ONLY, Words("店员刷第二张留存卡", "the clerk swipes a second retained card")
        ),
        SwipeScene(
            46, "qian", Verdict.STAFF_ONLY, Words("店员刷第三张留存卡", "the clerk swipes a third retained card")
        ),
        SwipeScene(
            58, "shen", Verdict.STAFF_ONLY, Words("店员刷第四张留存卡", "the clerk swipes a fourth retained card")
        ),
        SwipeScene(77, "shen", Verdict.MATCH, Words("代办人刷自己的卡", "the agent comes with his own card")),
    ),
    faults=((0.0, 12.6, "dark_and_blurred"),),
)

SESSIONS = (MORNING, AFTERNOON)
AGENTS = (("lin", "shen", "2026-01-01", "2026-12-31"),)
COUNTER_ZONE = ((0.0, 0.08), (0.68, 0.08), (0.68, 0.76), (0.0, 0.76))
STAFF_ZONE = ((0.70, 0.08), (1.0, 0.08), (1.0, 0.76), (0.70, 0.76))


@dataclass(frozen=True)
class TruthRow:
    """One swipe of the town with the truth about it."""

    setl_id: str
    psn_no: str
    psn_name: str
    swiped_at: datetime
    verdict: Verdict
    what: Words


def truth() -> list[TruthRow]:
    """Every swipe in order of time, numbered."""
    moments = [(s.start + timedelta(seconds=scene.at_s), scene) for s in SESSIONS for scene in s.swipes]
    moments = sorted([*moments, (NOON_AT, NOON)], key=lambda pair: pair[0])
    return [
        TruthRow(
            setl_id=f"3302812026050100{number:04d}",
            psn_no=PEOPLE[scene.card].psn_no if scene.card else UNKNOWN_PSN_NO,
            psn_name=PEOPLE[scene.card].name if scene.card else "郑无名",
            swiped_at=moment,
            verdict=scene.verdict,
            what=scene.what,
        )
        for number, (moment, scene) in enumerate(moments, start=1)
    ]
