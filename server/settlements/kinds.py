"""What an import may hold, and the columns of each kind under the platform's names and their usual Chinese ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from server.settlements.cells import amount, codes, day, four_decimals, text, time, unsigned_amount


class ImportKind(StrEnum):
    """What the rows of a file are."""

    SETTLEMENTS = "settlements"
    REVERSALS = "reversals"
    STAYS = "stays"
    ITEMS = "items"


@dataclass(frozen=True)
class Field:
    """One column: how its cells are read, what an empty one means, and by which other names it goes.

    A column that is ``needed`` must be there and filled.
    """

    name: str
    read: Callable[[str], Any]
    needed: bool = False
    empty: Any = None
    names: tuple[str, ...] = ()


def _id(name: str, *names: str, needed: bool = False, chars: int = 64) -> Field:
    return Field(name, text(chars), needed, None, names)


_SETL_ID = _id("setl_id", "结算ID", "结算编号", "结算流水号", needed=True)
_PSN_NO = _id("psn_no", "人员编号", "个人编号", needed=True)
_INSTITUTION = _id("fixmedins_code", "定点医药机构编号", "定点医药机构编码", "医药机构编码", needed=True)
_MDTRT_ID = "就诊ID", "就诊编号", "就医登记号"
_SETL_TIME = Field("setl_time", time, True, None, ("结算时间", "结算日期时间"))
_TOTAL = "医疗费总额", "医疗总费用", "总费用", "总金额"

FIELDS: Final[dict[ImportKind, tuple[Field, ...]]] = {
    ImportKind.SETTLEMENTS: (
        _SETL_ID,
        _id("medins_setl_id", "医药机构结算ID", "医药机构结算编号"),
        _id("mdtrt_id", *_MDTRT_ID),
        _PSN_NO,
        _INSTITUTION,
        _id("terminal_id", "终端编号", "终端号", "机具编号"),
        _SETL_TIME,
        _id("insutype", "险种类型", "险种", chars=6),
        _id("med_type", "医疗类别", chars=6),
        _id("mdtrt_cert_type", "就诊凭证类型", chars=3),
        _id("mdtrt_cert_no", "就诊凭证编号"),
        _id("card_sn", "卡识别码"),
        Field("medfee_sumamt", amount, True, None, _TOTAL),
        Field("fund_pay_sumamt", amount, empty=0, names=("基金支付总额", "统筹基金支付")),
        Field("acct_pay", amount, empty=0, names=("个人账户支出", "个人账户支付", "账户支付")),
        Field("acct_mulaid_pay", amount, empty=0, names=("个人账户共济支付金额", "账户共济支付", "家庭共济支付")),
        Field("psn_cash_pay", amount, empty=0, names=("个人现金支出", "个人现金支付", "现金支付")),
        _id("invono", "发票号", "发票号码"),
        _id("opter", "经办人ID", "经办人编号"),
    ),
    ImportKind.REVERSALS: (
        _SETL_ID,
        _id("init_setl_id", "reversed_setl_id", "原结算ID", "原结算编号", "被冲正结算ID", needed=True),
        _PSN_NO,
        _INSTITUTION,
        _SETL_TIME,
        Field("medfee_sumamt", unsigned_amount, True, None, _TOTAL),
    ),
    ImportKind.STAYS: (
        _id("mdtrt_id", *_MDTRT_ID, needed=True),
        _id("ipt_no", "住院号"),
        _PSN_NO,
        _INSTITUTION,
        Field("begntime", time, names=("开始时间", "入院时间")),
        Field("endtime", time, names=("结束时间", "出院时间")),
        _id("adm_bed", "入院床位"),
        _id("adm_dept_codg", "入院科室编码"),
        _id("adm_dept_name", "入院科室名称", chars=100),
        _id("dscg_bed", "出院床位"),
        _id("dscg_way", "离院方式", chars=6),
        Field("die_date", day, names=("死亡日期",)),
    ),
    ImportKind.ITEMS: (
        _SETL_ID,
        _id("feedetl_sn", "费用明细流水号", "明细流水号", needed=True),
        _id("med_list_codg", "医疗目录编码"),
        _id("medins_list_codg", "医药机构目录编码"),
        Field("cnt", four_decimals, True, None, ("数量",)),
        Field("pric", four_decimals, True, None, ("单价",)),
        Field("det_item_fee_sumamt", amount, True, None, ("明细项目费用总额", "金额")),
        Field("drug_trac_codg", codes, empty=(), names=("药品追溯码", "追溯码")),
    ),
}


def names_of(kind: ImportKind) -> dict[str, str]:
    """Every name that a column may bear, in lower case, with the platform's."""
    return {name.lower(): field.name for field in FIELDS[kind] for name in (field.name, *field.names)}


class ImportWarning(StrEnum):
    """What is odd about a row that was taken all the same."""

    UNKNOWN_INSTITUTION = "unknown_institution"
    ODD_INSTITUTION_CODE = "odd_institution_code"
    AMOUNTS_DO_NOT_ADD_UP = "amounts_do_not_add_up"
    REPEATED_ROW = "repeated_row"
    SETTLEMENT_UNKNOWN = "settlement_unknown"
    SETTLEMENT_OF_OTHERS = "settlement_of_others"
    MIXED_ENCODINGS = "mixed_encodings"
    IGNORED_COLUMNS = "ignored_columns"


WARNING_WORDS: Final[dict[ImportWarning, tuple[str, str]]] = {
    ImportWarning.UNKNOWN_INSTITUTION: ("institution not known here; kept", "机构尚未登记，已保留"),
    ImportWarning.ODD_INSTITUTION_CODE: ("institution code is not a letter and 11 digits", "机构编码格式异常"),
    ImportWarning.AMOUNTS_DO_NOT_ADD_UP: ("the parts do not make up the total", "分项金额与总额不符"),
    ImportWarning.REPEATED_ROW: ("the same row stands in the file twice", "文件内重复行"),
    ImportWarning.SETTLEMENT_UNKNOWN: ("its settlement has not come yet; it waits", "原结算尚未导入，等待中"),
    ImportWarning.SETTLEMENT_OF_OTHERS: (
        "its settlement is of another person or institution",
        "与原结算的人员或机构不符",
    ),
    ImportWarning.MIXED_ENCODINGS: ("lines in UTF-8 among others in GB18030", "文件混用两种编码"),
    ImportWarning.IGNORED_COLUMNS: ("columns that were not read", "未读取的列"),
}
"""English and Chinese."""
