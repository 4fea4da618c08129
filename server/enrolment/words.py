"""What may be wrong with a row of an enrolment table, in both languages. Nothing here repeats what a cell says."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from renzheng.contracts.reasons import REASON_WORDS, Reason, Words


class Trouble(StrEnum):
    """Why a row, or a photo of it, was not taken; reasons of the quality gate are :class:`Reason`."""

    ROW_UNREADABLE = "row_unreadable"
    FORMULA = "formula"
    ROUNDED = "rounded"
    UNEXPECTED = "unexpected"
    REPEATED = "repeated"
    CONTRADICTED = "contradicted"
    PHOTO_MISSING = "photo_missing"
    PHOTOS_TOO_MANY = "photos_too_many"
    PHOTO_NAMED_TWICE = "photo_named_twice"
    PHOTO_TOO_LARGE = "photo_too_large"
    OUTSIDE = "outside"
    NUMBER_ELSEWHERE = "number_elsewhere"
    CERTNO_TAKEN = "certno_taken"
    MEANWHILE = "meanwhile"
    NO_BASIS = "no_basis"
    WITHDRAWN = "withdrawn"
    FACE_OF_ANOTHER = "face_of_another"
    FACE_ELSEWHERE = "face_elsewhere"


TROUBLE_WORDS: dict[Trouble, Words] = {
    Trouble.ROW_UNREADABLE: Words(
        "此行无法读取：请检查引号是否配对、单元格数目是否与表头一致",
        "the row cannot be read: look at its quotation marks and the number of its cells",
    ),
    Trouble.FORMULA: Words(
        "内容以 = + - @ 开头，可能是公式；请改为纯文本", "begins with = + - or @ as a formula does; write plain text"
    ),
    Trouble.ROUNDED: Words(
        "错误值，或被电子表格截断的长数字；请将整列设为文本后重填",
        "an error, or a long number that lost its last digits; format the column as text and fill it in anew",
    ),
    Trouble.UNEXPECTED: Words("应为{expected}", "expected {expected}"),
    Trouble.REPEATED: Words("与第 {line} 行完全相同，只取一次", "repeats line {line} word for word; taken once"),
    Trouble.CONTRADICTED: Words(
        "与第 {line} 行重复而内容不同，无法判断哪一行正确，均未录入",
        "also on line {line}, which says something else; neither was taken",
    ),
    Trouble.PHOTO_MISSING: Words(
        "没有照片；照片应命名为 <psn_no>.jpg、<psn_no>_2.jpg",
        "no photo; photos are named <psn_no>.jpg, <psn_no>_2.jpg",
    ),
    Trouble.PHOTOS_TOO_MANY: Words("照片超过 {most} 张", "more than {most} photos"),
    Trouble.PHOTO_NAMED_TWICE: Words("同名照片不止一张", "several photos have the same name"),
    Trouble.PHOTO_TOO_LARGE: Words("照片文件超过 {most} MB", "the photo's file is larger than {most} MB"),
    Trouble.OUTSIDE: Words(
        "参保地不在您的辖区内，或未登记该行政区划", "the district is outside of yours, or is not known to the server"
    ),
    Trouble.NUMBER_ELSEWHERE: Words("该编号已在其他辖区建档", "this number is in use in another district"),
    Trouble.CERTNO_TAKEN: Words(
        "该证件号码属于另一人员编号", "this certificate's number belongs to another person number"
    ),
    Trouble.MEANWHILE: Words(
        "此人同时被他人录入，请重新提交", "somebody else entered this person at the same time; send the files again"
    ),
    Trouble.NO_BASIS: Words(
        "没有有效的授权同意或其他合法依据，不得留存人脸", "no legal basis is in force, so no face may be kept"
    ),
    Trouble.WITHDRAWN: Words(
        "在此之后授权已撤回或此人已删除；重新授权后请填写新的时间",
        "was withdrawn, or the person erased, since; once it is given anew, write the new time",
    ),
    Trouble.FACE_OF_ANOTHER: Words(
        "这张脸可能已在另一人员名下建档（{other}），请核实",
        "this face may be enrolled under another number already ({other}); look into it",
    ),
    Trouble.FACE_ELSEWHERE: Words(
        "这张脸可能已在其他辖区建档，请核实", "this face may be enrolled in another district already; look into it"
    ),
}

EXPECTED: dict[str, Words] = {
    "psn_no": Words("1 至 30 位的人员编号", "a person number of 1 to 30 characters"),
    "psn_name": Words("1 至 50 字的姓名", "a name of 1 to 50 characters"),
    "insuplc_admdvs": Words("6 位行政区划代码", "a district code of 6 digits"),
    "psn_cert_type": Words("证件类型代码", "the code of a kind of certificate"),
    "certno": Words(
        "证件号码；居民身份证为 18 位且校验位正确",
        "a certificate's number; an identity number has 18 characters and a right check digit",
    ),
    "gend": Words("1（男）或 2（女）", "1 (male) or 2 (female)"),
    "brdy": Words("日期 yyyy-MM-dd", "a date as yyyy-MM-dd"),
    "insutype": Words("险种类型代码", "the code of an insurance kind"),
    "psn_type": Words("人员类别代码", "the code of a person kind"),
    "basis": Words("consent（单独同意）或 statutory_duty（法定职责）", "consent or statutory_duty"),
    "basis_version": Words("所出示文本的版本", "the version of the text that was shown"),
    "basis_given_at": Words("时间 yyyy-MM-dd HH:mm:ss 或日期", "a time as yyyy-MM-dd HH:mm:ss, or a date"),
    "guardian_name": Words("监护人姓名（不满 14 周岁必填）", "the guardian's name, needed under 14 years"),
    "guardian_relation": Words("监护人与本人的关系", "how the guardian is related"),
}
"""What each column is to say."""

SOMETHING_ELSE = Words("其他内容", "something else")


class RowProblem(BaseModel):
    """One thing that is wrong with a row. ``code`` is a :class:`Trouble` or a :class:`Reason`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str = Field(description="the column; `photos` or `photos.<n>` for a photo; `row` for all of it")
    code: str
    zh: str
    en: str


def problem(field: str, trouble: Trouble, **facts: object) -> RowProblem:
    """A trouble with its words; what is expected of a column is filled in."""
    words, expected = TROUBLE_WORDS[trouble], EXPECTED.get(field, SOMETHING_ELSE)
    zh, en = ({"expected": told} | facts for told in expected)
    return RowProblem(field=field, code=trouble, zh=words.zh.format(**zh), en=words.en.format(**en))


def refused_photo(field: str, reasons: tuple[Reason, ...]) -> list[RowProblem]:
    """A photo's reasons with their words."""
    return [RowProblem(field=field, code=one, zh=REASON_WORDS[one].zh, en=REASON_WORDS[one].en) for one in reasons]
