"""What is said of sites over the API."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from renzheng.contracts.base import UtcTime
from server.messages import Message
from server.sites.judgements import local_hours_valid
from server.sites.words import NoticeKind
from server.tables import InstitutionType

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")
]
LongName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Label = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
DistrictCode = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{5}$")]
ServerId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,32}$")]
LocalTime = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Weekday = Literal["1", "2", "3", "4", "5", "6", "7"]


def _in_order(spans: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    if not local_hours_valid(spans):
        raise ValueError("expected times that rise: [[opens, closes], [opens, closes]]")
    return spans


DayHours = Annotated[tuple[tuple[LocalTime, LocalTime], ...], Field(max_length=6), AfterValidator(_in_order)]


class Said(Message):
    """One meaning in both languages."""

    zh: str
    en: str


class DistrictName(Message):
    """How a district is called."""

    name: Name


class DistrictAnswer(Message):
    """An administrative division; its code ends in 00 where others lie below it."""

    code: str
    name: str


class DistrictPage(Message):
    """Districts in the order of their codes."""

    districts: list[DistrictAnswer]


class InstitutionFacts(Message):
    """What may change of a designated institution. All of it is given each time."""

    fixmedins_name: LongName
    fixmedins_type: InstitutionType = Field(description="1 medical institution, 2 retail pharmacy")
    latitude: float | None = Field(None, ge=-90, le=90, description="degrees, WGS 84; with longitude or not at all")
    longitude: float | None = Field(None, ge=-180, le=180)
    hours: dict[Weekday, DayHours] = Field(
        default_factory=dict,
        description="weekday (1 is Monday) to the times it is open, local HH:MM; a day left out is not known, an empty "
        "list is a day closed",
    )
    closed_at: UtcTime | None = Field(None, description="when it closed for good; its boxes are then not missed")


class NewInstitution(InstitutionFacts):
    """A designated institution. Its code and its district stay as they are: what happens there lies under them."""

    fixmedins_code: Name = Field(description="a letter (H, P) and 11 digits; another form is taken with a warning")
    district_code: DistrictCode


class InstitutionAnswer(Message):
    """A designated institution."""

    id: str
    fixmedins_code: str
    fixmedins_name: str
    fixmedins_type: InstitutionType
    district_code: str
    latitude: float | None
    longitude: float | None
    hours: dict[str, Any]
    closed_at: datetime | None
    created_at: datetime
    warnings: list[Said] = Field(description="what is unusual and was kept all the same")


class InstitutionPage(Message):
    """Institutions in the order of their ids, which is that of when they were entered."""

    institutions: list[InstitutionAnswer]


class CameraLabel(Message):
    """What people call a camera."""

    label: Label


class NewCamera(CameraLabel):
    """A camera that is entered before its box reports it, so that terminals and beds can name it."""

    camera_id: Name = Field(description="as the box names it")


class CameraAnswer(Message):
    """A camera and what its box last said of it."""

    id: str = Field(description="the server's id; terminals and beds name it")
    institution_id: str
    camera_id: str = Field(description="as the box names it")
    device_id: str | None = Field(description="the box that reports it")
    label: str
    state: str | None = Field(description="as the box says; missing when it names it no more, null if it never did")
    recorded_from: datetime | None
    recorded_until: datetime | None
    fitness: dict[str, Any] | None = Field(description="the last CameraFitness")


class CameraPage(Message):
    """Cameras in the order of their ids."""

    cameras: list[CameraAnswer]


class SeenBy(Message):
    """The camera that sees a terminal or a bed."""

    camera_id: ServerId | None = Field(None, description="the server's id of a camera of the same institution")


class NewTerminal(SeenBy):
    """A terminal at which credentials are used."""

    terminal_id: Name = Field(description="as swipes name it")


class TerminalAnswer(Message):
    """A terminal."""

    id: str
    institution_id: str
    terminal_id: str
    camera_id: str | None


class TerminalPage(Message):
    """Terminals in the order of their ids."""

    terminals: list[TerminalAnswer]


class BedFacts(SeenBy):
    """What may change of a bed."""

    ward: Name


class NewBed(BedFacts):
    """A bed of a ward."""

    bed_id: Name = Field(description="as admissions name it (adm_bed)")


class BedAnswer(Message):
    """A bed."""

    id: str
    institution_id: str
    ward: str
    bed_id: str
    camera_id: str | None


class BedPage(Message):
    """Beds in the order of their ids."""

    beds: list[BedAnswer]


class FootfallHour(Message):
    """People at the counter of one camera in one hour. Visits are a lower bound, staff left out."""

    camera_id: str
    hour_start: datetime
    visits: int
    most_at_once: int
    looks: int


class FootfallDay(Message):
    """The hours of one day of Asia/Shanghai."""

    day: date
    hours: list[FootfallHour]


class NoticeAnswer(Message):
    """Something at a site that somebody should see to; over when ``ended_at`` is there."""

    id: str
    kind: NoticeKind
    words: Said
    causes: list[Said] = Field(description="what exactly, where more than the kind is known")
    institution_id: str
    fixmedins_code: str
    object_kind: Literal["camera", "device"]
    object_id: str
    label: str | None = Field(description="the box's label, or the camera's name")
    detail: dict[str, Any]
    began_at: datetime
    ended_at: datetime | None


class NoticePage(Message):
    """Notices, oldest first."""

    notices: list[NoticeAnswer]
