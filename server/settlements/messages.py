"""What the routes of settlements are asked and answer. Amounts are yuan with two decimals."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from renzheng.contracts.base import UtcTime
from server.messages import Message
from server.settlements.kinds import ImportKind, ImportWarning
from server.tables import UnjoinedReason


class WarningCount(Message):
    """Something odd about rows that were taken all the same."""

    code: ImportWarning
    count: int
    en: str
    zh: str


class ImportAnswer(Message):
    """What became of the rows of one file."""

    id: str
    kind: ImportKind
    file_name: str
    sha256: str = Field(description="of the file")
    started_by: str = Field(description="id of the user, or `server`")
    started_at: UtcTime
    finished_at: UtcTime | None = Field(description="null: it runs, or was cut off; import the file again then")
    stopped_by: str | None = Field(description="why the file could not be read to its end")
    rows: int
    added: int
    changed: int = Field(description="rows that corrected what was there")
    unchanged: int = Field(description="rows that were there with the same content")
    rejected: int
    warnings: list[WarningCount]


class ImportPage(Message):
    """Imports, the newest first."""

    imports: list[ImportAnswer]


class RejectedField(Message):
    """What is wrong with one field of a row that was not taken. The value itself is not kept."""

    number: int = Field(description="counts the problems of the import, in the order of its file")
    row: int = Field(description="line of the file, the head is 1; number of the object in a JSON array")
    field: str = Field(description="the platform's name of the column, or `row`")
    expected: str


class RejectedPage(Message):
    """Problems of an import in the order of its file; of a long list the first 10,000 are kept."""

    rows: list[RejectedField]


class SettlementAnswer(Message):
    """One settlement under the platform's names."""

    id: int
    setl_id: str
    medins_setl_id: str | None
    mdtrt_id: str | None
    psn_no: str
    fixmedins_code: str
    institution_id: str | None = Field(description="null: this institution is not known here")
    terminal_id: str | None
    setl_time: UtcTime
    insutype: str | None
    med_type: str | None
    mdtrt_cert_type: str | None
    medfee_sumamt: Decimal
    fund_pay_sumamt: Decimal
    acct_pay: Decimal
    acct_mulaid_pay: Decimal
    psn_cash_pay: Decimal
    invono: str | None
    opter: str | None
    reversed_by: str | None = Field(description="`setl_id` of the reversal, when there is one")
    check_id: int | None = Field(description="check of the same use of the credential")
    unjoined_reason: UnjoinedReason | None = Field(description="why there is no check")


class SettlementPage(Message):
    """Settlements, the newest first."""

    settlements: list[SettlementAnswer]


class ItemAnswer(Message):
    """One line of a purchase."""

    feedetl_sn: str
    med_list_codg: str | None
    medins_list_codg: str | None
    cnt: Decimal
    pric: Decimal
    det_item_fee_sumamt: Decimal
    drug_trac_codg: list[str]


class SettlementDetail(Message):
    """One settlement with its lines."""

    settlement: SettlementAnswer
    items: list[ItemAnswer]


class SettlementQuestion(Message):
    """Whose settlements are asked for. The person number is in the body, since addresses end up in access logs."""

    psn_no: str = Field(min_length=1, max_length=64)
    since: UtcTime | None = None
    until: UtcTime | None = None
    after: int | None = Field(None, ge=1, lt=2**63, description="id of the last settlement of the page before")
    limit: int = Field(50, ge=1, le=200)
