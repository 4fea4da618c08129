"""Verdicts on a swipe and the reasons a verdict or a refusal carries, each with its words in both languages."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Words(NamedTuple):
    """One meaning in Chinese and English."""

    zh: str
    en: str


class Verdict(StrEnum):
    """What the camera says about one swipe (docs/verdicts.md)."""

    MATCH = "match"
    PROXY_MATCH = "proxy_match"
    MISMATCH = "mismatch"
    HOLDER_ABSENT = "holder_absent"
    STAFF_ONLY = "staff_only"
    NOT_ASSESSABLE = "not_assessable"
    NOT_ENROLLED = "not_enrolled"
    PENDING_REFERENCE = "pending_reference"


FLAGGED = frozenset({Verdict.MISMATCH, Verdict.HOLDER_ABSENT, Verdict.STAFF_ONLY})
"""Verdicts a reviewer should look at; none of them is a finding of a violation."""


class BedVerdict(StrEnum):
    """What the camera says about one bed at one check (docs/wards.md)."""

    PRESENT = "present"
    SOMEONE_ELSE = "someone_else"
    EMPTY = "empty"
    OCCUPIED_UNSEEN = "occupied_unseen"
    NOT_ASSESSABLE = "not_assessable"
    PENDING_REFERENCE = "pending_reference"


FLAGGED_BEDS = frozenset({BedVerdict.SOMEONE_ELSE, BedVerdict.EMPTY})
"""Bed verdicts a reviewer should look at. A patient may be on leave or at an examination: no finding either."""


class Reason(StrEnum):
    """Why a verdict came out as it did, or why a face or a photo was refused."""

    # how the holder, an agent or somebody else was established
    INDEPENDENT_SAMPLES = "independent_samples"
    STRONG_SAMPLE = "strong_sample"
    APPROVED_AGENT = "approved_agent"
    EVERY_FACE_DIFFERS = "every_face_differs"
    OTHERS_NOT_ASSESSABLE = "others_not_assessable"
    AGENT_WITHOUT_PHOTO = "agent_without_photo"
    FACE_ALWAYS_THERE = "face_always_there"
    # nobody, or nobody but staff
    NOBODY_SEEN = "nobody_seen"
    ONLY_STAFF_SEEN = "only_staff_seen"
    # why nothing can be said
    NO_FOOTAGE = "no_footage"
    FOOTAGE_INCOMPLETE = "footage_incomplete"
    FOOTAGE_DAMAGED = "footage_damaged"
    NO_PICTURE = "no_picture"
    PICTURE_DARK = "picture_dark"
    PICTURE_BRIGHT = "picture_bright"
    PICTURE_BLURRED = "picture_blurred"
    PICTURE_FROZEN = "picture_frozen"
    SOMEONE_WITHOUT_FACE = "someone_without_face"
    SURROUNDINGS_UNKNOWN = "surroundings_unknown"
    NO_ASSESSABLE_FACE = "no_assessable_face"
    SCORE_BETWEEN = "score_between"
    TOO_FEW_SAMPLES = "too_few_samples"
    SAMPLES_DISAGREE = "samples_disagree"
    POOR_FACE_MAY_BE_HOLDER = "poor_face_may_be_holder"
    STAFF_OR_CUSTOMER_UNCLEAR = "staff_or_customer_unclear"
    HOLDER_OUTSIDE_ZONE = "holder_outside_zone"
    # who is not there to compare with
    PERSON_UNKNOWN = "person_unknown"
    NO_USABLE_PHOTO = "no_usable_photo"
    REFERENCE_UNREACHABLE = "reference_unreachable"
    # time and camera of a live box
    CLOCK_UNCLEAR = "clock_unclear"
    SWIPE_TIME_IMPLAUSIBLE = "swipe_time_implausible"
    CAMERA_UNFIT = "camera_unfit"
    # a bed
    BED_EMPTY = "bed_empty"
    BED_OCCUPIED_NO_FACE = "bed_occupied_no_face"
    NO_EMPTY_BED_PICTURE = "no_empty_bed_picture"
    BED_WITHOUT_PATIENT = "bed_without_patient"
    FACE_NOT_LYING = "face_not_lying"
    # quality of one face (OFIQ's component names)
    FACE_TOO_SMALL = "face_too_small"
    HEAD_TURNED = "head_turned"
    HEAD_TILTED = "head_tilted"
    FACE_BLURRED = "face_blurred"
    FACE_TOO_DARK = "face_too_dark"
    FACE_TOO_BRIGHT = "face_too_bright"
    FACE_LOW_CONTRAST = "face_low_contrast"
    FACE_CUT_OFF = "face_cut_off"
    FACE_COVERED = "face_covered"
    DETECTOR_UNSURE = "detector_unsure"
    # a photo or file
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    PHOTO_DIFFERS = "photo_differs"
    NOT_A_PICTURE = "not_a_picture"
    PICTURE_TOO_LARGE = "picture_too_large"
    UNREADABLE = "unreadable"


VERDICT_WORDS: dict[Verdict, Words] = {
    Verdict.MATCH: Words("本人", "holder present"),
    Verdict.PROXY_MATCH: Words("代办人", "approved agent"),
    Verdict.MISMATCH: Words("非本人", "somebody else"),
    Verdict.HOLDER_ABSENT: Words("无人在场", "nobody there"),
    Verdict.STAFF_ONLY: Words("仅有店员", "staff only"),
    Verdict.NOT_ASSESSABLE: Words("无法判断", "not assessable"),
    Verdict.NOT_ENROLLED: Words("未建档", "not enrolled"),
    Verdict.PENDING_REFERENCE: Words("待中心判定", "awaiting the server"),
}

BED_VERDICT_WORDS: dict[BedVerdict, Words] = {
    BedVerdict.PRESENT: Words("本人在床", "patient in bed"),
    BedVerdict.SOMEONE_ELSE: Words("床上是他人", "somebody else in bed"),
    BedVerdict.EMPTY: Words("空床", "bed empty"),
    BedVerdict.OCCUPIED_UNSEEN: Words("床上有人但看不清脸", "occupied, face not seen"),
    BedVerdict.NOT_ASSESSABLE: Words("无法判断", "not assessable"),
    BedVerdict.PENDING_REFERENCE: Words("待中心判定", "awaiting the server"),
}

REASON_WORDS: dict[Reason, Words] = {
    Reason.INDEPENDENT_SAMPLES: Words("多张相互独立的画面一致", "several independent samples agree"),
    Reason.STRONG_SAMPLE: Words("画面少但相似度很高", "few samples, but a high score"),
    Reason.APPROVED_AGENT: Words("是持卡人登记的代办人", "an approved agent of the holder"),
    Reason.EVERY_FACE_DIFFERS: Words("可辨认的人脸均与持卡人不符", "every assessable face differs from the holder"),
    Reason.OTHERS_NOT_ASSESSABLE: Words("另有人脸不清、无法比对", "other faces were there that cannot be assessed"),
    Reason.AGENT_WITHOUT_PHOTO: Words(
        "登记的代办人没有可用的建档照片，无法排除是代办人",
        "an approved agent has no usable photo, so this may be the agent",
    ),
    Reason.FACE_ALWAYS_THERE: Words(
        "这张脸一直在原处不变，可能是海报或屏幕", "the same face is always there: a poster or a screen"
    ),
    Reason.NOBODY_SEEN: Words("柜台区域内无人", "nobody in the counter zone"),
    Reason.ONLY_STAFF_SEEN: Words("柜台区域内只有店员", "only staff in the counter zone"),
    Reason.NO_FOOTAGE: Words("该时段没有录像", "no footage at that time"),
    Reason.FOOTAGE_INCOMPLETE: Words("录像不完整", "footage is incomplete"),
    Reason.FOOTAGE_DAMAGED: Words("录像有损坏", "footage is damaged"),
    Reason.NO_PICTURE: Words("没有可用画面", "no usable picture"),
    Reason.PICTURE_DARK: Words("画面过暗", "picture too dark"),
    Reason.PICTURE_BRIGHT: Words("画面过曝", "picture too bright"),
    Reason.PICTURE_BLURRED: Words("画面模糊", "picture blurred"),
    Reason.PICTURE_FROZEN: Words("画面静止不动", "picture is frozen"),
    Reason.SOMEONE_WITHOUT_FACE: Words("有人在场但看不到脸", "someone is there, but no face can be seen"),
    Reason.SURROUNDINGS_UNKNOWN: Words(
        "前后录像太短，不知此处平时的样子", "too little was recorded around it to know how the place usually looks"
    ),
    Reason.NO_ASSESSABLE_FACE: Words("人脸均不清晰，无法比对", "no face is good enough to compare"),
    Reason.SCORE_BETWEEN: Words("相似度介于两个阈值之间", "score lies between the thresholds"),
    Reason.TOO_FEW_SAMPLES: Words("独立画面太少", "too few independent samples"),
    Reason.SAMPLES_DISAGREE: Words("同一轨迹的画面互相矛盾", "samples of one track disagree"),
    Reason.POOR_FACE_MAY_BE_HOLDER: Words("一张不清晰的人脸可能是持卡人", "a poor face may be the holder"),
    Reason.STAFF_OR_CUSTOMER_UNCLEAR: Words("无法确定是店员还是顾客", "staff or customer cannot be told"),
    Reason.HOLDER_OUTSIDE_ZONE: Words(
        "持卡人或代办人可能就在柜台区域之外", "the holder or an agent may have been outside the counter zone"
    ),
    Reason.PERSON_UNKNOWN: Words("人员编号未建档", "person number is not enrolled"),
    Reason.NO_USABLE_PHOTO: Words("建档照片均不合格", "no enrolled photo passes the quality gate"),
    Reason.REFERENCE_UNREACHABLE: Words(
        "暂时取不到建档模板，由中心判定", "templates could not be reached; the server decides"
    ),
    Reason.CLOCK_UNCLEAR: Words(
        "时钟不可靠，录像与刷卡时间可能对不上", "clocks are in doubt: footage and swipe may not belong together"
    ),
    Reason.SWIPE_TIME_IMPLAUSIBLE: Words("刷卡时间明显不对", "the swipe's time cannot be right"),
    Reason.CAMERA_UNFIT: Words("摄像机被遮挡或画面失效", "camera covered or without a true picture"),
    Reason.BED_EMPTY: Words("床位画面与空床一致，且无动静", "the bed looks as it does empty, and nothing moves"),
    Reason.BED_OCCUPIED_NO_FACE: Words("床上有人或有物，但没有可辨认的脸", "something is in the bed, but no face"),
    Reason.NO_EMPTY_BED_PICTURE: Words("没有空床参照画面", "no picture of the empty bed to compare with"),
    Reason.BED_WITHOUT_PATIENT: Words(
        "该床位当前没有在院登记，或登记不止一人", "nobody, or more than one person, is admitted to this bed"
    ),
    Reason.FACE_NOT_LYING: Words(
        "另有不是躺在床上的人脸，可能是陪护或医护", "a face was there that does not lie in the bed: a visitor or staff"
    ),
    Reason.FACE_TOO_SMALL: Words("人脸太小", "face too small"),
    Reason.HEAD_TURNED: Words("侧脸", "head turned away"),
    Reason.HEAD_TILTED: Words("头部倾斜", "head tilted"),
    Reason.FACE_BLURRED: Words("人脸模糊", "face blurred"),
    Reason.FACE_TOO_DARK: Words("人脸过暗", "face too dark"),
    Reason.FACE_TOO_BRIGHT: Words("人脸过亮", "face too bright"),
    Reason.FACE_LOW_CONTRAST: Words("人脸对比度低", "face has too little contrast"),
    Reason.FACE_CUT_OFF: Words("人脸超出画面", "face is cut off by the edge"),
    Reason.FACE_COVERED: Words("面部被遮挡", "face covered"),
    Reason.DETECTOR_UNSURE: Words("不能确定是人脸", "not certain to be a face"),
    Reason.NO_FACE: Words("照片中没有人脸", "no face in the photo"),
    Reason.SEVERAL_FACES: Words("照片中有多张人脸", "several faces in the photo"),
    Reason.PHOTO_DIFFERS: Words("与此人的其他照片不像同一人", "does not look like this person's other photos"),
    Reason.NOT_A_PICTURE: Words("不是图片文件", "not a picture file"),
    Reason.PICTURE_TOO_LARGE: Words("图片像素过多", "picture has too many pixels"),
    Reason.UNREADABLE: Words("文件无法读取", "file cannot be read"),
}
