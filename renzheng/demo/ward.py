"""The invented ward: five beds at one morning round, who should lie in them and who does, as data.

The camera hangs under the ceiling; beds lie across its picture, their heads at the walls left and right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from renzheng.clock import SHANGHAI
from renzheng.contracts import BedVerdict, Words
from renzheng.demo.town import PEOPLE

HOSPITAL, WARD_CAMERA = "H33028100002", "ward-301"
ROUND_AT = datetime(2026, 5, 1, 10, 20, 0, tzinfo=SHANGHAI)
WINDOW_S = 12.0
START = ROUND_AT - timedelta(seconds=3)
LENGTH_S = 18.0
BED_WH = (780, 290)

How = Literal["lying", "covered", "nobody"]


@dataclass(frozen=True)
class WardBed:
    """A bed: where it is in the picture, who is admitted to it since when, who is in it, and the truth about it."""

    bed_id: str
    middle_xy: tuple[int, int]
    head: Literal["left", "right"]
    patient: str
    admitted: str
    who: str
    how: How
    verdict: BedVerdict
    what: Words

    @property
    def polygon(self) -> tuple[tuple[float, float], ...]:
        """The bed in relative coordinates, clockwise from the top left."""
        (x, y), (wide, tall) = self.middle_xy, BED_WH
        left, top, right, bottom = x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return tuple((round(cx / 1920, 4), round(cy / 1080, 4)) for cx, cy in corners)

    @property
    def psn_no(self) -> str:
        """Who is admitted; empty when nobody is."""
        return PEOPLE[self.patient].psn_no if self.patient else ""


BEDS = (
    WardBed(
        "301-1", (470, 185), "left", "qian", "2026-05-01 10:05:00", "qian", "lying", BedVerdict.PRESENT,
        Words("钱玉兰躺在自己的床上", "the patient lies in her bed"),
    ),
    WardBed(
        "301-2", (1450, 185), "right", "lin", "2026-04-27 15:40:00", "shen", "lying", BedVerdict.SOMEONE_ELSE,
        Words("林素秋的床上躺着她的亲属", "a relative lies in the patient's bed"),
    ),
    WardBed(
        "301-3", (470, 525), "left", "zhou", "2026-04-28 09:10:00", "", "nobody", BedVerdict.EMPTY,
        Words("周启明住院在册，床是空的", "admitted on paper, and the bed is empty"),
    ),
    WardBed(
        "301-4", (1450, 525), "right", "wu", "2026-04-29 11:25:00", "wu", "covered", BedVerdict.OCCUPIED_UNSEEN,
        Words("有人蒙着头睡", "somebody sleeps with the blanket over the head"),
    ),
    WardBed(
        "301-5", (470, 865), "left", "", "", "", "nobody", BedVerdict.NOT_ASSESSABLE,
        Words("空床位，没有人在册", "a free bed that nobody is admitted to"),
    ),
)  # fmt: skip
