"""What can be the matter at a site, with its words in both languages."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from renzheng.contracts.reasons import REASON_WORDS, Words


class NoticeKind(StrEnum):
    """What somebody should see to."""

    CAMERA_UNFIT = "camera_unfit"
    CAMERA_SILENT = "camera_silent"
    CAMERA_CLAIMED_TWICE = "camera_claimed_twice"
    BOX_QUIET = "box_quiet"
    CLOCK_OFF = "clock_off"
    OUTBOX_OLD = "outbox_old"
    EVIDENCE_LOW = "evidence_low"


OF_A_CAMERA = frozenset({NoticeKind.CAMERA_UNFIT, NoticeKind.CAMERA_SILENT})
"""The others are of a device."""

FEW_ASSESSABLE_FACES = "few_assessable_faces"
"""A cause that no single picture has, beside those of :class:`~renzheng.contracts.Reason`."""

NOTICE_WORDS: dict[NoticeKind, Words] = {
    NoticeKind.CAMERA_UNFIT: Words("这台摄像机认不出人", "this camera cannot identify anyone"),
    NoticeKind.CAMERA_SILENT: Words("这台摄像机没有录像", "nothing is recorded of this camera"),
    NoticeKind.CAMERA_CLAIMED_TWICE: Words(
        "摄像机名称与同一机构的另一台设备重复，后来的未采用",
        "another box of the institution has a camera of the same name; this box's was left out",
    ),
    NoticeKind.BOX_QUIET: Words("设备失去联系", "this box has gone quiet"),
    NoticeKind.CLOCK_OFF: Words("设备时钟与中心不一致", "this box's clock differs from the server's"),
    NoticeKind.OUTBOX_OLD: Words("设备上有数据长时间未能上传", "something has waited long on this box to be sent"),
    NoticeKind.EVIDENCE_LOW: Words("设备的证据空间即将用完", "room for evidence is running out on this box"),
}

_CAUSE_WORDS: dict[str, Words] = {
    **{reason.value: words for reason, words in REASON_WORDS.items()},
    FEW_ASSESSABLE_FACES: Words("能用于比对的人脸太少", "too few of the faces can be compared"),
}


def words_of_causes(causes: Iterable[str]) -> list[Words]:
    """Words of what makes a camera unfit; a cause that this version does not know is left out."""
    return [_CAUSE_WORDS[cause] for cause in causes if cause in _CAUSE_WORDS]
