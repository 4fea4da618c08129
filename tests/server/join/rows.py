"""Settlements and checks for the tests of the join, and the join as it is meant, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from renzheng.ids import new_id
from server.context import Server
from server.join import service
from server.tables import Check, Device, Pairing, Settlement, SettlementImport
from tests.server.conftest import HANGZHOU, OUTSIDE, PHARMACY, YUYAO

NOON = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
TOLERANCE_S = 120.0
DISTRICTS = {PHARMACY: YUYAO, OUTSIDE: HANGZHOU}


@dataclass(frozen=True)
class Paid:
    """A settlement; ``at_s`` counts from noon."""

    setl_id: str
    psn_no: str = "p1"
    at_s: float = 0.0
    terminal_id: str | None = "T1"
    institution_id: str | None = PHARMACY
    med_type: str = "41"


@dataclass(frozen=True)
class Seen:
    """A check of a swipe; ``at_s`` is on the terminal's clock, counted from noon."""

    name: str
    psn_no: str | None = "p1"
    at_s: float = 0.0
    terminal_id: str | None = "T1"
    institution_id: str = PHARMACY
    clock_offset_s: float = 0.0
    kind: str = "swipe"


def make_import(session: Session) -> None:
    """What every settlement here came from."""
    session.add(SettlementImport(id="one", kind="settlements", file_name="-", sha256="-", started_by="-",
                                 started_at=NOON))  # fmt: skip
    session.flush()


def make_box(session: Session, institution_id: str = PHARMACY, enrolled_at: datetime | None = None) -> str:
    """A box that has long been there."""
    box = Device(
        id=new_id(), institution_id=institution_id, label="柜台", created_at=NOON,
        enrolled_at=enrolled_at or NOON - timedelta(days=100),
    )  # fmt: skip
    session.add(box)
    session.flush()
    return box.id


def settlement_row(paid: Paid) -> dict[str, Any]:
    """As a row of the table."""
    return {
        "setl_id": paid.setl_id, "psn_no": paid.psn_no, "fixmedins_code": paid.institution_id or "P99999999999",
        "institution_id": paid.institution_id, "district_code": DISTRICTS.get(paid.institution_id or ""),
        "terminal_id": paid.terminal_id, "setl_time": NOON + timedelta(seconds=paid.at_s), "med_type": paid.med_type,
        "medfee_sumamt": 1000, "fund_pay_sumamt": 0, "acct_pay": 1000, "acct_mulaid_pay": 0, "psn_cash_pay": 0,
        "import_id": "one", "content_digest": b"-",
    }  # fmt: skip


def add_settlements(session: Session, *many: Paid) -> None:
    """As an import does."""
    if many:
        session.execute(insert(Settlement), [settlement_row(one) for one in many])


def correct(session: Session, server: Any, paid: Paid) -> None:
    """As an import does that finds another content under a number."""
    settlement = session.scalars(select(Settlement).where(Settlement.setl_id == paid.setl_id)).one()
    service.settlements_will_change(session, server, [settlement.id])
    session.refresh(settlement)
    for name, value in settlement_row(paid).items():
        setattr(settlement, name, value)
    session.flush()


def add_checks(session: Session, device_id: str, *many: Seen) -> None:
    """As the ingest does."""
    rows = [
        {
            "device_id": device_id, "delivery_id": one.name, "body_sha256": "-", "kind": one.kind,
            "setl_id": one.name if one.kind == "swipe" else None, "institution_id": one.institution_id,
            "district_code": YUYAO, "terminal_id": one.terminal_id, "psn_no": one.psn_no,
            "happened_at": NOON + timedelta(seconds=one.at_s), "clock_offset_s": one.clock_offset_s,
            "verdict": "match", "reasons": [], "body": {}, "clip_due": False, "finished_at": NOON, "received_at": NOON,
        }
        for one in many
    ]  # fmt: skip
    if rows:
        ids = session.scalars(insert(Check).returning(Check.id, sort_by_parameter_order=True), rows).all()
        service.checks_were_added(session, [i for i, one in zip(ids, many, strict=True) if one.kind == "swipe"])


Told = dict[str, tuple[str, ...]]


def outcome(session: Session) -> dict[str, tuple[str, ...]]:
    """What became of each settlement: name of its check and method, or the reason alone."""
    paired = (
        select(Settlement.setl_id, Settlement.unjoined_reason, Check.delivery_id, Pairing.method)
        .outerjoin(Pairing, Pairing.settlement_id == Settlement.id)
        .outerjoin(Check, Check.id == Pairing.check_id)
    )
    told: dict[str, tuple[str, ...]] = {}
    for setl_id, reason, name, method in session.execute(paired):
        assert (reason is None) == (name is not None), setl_id
        told[setl_id] = (name, method.value) if name is not None else (reason.value,)
    return told


def meant(
    settlements: list[Paid], checks: list[Seen], *, otherwise: str = "box_not_heard"
) -> dict[str, tuple[str, ...]]:
    """The rules, one by one, over all there is; ``otherwise`` is why a settlement with nothing near has no check."""
    swipes = [one for one in checks if one.kind == "swipe"]
    names, numbers = {one.name for one in swipes}, {one.setl_id for one in settlements}

    def apart(paid: Paid, seen: Seen) -> float:
        return abs(paid.at_s - seen.at_s - seen.clock_offset_s)

    def near(paid: Paid, seen: Seen) -> bool:
        free = paid.setl_id not in names and seen.name not in numbers
        same = paid.psn_no == seen.psn_no and paid.institution_id == seen.institution_id
        terminal = None in (paid.terminal_id, seen.terminal_id) or paid.terminal_id == seen.terminal_id
        return free and same and terminal and apart(paid, seen) <= TOLERANCE_S

    def first_clearly(distances: list[float]) -> bool:
        ordered = sorted(distances)
        return len(ordered) < 2 or ordered[1] >= 2 * ordered[0] + 5

    pairs: dict[str, tuple[str, ...]] = {}
    for paid in settlements:
        named = [one for one in swipes if one.name == paid.setl_id]
        if named:
            agrees = named[0].institution_id == paid.institution_id and named[0].psn_no in (None, paid.psn_no)
            pairs[paid.setl_id] = (named[0].name, "setl_id") if agrees else ("id_contradicted",)
            continue
        mine = [one for one in swipes if near(paid, one)]
        if not mine:
            continue
        best = min(mine, key=lambda one: apart(paid, one))
        others = [one for one in settlements if near(one, best)]
        nearest = min(apart(one, best) for one in others) == apart(paid, best)
        both = first_clearly([apart(paid, one) for one in mine]) and first_clearly([apart(one, best) for one in others])
        if nearest and both:
            pairs[paid.setl_id] = (best.name, "nearest_time")
    taken = {pair[0] for pair in pairs.values() if len(pair) == 2}
    for paid in settlements:
        if paid.setl_id not in pairs:
            mine = [one for one in swipes if near(paid, one)]
            why = "ambiguous" if any(one.name not in taken for one in mine) else "no_check_near"
            pairs[paid.setl_id] = (why,) if mine else (otherwise,)
    return pairs


def moved(paid: Paid, **changes: Any) -> Paid:
    """The same settlement, corrected."""
    return replace(paid, **changes)


def joined(server: Server, box: str, settlements: list[Paid], checks: list[Seen]) -> Told:
    """What becomes of them when all are there."""
    with server.database.transaction() as session:
        add_settlements(session, *settlements)
        add_checks(session, box, *checks)
    assert service.run_join(server).finished
    return told(server)


def told(server: Server) -> Told:
    """What became of every settlement."""
    with server.database.transaction(writes=False) as session:
        return outcome(session)


def pairing(server: Server) -> Pairing:
    """The only pairing there is."""
    with server.database.transaction(writes=False) as session:
        return session.scalars(select(Pairing)).one()


def pairings(server: Server) -> list[Pairing]:
    """All of them."""
    with server.database.transaction(writes=False) as session:
        return list(session.scalars(select(Pairing)))
