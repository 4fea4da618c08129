"""How rows become rows of the database: one writer for each kind.

A row is first prepared, outside of any transaction, then written with its batch. The same content under a known key
changes nothing; other content corrects what is there, if that lies in the importer's district.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy.orm import Session

from renzheng.tables.rows import BadRow
from server.access import scope_of
from server.context import Server
from server.join.service import settlements_will_change
from server.settlements import repository
from server.settlements.kinds import ImportKind, ImportWarning
from server.settlements.reading import ParsedRow
from server.settlements.repository import Key, Shape, Values
from server.settlements.seen import SeenRows
from server.settlements.tally import Tally
from server.tables import LineItem, Reversal, Settlement, Stay, TraceCode, UnjoinedReason

_PLATFORM_CODE = re.compile(r"[A-Z](\d{6})\d{5}", re.ASCII)
_DIGEST_BYTES: Final = 16
OF_YOUR_DISTRICT: Final = "expected an institution of your district"
OTHERS_ROW: Final = "expected a number that no institution outside your district has"


class Prepared(NamedTuple):
    """A row with the values of its table's columns; ``more`` is what other columns or tables are made of."""

    line: int
    key: Key
    values: Values
    more: Values


@dataclass
class Writing:
    """What the writers of one import share."""

    import_id: str
    server: Server
    places: dict[str, tuple[str, str]]
    district_code: str | None
    tally: Tally = field(default_factory=Tally)

    @property
    def scope(self) -> str:
        """What codes of districts begin with that the importer may write to."""
        return scope_of(self.district_code)

    def sees(self, district_code: str | None) -> bool:
        """Whether the importer may write to a district."""
        return (district_code or "").startswith(self.scope)

    def place(self, code: str) -> tuple[str | None, str | None]:
        """Institution and district of a code. Of an unknown institution the district is what its code says."""
        known = self.places.get(code)
        if known is not None:
            return known
        parts = _PLATFORM_CODE.fullmatch(code)
        return None, parts[1] if parts else None

    def note_place(self, code: str) -> None:
        """Count what is odd about an institution."""
        if code not in self.places:
            self.tally.warn(ImportWarning.UNKNOWN_INSTITUTION)
            if not _PLATFORM_CODE.fullmatch(code):
                self.tally.warn(ImportWarning.ODD_INSTITUTION_CODE)

    def digest(self, values: Values) -> bytes:
        """Tells other content. It is keyed: numbers of cards and persons could be guessed from a plain one."""
        told = "\x1f".join(map(str, values.values()))
        return bytes.fromhex(self.server.keys.blind_index("settlements.content", told)[: 2 * _DIGEST_BYTES])


class Writer:
    """Writes one kind; subclasses say what is theirs."""

    shape: Shape

    def __init__(self, writing: Writing) -> None:
        self.writing = writing
        self.tally = writing.tally
        self._seen = SeenRows()

    # --- outside of the transaction

    def prepare(self, rows: Sequence[ParsedRow]) -> list[Prepared]:
        """The rows that may be written, each key once."""
        prepared = [one for one in map(self.prepare_row, rows) if one is not None]
        before = self._seen.add([(one.key, one.values["content_digest"], one.line) for one in prepared])
        if not before:
            return prepared
        for index, (line, same) in before.items():
            if same:
                self.tally.unchanged += 1
                self.tally.warn(ImportWarning.REPEATED_ROW)
            else:
                self.reject(prepared[index].line, self.shape.key[0], f"expected it once; line {line} says otherwise")
        return [one for index, one in enumerate(prepared) if index not in before]

    def prepare_row(self, row: ParsedRow) -> Prepared | None:
        """One row, or ``None`` when it was rejected."""
        raise NotImplementedError

    def reject(self, line: int, name: str, expected: str) -> None:
        """Count one row as rejected for one field."""
        self.tally.reject([BadRow(line, name, expected)])

    # --- inside

    def write(self, session: Session, rows: Sequence[Prepared]) -> None:
        """Add what is new and correct what is known."""
        known = repository.known_rows(session, self.shape, [one.key for one in rows])
        new, changed = [], []
        for one in rows:
            there = known.get(one.key)
            if there is None:
                new.append(one)
            elif bytes(there["content_digest"]) == one.values["content_digest"]:
                self.tally.unchanged += 1
            elif not self.may_change(there):
                self.reject(one.line, self.shape.key[0], OTHERS_ROW)
            else:
                changed.append((there, one))
        self.tally.added += len(new)
        self.tally.changed += len(changed)
        self.write_new(session, new)
        self.write_changed(session, changed)

    def may_change(self, there: Any) -> bool:
        """Whether the importer may correct a row that is there."""
        return self.writing.sees(there["district_code"])

    def finished(self, one: Prepared) -> Values:
        """All columns of a row that is written."""
        return one.values

    def write_new(self, session: Session, new: Sequence[Prepared]) -> None:
        """Add rows."""
        repository.insert_rows(session, self.shape.table, [self.finished(one) for one in new])

    def write_changed(self, session: Session, changed: Sequence[tuple[Any, Prepared]]) -> None:
        """Correct rows."""
        repository.update_rows(
            session, self.shape.of, [self.finished(one) | {"id": there["id"]} for there, one in changed]
        )


_JOINED_BY: Final = ("psn_no", "fixmedins_code", "terminal_id", "setl_time", "med_type", "credential_index")
"""A settlement that is corrected in one of these may belong to another check."""


class SettlementWriter(Writer):
    """Settlements. A correction of what they are joined by parts them from their checks; one of amounts does not."""

    shape = Shape(Settlement, ("setl_id",), ("content_digest", "district_code", *_JOINED_BY))

    def prepare_row(self, row: ParsedRow) -> Prepared | None:
        """See :class:`Writer`."""
        line, values = row
        code = values["fixmedins_code"]
        institution_id, district = self.writing.place(code)
        if not self.writing.sees(district):
            self.reject(line, "fixmedins_code", OF_YOUR_DISTRICT)
            return None
        if institution_id is None:
            self.writing.note_place(code)
        if not _adds_up(values):
            self.tally.warn(ImportWarning.AMOUNTS_DO_NOT_ADD_UP)
        digest = self.writing.digest(values)
        credential = {name: values.pop(name) for name in ("mdtrt_cert_no", "card_sn")}
        values["credential_index"] = self._index(values["mdtrt_cert_type"], **credential)
        values["institution_id"], values["district_code"] = institution_id, district
        values["import_id"], values["content_digest"] = self.writing.import_id, digest
        return Prepared(line, (values["setl_id"],), values, credential)

    def _index(self, kind: str | None, mdtrt_cert_no: str | None, card_sn: str | None) -> str | None:
        """Of an identity card (02) the index that its holder is found by, so that both meet."""
        if kind == "02" and mdtrt_cert_no:
            return self.writing.server.keys.blind_index("certno", mdtrt_cert_no.upper())
        number = mdtrt_cert_no or card_sn
        return self.writing.server.keys.blind_index("credential", number) if number else None

    def finished(self, one: Prepared) -> Values:
        """Sealed only when it is written: most rows of a file that comes again are not."""
        sealed = None
        if one.values["credential_index"] is not None:
            told = json.dumps(one.more)
            sealed = self.writing.server.keys.seal_text(told, f"settlements.credential_sealed:{one.key[0]}")
        return one.values | {"credential_sealed": sealed}

    def write_changed(self, session: Session, changed: Sequence[tuple[Any, Prepared]]) -> None:
        """See :class:`Writer`."""
        moved = [pair for pair in changed if any(pair[0][name] != pair[1].values[name] for name in _JOINED_BY)]
        ids = {there["id"] for there, _ in moved}
        for part in repository.parts(ids):
            settlements_will_change(session, self.writing.server, part)
        super().write_changed(session, [pair for pair in changed if pair[0]["id"] not in ids])
        waiting = {"unjoined_reason": UnjoinedReason.WAITING}
        rows = [self.finished(one) | {"id": there["id"]} | waiting for there, one in moved]
        repository.update_rows(session, Settlement, rows)


def _adds_up(values: Values) -> bool:
    """Places count family pooling as a part of the personal account or beside it; a file of totals says nothing."""
    parts = values["fund_pay_sumamt"] + values["acct_pay"] + values["psn_cash_pay"]
    missing = values["medfee_sumamt"] - parts
    return missing in (0, values["acct_mulaid_pay"]) or not parts + values["acct_mulaid_pay"]


class ReversalWriter(Writer):
    """Reversals. One that comes before its settlement waits for it under that one's number."""

    shape = Shape(Reversal, ("setl_id",), ("content_digest", "fixmedins_code"))

    def prepare_row(self, row: ParsedRow) -> Prepared | None:
        """See :class:`Writer`."""
        line, values = row
        if not self.writing.sees(self.writing.place(values["fixmedins_code"])[1]):
            self.reject(line, "fixmedins_code", OF_YOUR_DISTRICT)
            return None
        if values["setl_id"] == values["init_setl_id"]:
            self.reject(line, "init_setl_id", "expected the number of the settlement that is reversed, found its own")
            return None
        self.writing.note_place(values["fixmedins_code"])
        digest = self.writing.digest(values)
        values["reversed_setl_id"] = values.pop("init_setl_id")
        values["import_id"], values["content_digest"] = self.writing.import_id, digest
        return Prepared(line, (values["setl_id"],), values, {})

    def may_change(self, there: Any) -> bool:
        """See :class:`Writer`."""
        return self.writing.sees(self.writing.place(there["fixmedins_code"])[1])

    def write(self, session: Session, rows: Sequence[Prepared]) -> None:
        """See :class:`Writer`."""
        settled = repository.settled(session, {one.values["reversed_setl_id"] for one in rows})
        for one in rows:
            there = settled.get(one.values["reversed_setl_id"])
            if there is None:
                self.tally.warn(ImportWarning.SETTLEMENT_UNKNOWN)
            elif there[:2] != (one.values["psn_no"], one.values["fixmedins_code"]):
                self.tally.warn(ImportWarning.SETTLEMENT_OF_OTHERS)
        super().write(session, rows)


class StayWriter(Writer):
    """Stays. Admission and discharge name the same stay, so what a row says is added to what is there."""

    shape = Shape(
        Stay,
        ("fixmedins_code", "mdtrt_id"),
        (
            *(
                "content_digest",
                "institution_id",
                "district_code",
                "psn_no",
                "ipt_no",
                "begntime",
                "endtime",
                "adm_bed",
            ),
            *("adm_dept_codg", "adm_dept_name", "dscg_bed", "dscg_way", "die_date"),
        ),
    )

    def prepare(self, rows: Sequence[ParsedRow]) -> list[Prepared]:
        """A stay may well stand in a file twice, to be admitted and to be discharged."""
        return [one for one in map(self.prepare_row, rows) if one is not None]

    def prepare_row(self, row: ParsedRow) -> Prepared | None:
        """See :class:`Writer`."""
        line, values = row
        code = values["fixmedins_code"]
        institution_id, district = self.writing.place(code)
        if not self.writing.sees(district):
            self.reject(line, "fixmedins_code", OF_YOUR_DISTRICT)
            return None
        if values["begntime"] is None and values["endtime"] is None:
            self.reject(line, "begntime", "expected the time of admission, of discharge, or both")
            return None
        self.writing.note_place(code)
        values["institution_id"], values["district_code"] = institution_id, district
        return Prepared(line, (code, values["mdtrt_id"]), values, {})

    def write(self, session: Session, rows: Sequence[Prepared]) -> None:
        """Rows of one stay are added up in the order of the file."""
        known = repository.known_rows(session, self.shape, list({one.key for one in rows}))
        now: dict[Key, Values] = {}
        for one in rows:
            there = now.get(one.key) or known.get(one.key)
            if there is not None and not self.writing.sees(there["district_code"]):
                self.reject(one.line, "mdtrt_id", OTHERS_ROW)
                continue
            merged = self._merged(there, one)
            if merged is not None:
                now[one.key] = merged
        self._write_merged(session, known, now)

    def _merged(self, there: Any, one: Prepared) -> Values | None:
        said = {name: value for name, value in one.values.items() if value is not None}
        old = {name: there[name] for name in one.values} if there is not None else {}
        values = dict.fromkeys(one.values) | old | said
        if values["begntime"] and values["endtime"] and values["begntime"] > values["endtime"]:
            self.reject(one.line, "endtime", "expected a time after begntime")
            return None
        if there is None:
            self.tally.added += 1
        elif values == old:
            self.tally.unchanged += 1
        else:
            self.tally.changed += 1
        return values

    def _write_merged(self, session: Session, known: dict[Key, Any], now: dict[Key, Values]) -> None:
        new, changed = [], []
        for key, values in now.items():
            row = values | {"import_id": self.writing.import_id, "content_digest": self.writing.digest(values)}
            there = known.get(key)
            if there is None:
                new.append(row)
            elif bytes(there["content_digest"]) != row["content_digest"]:
                changed.append(row | {"id": there["id"]})
        repository.insert_rows(session, self.shape.table, new)
        repository.update_rows(session, Stay, changed)


class ItemWriter(Writer):
    """Line items with their trace codes. Who sees one district alone may add them to its settlements alone."""

    shape = Shape(LineItem, ("setl_id", "feedetl_sn"), ("content_digest",))

    def prepare_row(self, row: ParsedRow) -> Prepared | None:
        """See :class:`Writer`."""
        line, values = row
        if abs(values["cnt"] * values["pric"] - values["det_item_fee_sumamt"] * 10**6) > 10**6:
            self.tally.warn(ImportWarning.AMOUNTS_DO_NOT_ADD_UP)
        digest = self.writing.digest(values)
        codes = values.pop("drug_trac_codg")
        values["import_id"], values["content_digest"] = self.writing.import_id, digest
        return Prepared(line, (values["setl_id"], values["feedetl_sn"]), values, {"codes": codes})

    def may_change(self, there: Any) -> bool:
        """Their settlement was looked at before."""
        return True

    def write(self, session: Session, rows: Sequence[Prepared]) -> None:
        """See :class:`Writer`."""
        settled = repository.settled(session, {one.key[0] for one in rows})
        mine = []
        for one in rows:
            there = settled.get(one.key[0])
            if self.writing.scope and (there is None or not self.writing.sees(there[2])):
                self.reject(one.line, "setl_id", "expected a settlement of your district that was imported before")
                continue
            if there is None:
                self.tally.warn(ImportWarning.SETTLEMENT_UNKNOWN)
            mine.append(one)
        super().write(session, mine)

    def write_new(self, session: Session, new: Sequence[Prepared]) -> None:
        """See :class:`Writer`."""
        super().write_new(session, new)
        with_codes = {one.key: one.more["codes"] for one in new if one.more["codes"]}
        ids = repository.known_rows(session, self.shape, list(with_codes)) if with_codes else {}
        self._add_codes(session, [(ids[key]["id"], codes) for key, codes in with_codes.items()])

    def write_changed(self, session: Session, changed: Sequence[tuple[Any, Prepared]]) -> None:
        """See :class:`Writer`."""
        super().write_changed(session, changed)
        repository.delete_trace_codes(session, [there["id"] for there, _ in changed])
        self._add_codes(session, [(there["id"], one.more["codes"]) for there, one in changed])

    def _add_codes(self, session: Session, codes_of: Sequence[tuple[int, Sequence[str]]]) -> None:
        rows = [{"item_id": item_id, "drug_trac_codg": code} for item_id, codes in codes_of for code in codes]
        repository.insert_rows(session, repository.table_of(TraceCode), rows)


WRITERS: Final[dict[ImportKind, type[Writer]]] = {
    ImportKind.SETTLEMENTS: SettlementWriter,
    ImportKind.REVERSALS: ReversalWriter,
    ImportKind.STAYS: StayWriter,
    ImportKind.ITEMS: ItemWriter,
}
