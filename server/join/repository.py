"""The join as SQL. A step works on settlements and checks that stand in temporary tables of its transaction.

Which settlement belongs to which check follows from the rows alone, not from the order in which they came:

- A settlement and a check with its ``setl_id`` belong together, unless institution or person contradict.
- All others are *free*. A free settlement and a free check are *near* when institution, person and, where both name
  one, terminal are the same, and their times lie within the tolerance after the clock offset.
- Two that are near belong together when each is the other's nearest and the second nearest of either is clearly
  farther away (:data:`CLEARLY_TIMES`, :data:`CLEARLY_S`).

So a new or changed row concerns only those near it, and those near these: a step widens what it was given by them and
works their pairings out anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import (
    String,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from server.access import Subject, within
from server.join.expressions import shifted
from server.join.near import (
    CHANGED,
    CONCERNED,
    FOUND,
    LARGEST_CLOCK_OFFSET_S,
    NEAR,
    REASONS,
    SWIPE,
    first,
    is_near,
    same_id,
    same_place,
    seconds,
)
from server.tables import (
    BoxReport,
    Check,
    CheckToJoin,
    Device,
    Institution,
    Pairing,
    PairingMethod,
    Settlement,
    UnjoinedReason,
)

CLEARLY_TIMES: Final = 2.0
CLEARLY_S: Final = 5.0
"""The second nearest is clearly farther away when it is at least twice as far plus five seconds: what passes between a
swipe and its settlement varies by about as much as it lasts, and clocks are true to seconds only."""

ID_CONFIDENCE: Final = 1.0
ID_CONFIDENCE_TIMES_APART: Final = 0.9
NEAREST_CONFIDENCE: Final = 0.95
NEAREST_CONFIDENCE_NO_TERMINAL: Final = 0.85

_PAIRINGS = cast(Table, Pairing.__table__)


def leave_alone(session: Session) -> None:
    """Take out what is decided for good: whose check was erased or purged, where the joining is all that is left."""
    s, c = aliased(Settlement), aliased(Check)
    expired = select(s.id).where(s.unjoined_reason == literal_column("'check_expired'"))
    erased = (
        select(Pairing.settlement_id)
        .join(c, c.id == Pairing.check_id)
        .where(c.psn_no.is_(None), Pairing.method == PairingMethod.NEAREST_TIME)
    )
    for table, column in ((CONCERNED, CONCERNED.c.id), (NEAR, NEAR.c.settlement_id)):
        for done, id_of in ((expired, s.id), (erased, Pairing.settlement_id)):
            session.execute(delete(table).where(exists(done.where(id_of == column))))


def find_by_id(session: Session, tolerance_s: float) -> None:
    """Find the check of each settlement that a check names; of several that agree the nearest in time."""
    s, c = aliased(Settlement), aliased(Check)
    apart = seconds(s, c)
    place = func.row_number().over(partition_by=s.id, order_by=(func.abs(apart), c.device_id, c.delivery_id))
    agrees = and_(same_place(s, c), or_(c.psn_no.is_(None), c.psn_no == s.psn_no))
    ranked = (
        select(s.id.label("s"), c.id.label("c"), apart.label("apart"), place.label("place"))
        .select_from(CONCERNED)
        .join(s, s.id == first(CONCERNED))
        .join(c, same_id(s, c))
        .where(agrees)
        .subquery()
    )
    in_time = func.abs(ranked.c.apart) <= tolerance_s
    confidence = case((in_time, literal(ID_CONFIDENCE)), else_=literal(ID_CONFIDENCE_TIMES_APART))
    _note_found(session, ranked, PairingMethod.SETL_ID, confidence, ranked.c.place == 1)


def _note_found(session: Session, ranked: Any, method: PairingMethod, confidence: Any, which: Any) -> None:
    rows = select(ranked.c.s, ranked.c.c, literal(method.value), confidence, ranked.c.apart).where(which)
    columns = ["settlement_id", "check_id", "method", "confidence", "apart_s"]
    session.execute(insert(FOUND).from_select(columns, rows))


def find_nearest(session: Session, tolerance_s: float) -> None:
    """Find the free ones that are each other's nearest, with nobody else nearly as near.

    Confidence: 0.95, or 0.85 where one side names no terminal; times 1 at no difference, down to ½ at the tolerance;
    times 1 without a second nearest, down to ½ where that is only just clearly farther away.
    """
    _drop_those_with_an_id(session)
    far = func.abs(NEAR.c.apart_s)
    ranked = select(NEAR.c.settlement_id.label("s"), NEAR.c.check_id.label("c"), NEAR.c.apart_s.label("apart"))
    for name, mine, other in (("s", "settlement_id", "check_id"), ("c", "check_id", "settlement_id")):
        window: dict[str, Any] = {"partition_by": NEAR.c[mine], "order_by": (far, NEAR.c[other])}
        ranked = ranked.add_columns(
            func.row_number().over(**window).label(f"place_{name}"),
            func.coalesce(func.lead(far).over(**window), literal(1e9)).label(f"next_{name}"),
        )
    best = ranked.add_columns(far.label("far"), NEAR.c.same_terminal.label("same_terminal")).subquery()
    clearly = CLEARLY_TIMES * best.c.far + CLEARLY_S
    second = case((best.c.next_s < best.c.next_c, best.c.next_s), else_=best.c.next_c)
    named = case((best.c.same_terminal == 1, NEAREST_CONFIDENCE), else_=NEAREST_CONFIDENCE_NO_TERMINAL)
    confidence = named * (1.0 - best.c.far / (2.0 * tolerance_s)) * (1.0 - best.c.far / second)
    which = and_(
        best.c.place_s == 1,
        best.c.place_c == 1,
        second >= clearly,
        exists().where(CONCERNED.c.id == best.c.s),
    )
    _note_found(session, best, PairingMethod.NEAREST_TIME, confidence, which)


def _drop_those_with_an_id(session: Session) -> None:
    """Who is named by a check, or names a settlement, is not free."""
    s, c = aliased(Settlement), aliased(Check)
    named = select(s.id).join(c, same_id(s, c)).where(s.id == NEAR.c.settlement_id)
    naming = select(c.id).join(s, same_id(s, c)).where(c.id == NEAR.c.check_id)
    session.execute(delete(NEAR).where(exists(named)))
    session.execute(delete(NEAR).where(exists(naming)))


def keep_found(session: Session, now: datetime) -> int:
    """Have the pairings of the concerned settlements as they were found; how many are new."""
    same = and_(
        FOUND.c.settlement_id == Pairing.settlement_id,
        FOUND.c.check_id == Pairing.check_id,
        FOUND.c.method == Pairing.method,
        FOUND.c.confidence == Pairing.confidence,
    )
    concerned = Pairing.settlement_id.in_(select(CONCERNED.c.id))
    _bulk(session, delete(Pairing).where(concerned, ~exists().where(same)))
    _take_back(session)
    fresh = ~exists().where(Pairing.settlement_id == FOUND.c.settlement_id)
    made_at = literal(now, Pairing.made_at.type)
    rows = select(FOUND.c.settlement_id, FOUND.c.check_id, FOUND.c.method, FOUND.c.confidence, FOUND.c.apart_s, made_at)
    columns = ["settlement_id", "check_id", "method", "confidence", "time_difference_s", "made_at"]
    return _bulk(session, insert(_PAIRINGS).from_select(columns, rows.where(fresh)))


def _take_back(session: Session) -> None:
    """A check that another tolerance once gave to somebody else: that settlement waits again."""
    lost = (
        select(Pairing.settlement_id)
        .join(FOUND, FOUND.c.check_id == Pairing.check_id)
        .where(FOUND.c.settlement_id != Pairing.settlement_id)
    )
    ids = list(session.scalars(lost))
    if ids:
        _bulk(session, update(Settlement).where(Settlement.id.in_(ids)).values(unjoined_reason=UnjoinedReason.WAITING))
        _bulk(session, delete(Pairing).where(Pairing.settlement_id.in_(ids)))


def _bulk(session: Session, statement: Any) -> int:
    result: Any = session.execute(
        statement, execution_options={"synchronize_session": False, "preserve_rowcount": True}
    )
    return int(result.rowcount)


@dataclass(frozen=True)
class Circumstances:
    """What tells why a settlement has no check."""

    waits_since: datetime
    """Settlements after this moment may still get a check from a box that was not heard of since then."""
    ward_med_types: tuple[str, ...]


def keep_reasons(session: Session, why: Circumstances) -> None:
    """Have each concerned settlement say why it has no check, or that it has one."""
    s = aliased(Settlement)
    reason = _reason(s, why)
    rows = select(s.id, reason).select_from(CONCERNED).join(s, s.id == first(CONCERNED))
    session.execute(insert(REASONS).from_select(["settlement_id", "reason"], rows))
    changed = Settlement.unjoined_reason.cast(String(40)).is_distinct_from(REASONS.c.reason)
    _bulk(
        session,
        update(Settlement)
        .where(Settlement.id == first(REASONS, "settlement_id"), changed)
        .values(unjoined_reason=REASONS.c.reason),
    )


def _reason(s: Any, why: Circumstances) -> ColumnElement[Any]:
    c = aliased(Check)
    near = NEAR.c.settlement_id == s.id
    taken = exists().where(Pairing.check_id == NEAR.c.check_id)
    reason = UnjoinedReason
    return case(
        (exists().where(FOUND.c.settlement_id == s.id), literal_column("NULL")),
        (exists().where(same_id(s, c)), reason.ID_CONTRADICTED.value),
        (exists().where(near, ~taken), reason.AMBIGUOUS.value),
        (exists().where(near), reason.NO_CHECK_NEAR.value),
        (s.institution_id.is_(None), reason.UNKNOWN_INSTITUTION.value),
        (s.med_type.in_(why.ward_med_types), reason.NOT_AT_A_COUNTER.value),
        (~_has_box(s), reason.NO_BOX.value),
        (_box_was_heard(s), reason.NO_CHECK_NEAR.value),
        (s.setl_time > literal(why.waits_since, Settlement.setl_time.type), reason.WAITING.value),
        else_=reason.BOX_NOT_HEARD.value,
    )


def _has_box(s: Any) -> ColumnElement[bool]:
    """Whether a box had been enrolled at the institution by then, and was not revoked before."""
    until = Device.revoked_at
    return exists().where(
        Device.institution_id == s.institution_id,
        Device.enrolled_at <= s.setl_time,
        or_(until.is_(None), until > s.setl_time),
    )


def _box_was_heard(s: Any) -> ColumnElement[bool]:
    """Whether a report of one of the institution's boxes covers that moment."""
    return exists().where(
        Device.institution_id == s.institution_id,
        BoxReport.device_id == Device.id,
        BoxReport.period_end >= s.setl_time,
        BoxReport.period_end <= shifted(s.setl_time, LARGEST_CLOCK_OFFSET_S),
        BoxReport.period_start <= s.setl_time,
    )


def finish(session: Session) -> None:
    """The checks of this step are looked at."""
    _bulk(session, delete(CheckToJoin).where(CheckToJoin.check_id.in_(select(CHANGED.c.id))))


def adopt_known_institutions(session: Session) -> None:
    """Give settlements of an institution that became known since their import its id and district."""
    known = Settlement.fixmedins_code == Institution.fixmedins_code
    unknown = Settlement.institution_id.is_(None)
    _bulk(
        session,
        update(Settlement)
        .where(known, unknown)
        .values(
            institution_id=Institution.id,
            district_code=Institution.district_code,
            unjoined_reason=UnjoinedReason.WAITING,
        ),
    )


def enqueue(session: Session, check_ids: Sequence[int]) -> None:
    """Have the join look at checks that were just added."""
    if check_ids:
        session.execute(insert(CheckToJoin), [{"check_id": one} for one in check_ids])


def enqueue_near(session: Session, settlement_ids: Any, tolerance_s: float) -> None:
    """Have the join look again at every check that has to do with some settlements, as these are now."""
    s, c = aliased(Settlement), aliased(Check)
    paired = select(Pairing.check_id.label("id")).where(Pairing.settlement_id.in_(settlement_ids))
    named = select(c.id).join(s, same_id(s, c)).where(s.id.in_(settlement_ids))
    near = select(c.id).join(s, is_near(s, c, tolerance_s, from_checks=False)).where(s.id.in_(settlement_ids))
    ids = union(paired, named, near).subquery()
    new = select(ids.c.id).where(~exists().where(CheckToJoin.check_id == ids.c.id))
    session.execute(insert(CheckToJoin).from_select(["check_id"], new))


def unpair(session: Session, settlement_ids: Any) -> None:
    """Forget the pairings of some settlements, which wait for the join again."""
    _bulk(session, delete(Pairing).where(Pairing.settlement_id.in_(settlement_ids)))
    waiting = update(Settlement).where(Settlement.id.in_(settlement_ids))
    _bulk(session, waiting.values(unjoined_reason=UnjoinedReason.WAITING))


def settlement_figures(session: Session, subject: Subject, since: datetime, until: datetime) -> dict[str, int]:
    """Settlements of a time that the subject sees, counted by how they were joined or why they were not."""
    state = func.coalesce(Pairing.method.cast(String(40)), Settlement.unjoined_reason.cast(String(40)))
    statement = select(state, func.count()).select_from(Settlement).outerjoin(Pairing).group_by(state)
    statement = statement.where(Settlement.setl_time >= since, Settlement.setl_time < until)
    rows = session.execute(within(statement, Settlement.district_code, subject))
    return {str(name): int(count) for name, count in rows}


def check_figures(session: Session, subject: Subject, since: datetime, until: datetime) -> tuple[int, int, int]:
    """Checks of swipes of a time that the subject sees: all, those with a settlement, those still to be looked at."""
    statement = (
        select(func.count(), func.count(Pairing.check_id), func.count(CheckToJoin.check_id))
        .select_from(Check)
        .outerjoin(Pairing, Pairing.check_id == Check.id)
        .outerjoin(CheckToJoin, CheckToJoin.check_id == Check.id)
        .where(Check.kind == SWIPE, Check.happened_at >= since, Check.happened_at < until)
    )
    checks, joined, waiting = session.execute(within(statement, Check.district_code, subject)).one()
    return int(checks), int(joined), int(waiting)
