"""What was imported, as those see it who may."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy.orm import Session

from server.access import Subject
from server.audit_log.service import Deed, record
from server.errors import Forbidden, NotFound
from server.permissions import Permission
from server.settlements import repository
from server.settlements.imports import COMMAND_LINE, Importer
from server.settlements.kinds import WARNING_WORDS, ImportKind, ImportWarning
from server.settlements.messages import (
    ImportAnswer,
    ItemAnswer,
    RejectedField,
    SettlementAnswer,
    SettlementDetail,
    WarningCount,
)
from server.settlements.repository import Wanted
from server.tables import LineItem, RejectedRow, Settlement, SettlementImport


def importer_named(session: Session, login: str | None) -> Importer:
    """Who imports on the command line: a user, or without a login the server itself.

    Raises :class:`NotFound` for a login that nobody has, :class:`Forbidden` when their role does not allow it.
    """
    if login is None:
        return COMMAND_LINE
    user = repository.user_named(session, login)
    if user is None or user.disabled_at is not None:
        raise NotFound(f"there is no user {login}")
    subject = Subject(user.id, user.login, user.display_name, user.role, user.district_code)
    if not subject.may(Permission.IMPORT_SETTLEMENTS):
        raise Forbidden(f"the role of {login} does not allow this")
    return Importer.of(subject)


def list_imports(session: Session, subject: Subject, after: str, limit: int) -> list[ImportAnswer]:
    """The imports of the subject's district, the newest first."""
    return [import_answer(one) for one in repository.imports_of(session, subject, after, limit)]


def find_import(session: Session, subject: Subject, import_id: str) -> ImportAnswer:
    """One import. Raises :class:`NotFound`."""
    return import_answer(_import_of(session, subject, import_id))


def _import_of(session: Session, subject: Subject, import_id: str) -> SettlementImport:
    found = repository.import_of(session, subject, import_id)
    if found is None:
        raise NotFound("there is no such import in your district")
    return found


def import_answer(told: SettlementImport) -> ImportAnswer:
    """An import as it is told."""
    warnings = []
    for code, count in sorted(told.warnings.items()):
        en, zh = WARNING_WORDS[ImportWarning(code)]
        warnings.append(WarningCount(code=ImportWarning(code), count=count, en=en, zh=zh))
    return ImportAnswer(
        id=told.id,
        kind=ImportKind(told.kind),
        file_name=told.file_name,
        sha256=told.sha256,
        started_by=told.started_by,
        started_at=told.started_at,
        finished_at=told.finished_at,
        stopped_by=told.stopped_by,
        rows=told.rows,
        added=told.added,
        changed=told.changed,
        unchanged=told.unchanged,
        rejected=told.rejected,
        warnings=warnings,
    )


def list_rejected(
    session: Session, subject: Subject, import_id: str, after: int, limit: int | None
) -> list[RejectedField]:
    """Problems of an import. Raises :class:`NotFound`."""
    _import_of(session, subject, import_id)
    return rejected_of(session, import_id, after, limit)


def rejected_of(session: Session, import_id: str, after: int = 0, limit: int | None = None) -> list[RejectedField]:
    """Problems of an import, whoever asks."""
    return [_rejected(one) for one in repository.rejected_rows(session, import_id, after, limit)]


def _rejected(one: RejectedRow) -> RejectedField:
    return RejectedField(number=one.number, row=one.row, field=one.field, expected=one.why)


def rejected_csv(rows: Sequence[RejectedField]) -> str:
    """As CSV with a byte order mark, which spreadsheets need to see Chinese."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["row", "field", "expected"])
    writer.writerows((one.row, one.field, one.expected) for one in rows)
    return "\ufeff" + text.getvalue()


def psn_no_of(session: Session, subject: Subject, person_id: str) -> str:
    """The number of an enrolled person. Raises :class:`NotFound`."""
    person = repository.person_of(session, subject, person_id)
    if person is None:
        raise NotFound("there is no such person in your district")
    return person.psn_no


def list_settlements(
    session: Session, subject: Subject, wanted: Wanted, after: int | None, limit: int
) -> list[SettlementAnswer]:
    """Settlements of the subject's district, the newest first."""
    return [_settlement(*row) for row in repository.settlements_of(session, subject, wanted, after, limit)]


def search_settlements(
    session: Session, subject: Subject, wanted: Wanted, after: int | None, limit: int
) -> list[SettlementAnswer]:
    """As :func:`list_settlements`, of a person whom the asker named by number, which goes into the log."""
    found = list_settlements(session, subject, wanted, after, limit)
    deed = Deed(
        subject.actor,
        "settlements_searched",
        "settlement",
        "-",
        district_code=subject.district_code,
        detail={"found": len(found)},
    )
    record(session, deed)
    return found


def see_settlement(session: Session, subject: Subject, settlement_id: int) -> SettlementDetail:
    """One settlement with its lines. Raises :class:`NotFound`."""
    found = repository.settlement_of(session, subject, settlement_id)
    if found is None:
        raise NotFound("there is no such settlement in your district")
    items = repository.items_of(session, found[0].setl_id)
    return SettlementDetail(settlement=_settlement(*found), items=[_item(item, codes) for item, codes in items])


def _settlement(one: Settlement, check_id: int | None, reversed_by: str | None) -> SettlementAnswer:
    return SettlementAnswer(
        id=one.id,
        setl_id=one.setl_id,
        medins_setl_id=one.medins_setl_id,
        mdtrt_id=one.mdtrt_id,
        psn_no=one.psn_no,
        fixmedins_code=one.fixmedins_code,
        institution_id=one.institution_id,
        terminal_id=one.terminal_id,
        setl_time=one.setl_time,
        insutype=one.insutype,
        med_type=one.med_type,
        mdtrt_cert_type=one.mdtrt_cert_type,
        medfee_sumamt=_yuan(one.medfee_sumamt),
        fund_pay_sumamt=_yuan(one.fund_pay_sumamt),
        acct_pay=_yuan(one.acct_pay),
        acct_mulaid_pay=_yuan(one.acct_mulaid_pay),
        psn_cash_pay=_yuan(one.psn_cash_pay),
        invono=one.invono,
        opter=one.opter,
        reversed_by=reversed_by,
        check_id=check_id,
        unjoined_reason=one.unjoined_reason,
    )


def _item(item: LineItem, codes: list[str]) -> ItemAnswer:
    return ItemAnswer(
        feedetl_sn=item.feedetl_sn,
        med_list_codg=item.med_list_codg,
        medins_list_codg=item.medins_list_codg,
        cnt=Decimal(item.cnt).scaleb(-4),
        pric=Decimal(item.pric).scaleb(-4),
        det_item_fee_sumamt=_yuan(item.det_item_fee_sumamt),
        drug_trac_codg=codes,
    )


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)
