"""Every interface word of the report and of ``renzheng explain``, in Chinese and English, in one place.

Words of verdicts and reasons live with the contracts. :func:`missing` says what is not translated, not used or not
here, so that a test can hold the tables and the pages together.
"""

from __future__ import annotations

from pathlib import Path

from edge_agent.word_tables import misused, untranslated
from renzheng.contracts import TrackRole, Words

ROLE_WORDS: dict[TrackRole, Words] = {
    TrackRole.HOLDER: Words("持卡人", "holder"),
    TrackRole.AGENT: Words("代办人", "agent"),
    TrackRole.STAFF: Words("店员", "staff"),
    TrackRole.OTHER: Words("其他人", "somebody else"),
    TrackRole.UNCERTAIN: Words("不能确定", "uncertain"),
    TrackRole.CONFLICT: Words("画面矛盾", "conflicting"),
    TrackRole.NOT_ASSESSABLE: Words("无法比对", "not assessable"),
    TrackRole.OUTSIDE: Words("柜台区外", "outside the zone"),
}

FIELD_WORDS: dict[str, Words] = {
    "psn_name": Words("姓名", "name"),
    "psn_cert_type": Words("证件类型", "certificate type"),
    "certno": Words("证件号码", "certificate number"),
    "gend": Words("性别", "gender"),
    "brdy": Words("出生日期", "date of birth"),
    "insutype": Words("险种", "insurance kind"),
    "psn_type": Words("人员类别", "person kind"),
    "insuplc_admdvs": Words("参保地", "insuring district"),
    "fixmedins_name": Words("机构名称", "institution"),
    "fixmedins_type": Words("机构类型", "institution kind"),
    "mdtrt_id": Words("就诊编号", "visit number"),
    "medins_setl_id": Words("机构结算号", "institution's number"),
    "med_type": Words("医疗类别", "kind of care"),
    "mdtrt_cert_type": Words("凭证类型", "credential type"),
    "mdtrt_cert_no": Words("凭证号码", "credential number"),
    "card_sn": Words("卡识别码", "card number"),
    "medfee_sumamt": Words("费用总额", "total"),
    "fund_pay_sumamt": Words("统筹支付", "pooled fund"),
    "acct_pay": Words("个人账户支付", "personal account"),
    "acct_mulaid_pay": Words("家庭共济支付", "family pooling"),
    "psn_cash_pay": Words("现金支付", "cash"),
    "invono": Words("发票号", "invoice"),
    "opter": Words("经办人编号", "operator number"),
    "opter_name": Words("经办人", "operator"),
}

WORDS: dict[str, Words] = {
    # the page and its head
    "page_title": Words("医保刷卡人证核验报告", "Identity checks of insurance swipes"),
    "notice": Words(
        "本报告只陈述录像所见。任何结论都不是违规认定，是否违规由人员复核决定。",
        "This report states what the camera saw. No verdict in it is a finding of violation: that is for people to"
        " decide on review.",
    ),
    "notice_proxy": Words(
        "凭双方证件代他人购药是合法的；非本人持卡只是需要核实的疑点。",
        "Buying for somebody else, with both identities shown, is legal; a face that is not the holder's is a question"
        " to look into.",
    ),
    "skip": Words("跳到核验记录", "Skip to the checks"),
    "switch": Words("语言", "Language"),
    "institutions": Words("定点医药机构", "Institution"),
    "covered": Words("核验日期", "Dates"),
    "footage": Words("录像", "Footage"),
    "footage_value": Words("{n} 段，共 {length}", "{length} in {n} files"),
    "times_are": Words("时间均为北京时间（UTC+8）", "All times are China Standard Time (UTC+8)"),
    "made_at": Words("生成时间", "Made at"),
    "h_min": Words("{h} 小时 {m} 分", "{h} h {m} min"),
    "min_s": Words("{m} 分 {s} 秒", "{m} min {s} s"),
    # totals
    "totals": Words("核验结果", "Results"),
    "total_swipes": Words("次刷卡", "swipes"),
    "total_flagged": Words("次建议复核", "to be reviewed"),
    "total_unclear": Words("次未能得出结论", "without a conclusion"),
    "totals_bar": Words("各结论所占次数", "Share of each verdict"),
    "filter": Words("按结论筛选", "Filter by verdict"),
    "filter_all": Words("全部", "All"),
    "filter_flagged": Words("建议复核", "To review"),
    "shown": Words("显示 {shown} / {all} 条", "{shown} of {all} shown"),
    "warnings_seen": Words("运行中有 {n} 条提示，见文末", "Warnings during the run: {n}, see the end"),
    # timeline
    "timeline": Words("当日时间线", "The day"),
    "timeline_hint": Words("点击标记可跳到该次刷卡", "Select a mark to go to its swipe"),
    "timeline_label": Words("{day} 的录像与刷卡", "Recordings and swipes of {day}"),
    "recorded": Words("有录像", "recorded"),
    "unrecorded": Words("无录像", "no footage"),
    "recording_tip": Words("录像 {name}：{start} 至 {end}", "Recording {name}: {start} to {end}"),
    "mark_tip": Words("{time} {verdict} · {swipe}", "{time} {verdict} · {swipe}"),
    # one swipe
    "checks": Words("逐笔核验", "Each swipe"),
    "no_checks": Words("没有需要核验的刷卡记录。", "There are no swipes to check."),
    "no_match_filter": Words("没有符合筛选条件的记录。", "No swipe has this verdict."),
    "setl_id": Words("结算编号", "Settlement"),
    "psn_no": Words("人员编号", "Person"),
    "terminal": Words("终端", "Terminal"),
    "institution": Words("机构", "Institution"),
    "reasons": Words("理由", "Reasons"),
    "basis": Words("判定依据", "What decided"),
    "platform": Words("平台字段", "Platform fields"),
    "enrolled": Words("建档照片", "Enrolled photo"),
    "enrolled_alt": Words("{psn} 的建档照片", "Enrolled photo of {psn}"),
    "enrolled_none": Words("无建档照片", "No enrolled photo"),
    "photos_used": Words("合格照片 {n} 张", "{n} usable"),
    "camera": Words("录像画面", "From the camera"),
    "sample_alt": Words("刷卡 {offset} 时轨迹 {track} 的人脸", "Face of track {track} at {offset} from the swipe"),
    "sample_lost": Words("画面文件缺失", "Picture missing"),
    "still": Words("刷卡时刻的画面", "the picture at the swipe"),
    "no_samples": Words("没有可显示的人脸画面。", "No face pictures to show."),
    "track": Words("轨迹 {n}", "Track {n}"),
    "cosine": Words("相似度", "Score"),
    "quality": Words("质量", "Quality"),
    "not_compared": Words("未比对", "not compared"),
    "not_good": Words("不可比对", "not assessable"),
    # the score
    "scale": Words("与持卡人的相似度", "Similarity to the holder"),
    "scale_label": Words(
        "得分 {score}；拒绝线 {reject}，采信线 {accept}，画面少时采信线 {few}",
        "Score {score}; reject below {reject}, accept from {accept}, from {few} when samples are few",
    ),
    "no_score": Words("没有可比对的得分", "no score"),
    "reject": Words("拒绝 {value}", "reject {value}"),
    "accept": Words("采信 {value}", "accept {value}"),
    "accept_few": Words("画面少 {value}", "few samples {value}"),
    "key_marks": Words(
        "● 可比对的画面　○ 不可比对的画面　┃ 整条轨迹的得分",
        "● assessable picture  ○ not assessable  ┃ score of the whole track",
    ),
    # the window
    "window": Words("刷卡前后", "Around the swipe"),
    "window_label": Words(
        "刷卡前 {before} 秒至后 {after} 秒内的人脸轨迹",
        "Face tracks from {before} s before to {after} s after the swipe",
    ),
    "swiped": Words("刷卡", "swipe"),
    "no_tracks": Words("没有人脸轨迹", "no face tracks"),
    "more_tracks": Words("另有 {n} 条轨迹，见下表", "{n} more tracks in the table below"),
    "looked": Words(
        "录像覆盖 {share} · 查看 {frames} 帧 · 搜索 {searched}",
        "{share} recorded · {frames} frames looked at · {searched} searched",
    ),
    "damaged": Words("损坏 {n} 帧", "{n} frames damaged"),
    "presence": Words("看不到脸的人或物占柜台区 {share}", "something without a face filled {share} of the zone"),
    # table of tracks
    "tracks": Words("全部轨迹（{n}）", "All tracks ({n})"),
    "col_track": Words("轨迹", "Track"),
    "col_role": Words("判为", "Role"),
    "col_seen": Words("出现时段", "Seen"),
    "col_frames": Words("帧数", "Frames"),
    "col_zone": Words("柜台区", "In zone"),
    "col_samples": Words("画面：可比对/独立", "Samples: assessable/independent"),
    "col_agreement": Words("一致性", "Agreement"),
    "col_holder": Words("对持卡人", "Holder"),
    "col_agent": Words("对代办人", "Agent"),
    "col_staff": Words("对店员", "Staff"),
    "yes": Words("是", "yes"),
    "no": Words("否", "no"),
    # the clip
    "clip": Words("录像片段", "Clip"),
    "clip_at": Words("刷卡在片段第 {s} 秒", "the swipe is {s} s into the clip"),
    "clip_open": Words("打开文件", "Open the file"),
    "clip_none": Words("没有保留录像片段", "No clip kept"),
    "sha256": Words("SHA-256", "SHA-256"),
    # how it was done
    "method": Words("依据与运行条件", "How this was done"),
    "recordings": Words("录像文件", "Recordings"),
    "col_file": Words("文件", "File"),
    "col_start": Words("开始", "Start"),
    "col_end": Words("结束", "End"),
    "col_length": Words("时长", "Length"),
    "settings": Words("参数", "Settings"),
    "set_window": Words("核验窗口", "Window"),
    "set_window_value": Words("刷卡前 {before} 秒至后 {after} 秒", "{before} s before to {after} s after the swipe"),
    "set_offset": Words("时钟偏差", "Clock offset"),
    "set_offset_value": Words("终端时间 {offset} = 摄像机时间", "terminal time {offset} = camera time"),
    "set_thresholds": Words("阈值", "Thresholds"),
    "set_thresholds_value": Words(
        "{name}：采信 ≥ {accept}（画面少时 ≥ {few}），拒绝 < {reject}",
        "{name}: accept ≥ {accept} (≥ {few} when samples are few), reject < {reject}",
    ),
    "set_rates": Words("目标误识率 / 漏识率", "Target FMR / FNMR"),
    "set_pack": Words("模型", "Model pack"),
    "set_licences": Words("模型许可", "Model licences"),
    "set_version": Words("程序版本", "Agent version"),
    "set_unused": Words("档案中未刷卡的人数", "Enrolled people without a swipe"),
    "refused": Words("未采用的建档照片（{n}）", "Enrolment photos refused ({n})"),
    "col_reason": Words("原因", "Reason"),
    "bad_rows": Words("未采用的刷卡记录行（{n}）", "Rows of the swipe list left out ({n})"),
    "warnings": Words("提示（{n}）", "Warnings ({n})"),
    "parameters": Words("运行参数", "Run parameters"),
    "foot": Words(
        "人证 Renzheng · 机器只提供线索，结论由人作出。", "Renzheng 人证 · The machine shows; people decide."
    ),
    # the rule that decided
    "rule_match": Words(
        "轨迹 {track} 得分 {score} ≥ 采信线 {accept}，独立画面 {independent} 张",
        "Track {track} scores {score} ≥ accept {accept}; independent samples: {independent}",
    ),
    "rule_match_few": Words(
        "轨迹 {track} 得分 {score} ≥ 画面少时采信线 {few}，独立画面 {independent} 张",
        "Track {track} scores {score} ≥ {few}, the accept for few samples; independent samples: {independent}",
    ),
    "rule_proxy_match": Words(
        "轨迹 {track} 与登记代办人 {agent} 相符，得分 {agent_score}",
        "Track {track} is the approved agent {agent}, score {agent_score}",
    ),
    "rule_mismatch": Words(
        "{n} 条可比对的轨迹全部低于拒绝线 {reject}，最高 {score}",
        "Every assessable track ({n}) lies below reject {reject}; the highest is {score}",
    ),
    "rule_holder_absent": Words(
        "摄像机正常，窗口已录 {recorded}，柜台区内没有人",
        "The camera was healthy, {recorded} of the window is recorded, and nobody was in the counter zone",
    ),
    "rule_staff_only": Words("柜台区内的 {n} 条轨迹都是店员", "Every track in the counter zone ({n}) is staff"),
    "rule_not_assessable": Words(
        "证据不足以得出结论；看不清不作为认定非本人的依据",
        "The evidence does not carry a verdict; a poor picture is never taken for somebody else",
    ),
    "rule_not_enrolled": Words("没有可与之比对的建档照片", "There is no enrolled photo to compare with"),
    "rule_pending_reference": Words(
        "暂时取不到建档模板，样本加密后由中心按同一规则判定",
        "Templates could not be reached; sealed samples go to the server, which decides by the same rule",
    ),
    # renzheng explain
    "ex_swipe": Words("刷卡", "Swipe"),
    "ex_verdict": Words("结论", "Verdict"),
    "ex_window": Words("窗口", "Window"),
    "ex_offset": Words("时钟偏差 {offset}", "clock offset {offset}"),
    "ex_coverage": Words("覆盖", "Coverage"),
    "ex_faults": Words("画面问题：{faults}", "picture faults: {faults}"),
    "ex_photos": Words("建档照片 {n} 张合格", "{n} enrolled photos usable"),
    "ex_thresholds": Words("阈值", "Thresholds"),
    "ex_pack": Words("模型", "Pack"),
    "ex_tracks": Words("轨迹", "Tracks"),
    "ex_track": Words(
        "轨迹 {track}：{role}，{first} 至 {last}，{frames} 帧，{zone}",
        "Track {track}: {role}, {first} to {last}, {frames} frames, {zone}",
    ),
    "ex_in_zone": Words("柜台区内", "in the counter zone"),
    "ex_out_zone": Words("柜台区外", "outside the counter zone"),
    "ex_track_samples": Words(
        "画面 {samples} 张，可比对 {assessable}，相互独立 {independent}；集中度 {concentration}，最低一致 {lowest}",
        "{samples} samples, {assessable} assessable, {independent} independent; concentration {concentration},"
        " lowest agreement {lowest}",
    ),
    "ex_holder": Words("对持卡人 {score}：{standing}", "against the holder {score}: {standing}"),
    "ex_above": Words("达到采信线", "reaches accept"),
    "ex_few_short": Words(
        "达到采信线，但画面少，未到 {few}", "reaches accept, but samples are few and it is under {few}"
    ),
    "ex_between": Words("介于拒绝线与采信线之间", "lies between reject and accept"),
    "ex_below": Words("低于拒绝线", "lies below reject"),
    "ex_unscored": Words("未与持卡人比对", "not compared with the holder"),
    "ex_agent": Words("对代办人 {who} {score}", "against agent {who} {score}"),
    "ex_staff": Words("对店员 {who} {score}", "against staff {who} {score}"),
    "ex_sample": Words(
        "{offset}　质量 {quality}　相似度 {score}　{state}", "{offset}  quality {quality}  score {score}  {state}"
    ),
    "ex_good": Words("可比对", "assessable"),
    "ex_poor": Words("不可比对：{failed}", "not assessable: {failed}"),
    "ex_unknown": Words("未注明", "not said"),
    "ex_recomputed": Words("重新计算", "Recomputed"),
    "ex_agrees": Words("一致：同样得出“{verdict}”", "agrees: again “{verdict}”"),
    "ex_reasons_differ": Words("结论一致，理由不同：{reasons}", "same verdict, other reasons: {reasons}"),
    "ex_differs": Words(
        "不一致：重新计算得出“{verdict}”（{reasons}），请勿采用此记录",
        "DIFFERS: recomputation gives “{verdict}” ({reasons}); do not rely on this record",
    ),
    "ex_not_recomputed": Words("未重新计算", "not recomputed"),
}


def _sources() -> dict[str, str]:
    """Name to text of every file that may use interface words."""
    here = Path(__file__).parent
    files = [here / "explain.py", *sorted((here / "report").glob("*.*"))]
    wanted = (file for file in files if file.suffix in {".py", ".html", ".js", ".css"})
    return {file.name: file.read_text(encoding="utf-8") for file in wanted}


def missing() -> list[str]:
    """What is wrong with the tables: a language missing, a word unused, used but unknown, or written elsewhere."""
    tables = {
        "WORDS": WORDS,
        "FIELD_WORDS": FIELD_WORDS,
        "ROLE_WORDS": {role.value: ROLE_WORDS[role] for role in ROLE_WORDS},
    }
    found = list(untranslated(tables, mixed={"foot"}))
    found += [f"ROLE_WORDS: no words for {role.value!r}" for role in TrackRole if role not in ROLE_WORDS]
    return found + list(misused(WORDS, _sources()))
