"""Every word of the box's page and of its answers to terminals, in Chinese and English, in one place."""

from __future__ import annotations

from pathlib import Path

from edge_agent.box.view import Problem, ServerState
from edge_agent.word_tables import misused, untranslated
from renzheng.contracts import CameraState, Words

PROBLEM_WORDS: dict[Problem, Words] = {
    Problem.STARTING: Words("正在启动", "starting"),
    Problem.STOPPING: Words("正在停止", "stopping"),
    Problem.VISION_DOWN: Words("图像分析进程未运行", "the vision process is down"),
    Problem.STORAGE_FULL: Words("磁盘已满，暂不能接收刷卡", "the disk is full; swipes cannot be taken"),
    Problem.CAMERA_NOT_LIVE: Words("摄像机没有画面", "a camera gives no picture"),
    Problem.CAMERA_UNFIT: Words("摄像机画面不可用", "a camera's picture is unfit"),
    Problem.RING_FULL: Words("录像没有空间", "no room for recording"),
    Problem.RECORDER_RESTARTING: Words("录像进程正在重启", "a recorder is being started again"),
    Problem.EVIDENCE_LOW: Words("证据空间不足", "little room is left for evidence"),
    Problem.SERVER_UNREACHABLE: Words("连不上中心", "the server cannot be reached"),
    Problem.DEVICE_REVOKED: Words("本机凭证已被中心撤销", "the server has revoked this box"),
    Problem.CLOCK_STEPPED: Words("本机时钟被调整过", "the box's clock was set"),
    Problem.TERMINAL_LOST: Words(
        "终端已不在配置中，有未核验的刷卡", "swipes wait for a terminal that is not configured"
    ),
    Problem.SOURCE_FAILED: Words("刷卡来源出错", "a source of swipes has failed"),
}

EVENT_WORDS: dict[str, Words] = {
    "evidence_space_low": Words("证据空间不足", "little room is left for evidence"),
    "evidence_space_full": Words("证据空间已满", "the room for evidence is used up"),
    "evidence_space_enough": Words("证据空间恢复充足", "there is room for evidence again"),
    "evidence_unclaimed": Words("有核验记录以外的证据，已保留", "evidence that no check names was found and kept"),
    "bed_check_missed": Words("错过一次查床", "a bed check was missed"),
    "store_damaged": Words("数据库损坏，已移开并新建", "the store was damaged; a new one was begun"),
    "template_cache_damaged": Words("模板缓存损坏，已重建", "the template cache was damaged; a new one was begun"),
    "clip_lost": Words("一段录像片段丢失或被改动", "a clip is gone or was changed"),
    "delivery_refused": Words("中心拒收一条记录", "the server refused a delivery"),
    "delivery_not_taken": Words("中心一直不收一条记录", "the server keeps failing over a delivery"),
}
"""Events that are not the beginning or the end of a :class:`Problem`."""

COUNT_WORDS: dict[str, Words] = {
    "glance": Words("客流观察", "glances"),
    "event": Words("事件", "events"),
    "clip_dropped_budget": Words("未留录像（空间不足）", "clips for want of room"),
    "bed_check_missed": Words("错过的查床", "bed checks"),
    "swipe_conflict": Words("同号异容的刷卡", "other swipes under a known id"),
    "vision": Words("图像分析", "vision"),
    "swipes": Words("待核验刷卡", "swipes"),
}
"""Names of counters; those of processes and sources stay as they are."""

CAMERA_STATE_WORDS: dict[CameraState, Words] = {
    CameraState.CONNECTING: Words("连接中", "connecting"),
    CameraState.LIVE: Words("正常", "live"),
    CameraState.STALLED: Words("停滞", "stalled"),
    CameraState.WAITING: Words("等待重连", "waiting to reconnect"),
    CameraState.REFUSED: Words("被拒绝", "refused"),
    CameraState.STOPPED: Words("已停止", "stopped"),
}

SERVER_STATE_WORDS: dict[ServerState, Words] = {
    ServerState.NONE: Words("未配置", "not configured"),
    ServerState.REACHED: Words("已连接", "reached"),
    ServerState.UNREACHABLE: Words("连不上", "unreachable"),
    ServerState.REVOKED: Words("凭证已撤销", "revoked"),
}

WORDS: dict[str, Words] = {
    "page_title": Words("人证核验终端", "Identity check box"),
    "skip": Words("跳到核验记录", "Skip to the checks"),
    "switch": Words("语言", "Language"),
    "device": Words("设备", "Device"),
    "since": Words("启动于", "Running since"),
    "seen_at": Words("本页时间", "This page"),
    # how it stands
    "standing": Words("运行状况", "How it stands"),
    "all_well": Words("一切正常", "All is well"),
    "all_well_more": Words("正在接收并核验刷卡。", "Swipes are taken and checked."),
    "partly": Words("可以核验，但有问题", "Working, with problems"),
    "partly_more": Words(
        "刷卡照常接收并核验；下列问题需要处理。", "Swipes are taken and checked; see to what follows."
    ),
    "not_ready": Words("暂时不能核验", "Not checking"),
    "not_ready_more": Words("在下列问题排除之前不会核验刷卡。", "No swipe is checked until this is put right."),
    "event_over": Words("已解除：{what}", "over: {what}"),
    "problem_since": Words("自 {time} 起", "since {time}"),
    # figures
    "today": Words("今日", "Today"),
    "total_checks": Words("次核验", "checks"),
    "total_flagged": Words("次建议复核", "to be reviewed"),
    "total_open": Words("次待出结论", "open"),
    "server": Words("中心", "Server"),
    "waiting": Words("待上传", "Waiting to be sent"),
    "waiting_value": Words(
        "{checks} 条记录 · {clips} 段录像 · {reports} 份报告", "{checks} checks · {clips} clips · {reports} reports"
    ),
    "oldest": Words("最早的已等待 {age}", "the oldest for {age}"),
    "refused": Words("中心拒收 {n}", "{n} refused by the server"),
    "acknowledged": Words("最近确认于 {time}", "last acknowledged at {time}"),
    "evidence": Words("证据空间", "Evidence"),
    "evidence_value": Words("{used} / {budget}", "{used} of {budget}"),
    "disk_free": Words("磁盘剩余", "Disk free"),
    # cameras
    "cameras": Words("摄像机", "Cameras"),
    "camera": Words("摄像机", "Camera"),
    "state": Words("状态", "State"),
    "last_picture": Words("最近画面", "Last picture"),
    "ago": Words("{age}前", "{age} ago"),
    "never": Words("尚无", "none yet"),
    "ring": Words("录像", "Recorded"),
    "ring_of": Words("{used} / {budget}", "{used} of {budget}"),
    "picture": Words("画面", "Picture"),
    "fit": Words("可用", "fit"),
    "unmeasured": Words("未测", "not measured"),
    "eyes": Words("眼距 {px} 像素", "{px} px between the eyes"),
    "assessable": Words("可比对 {share}", "{share} assessable"),
    "visits": Words("今日到柜台人次", "Visits today"),
    "trouble": Words("重连 / 中断", "Reconnects / gaps"),
    "show": Words("看画面", "Show"),
    "hide": Words("收起画面", "Hide the picture"),
    "snapshot": Words(
        "{camera} 的当前画面：绿框为柜台前，蓝框为店员，隐私区已遮盖",
        "{camera} now: counter outlined green, staff blue, private zones black",
    ),
    "snapshot_hint": Words(
        "画面不保存，只在打开时显示一次，随页面更新。",
        "The picture is not stored; it is shown while it is open and renewed with the page.",
    ),
    # checks
    "checks": Words("最近核验", "Last checks"),
    "no_checks": Words("还没有核验记录。", "No checks yet."),
    "col_time": Words("时间", "Time"),
    "col_subject": Words("编号", "Number"),
    "col_place": Words("终端 / 床位", "Terminal / bed"),
    "col_verdict": Words("结论", "Verdict"),
    "col_reasons": Words("理由", "Reasons"),
    "col_took": Words("用时", "Took"),
    "open": Words("核验中", "being checked"),
    "notice": Words(
        "结论只陈述录像所见，不是违规认定；是否违规由人员复核决定。",
        "A verdict states what the camera saw. It is no finding of violation: that is for people to decide on review.",
    ),
    # the rest
    "events": Words("最近事件", "Last events"),
    "counted": Words("计数", "Counts"),
    "counted_dropped": Words("放弃的", "Dropped"),
    "counted_restarts": Words("重启", "Restarted"),
    "counted_rejected": Words("不是刷卡记录的输入", "Input that was no swipe"),
    "counted_queues": Words("排队", "Queued"),
    "times_are": Words("时间均为北京时间（UTC+8）", "All times are China Standard Time (UTC+8)"),
    "renewed": Words("每 {s} 秒更新", "renewed every {s} s"),
    "no_persons": Words("本页不含人员编号和姓名", "this page holds no person numbers or names"),
    # lengths of time
    "age_s": Words("{n} 秒", "{n} s"),
    "age_min": Words("{n} 分", "{n} min"),
    "age_h": Words("{n} 小时", "{n} h"),
    "age_d": Words("{n} 天", "{n} d"),
}


def missing() -> list[str]:
    """What is wrong with the tables: a language missing, a word unused, used but unknown, or written elsewhere."""
    tables = {
        "PROBLEM_WORDS": {kind.value: words for kind, words in PROBLEM_WORDS.items()},
        "CAMERA_STATE_WORDS": {kind.value: words for kind, words in CAMERA_STATE_WORDS.items()},
        "EVENT_WORDS": EVENT_WORDS,
        "COUNT_WORDS": COUNT_WORDS,
        "SERVER_STATE_WORDS": {kind.value: words for kind, words in SERVER_STATE_WORDS.items()},
    }
    found = list(untranslated({"box WORDS": WORDS, **tables}))
    kinds_of = {"PROBLEM_WORDS": Problem, "CAMERA_STATE_WORDS": CameraState, "SERVER_STATE_WORDS": ServerState}
    for name, kinds in kinds_of.items():
        table = tables[name]
        found += [f"{name}: no words for {kind.value!r}" for kind in kinds if kind.value not in table]
    here = Path(__file__).parent
    files = [*here.glob("*.html"), here / "pages.py"]
    return found + list(misused(WORDS, {file.name: file.read_text("utf-8") for file in files}, "box WORDS"))
