"""How settlements were joined, or why they were not, in both languages."""

from __future__ import annotations

from typing import Final

from renzheng.contracts import Words
from server.tables import PairingMethod, UnjoinedReason

_W = UnjoinedReason

METHOD_WORDS: Final[dict[PairingMethod, Words]] = {
    PairingMethod.SETL_ID: Words("按结算编号关联", "joined by the settlement's number"),
    PairingMethod.NEAREST_TIME: Words("按人员、终端与最近时间关联", "joined by person, terminal and nearest time"),
}

UNJOINED_WORDS: Final[dict[UnjoinedReason, Words]] = {
    _W.WAITING: Words("等待核验送达", "its check may still come"),
    _W.UNKNOWN_INSTITUTION: Words("机构未登记", "the institution is not known here"),
    _W.NO_BOX: Words("机构未安装终端", "the institution has no box"),
    _W.BOX_NOT_HEARD: Words("当时终端失联", "its box was not heard of at that time"),
    _W.NO_CHECK_NEAR: Words("时间相近处没有核验", "no check near its time"),
    _W.AMBIGUOUS: Words("有多条核验相符，无法确定", "several checks fit it equally well"),
    _W.ID_CONTRADICTED: Words("编号相同而人员或机构不符", "same number, but another person or institution"),
    _W.NOT_AT_A_COUNTER: Words("并非柜台刷卡结算", "not a swipe at a counter"),
    _W.CHECK_EXPIRED: Words("核验记录已到期删除", "its check was deleted when its time was over"),
}
