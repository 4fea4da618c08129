"""A day at one counter with every verdict, drawn faces and the facts of its run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge_agent.report import RecordingFact, RefusedPhoto, ReportFacts
from renzheng.contracts import Coverage, FaceSample, IdentityCheck, Reason, TrackRole, Verdict
from tests.edge_agent.builders import PACK, THRESHOLDS, a_check, a_clip, a_sample, a_track, draw_face

MORNING = datetime(2026, 5, 1, 1, 0, 0, tzinfo=UTC)
"""09:00:00 in Asia/Shanghai."""


class SampleDay:
    """Builds checks one after another, drawing what they show into ``out_dir``."""

    def __init__(self, out_dir: Path) -> None:
        self.out_dir = out_dir
        self.checks: list[IdentityCheck] = []
        self._swipe = 0

    def shots(self, person: int, track: int, at: datetime, offsets: list[float], **given: Any) -> Iterator[FaceSample]:
        """Samples of one person with drawn crops."""
        similarities = given.pop("similarities", [None] * len(offsets))
        light = 0.35 if Reason.FACE_TOO_DARK in given.get("failed", ()) else 1.0
        for i, (offset, similarity) in enumerate(zip(offsets, similarities, strict=True)):
            crop = f"faces/S{self._swipe:04d}-{track}-{i}.jpg"
            draw_face(self.out_dir / crop, person, turn=(i - 2) / 2, light=light * (0.92 + i % 3 * 0.04))
            yield a_sample(track, offset, at=at, similarity=similarity, crop=crop, **given)

    def add(self, minute: float, person: int, verdict: Verdict, *reasons: Reason, **given: Any) -> None:
        """One check, its id and person number made up."""
        at = MORNING + timedelta(minutes=minute)
        given.setdefault("coverage", Coverage(recorded_share=1.0, frames_looked=50, searched_share=1.0))
        clip = a_clip(f"clips/S{self._swipe:04d}.mp4", at=at) if given.pop("clipped", True) else None
        check = a_check(
            verdict,
            at=at,
            swipe_id=f"3302812026050109{self._swipe:04d}",
            psn_no=f"3302810000000000{person:04d}",
            reasons=reasons,
            clip=clip,
            **given,
        )
        self.checks.append(check)
        self._swipe += 1

    def at(self, minute: float) -> datetime:
        """A moment of the day."""
        return MORNING + timedelta(minutes=minute)


def _holder(day: SampleDay, minute: float, person: int) -> None:
    at = day.at(minute)
    tracks = [
        a_track(0, TrackRole.HOLDER, at=at),
        a_track(1, TrackRole.STAFF, at=at, first_s=-6, last_s=4, staff_score=0.71, staff_id="clerk-01"),
    ]
    samples = day.shots(
        person, 0, at, [-2.9, -1.2, 0.1, 1.3, 2.0], similarities=[0.58, 0.63, 0.55, 0.61, 0.49], quality=0.86
    )
    seen = Coverage(recorded_share=1.0, frames_looked=23, searched_share=0.46)
    day.add(
        minute,
        person,
        Verdict.MATCH,
        Reason.INDEPENDENT_SAMPLES,
        tracks=tracks,
        samples=tuple(samples),
        score=0.612,
        coverage=seen,
    )


def _strong(day: SampleDay, minute: float, person: int) -> None:
    at = day.at(minute)
    track = a_track(0, at=at, holder_score=0.688, samples=2, assessable_samples=1, independent_samples=1)
    good = day.shots(person, 0, at, [-0.8], similarities=[0.688])
    poor = list(day.shots(person, 0, at, [0.9], similarities=[0.41], failed=(Reason.HEAD_TURNED, Reason.FACE_BLURRED)))
    day.add(minute, person, Verdict.MATCH, Reason.STRONG_SAMPLE, tracks=[track], samples=(*good, *poor), score=0.688)


def _somebody_else(day: SampleDay, minute: float, person: int) -> None:
    at = day.at(minute)
    other = a_track(0, TrackRole.OTHER, at=at, holder_score=0.071, samples=3)
    second = a_track(
        2,
        TrackRole.OTHER,
        at=at,
        holder_score=-0.034,
        first_s=-6,
        last_s=-3.5,
        samples=1,
        assessable_samples=1,
        independent_samples=1,
    )
    passing = a_track(3, TrackRole.OUTSIDE, at=at, first_s=1, last_s=3.2)
    samples = [
        *day.shots(person + 3, 0, at, [-2.0, -0.4, 1.4], similarities=[0.05, 0.09, 0.02]),
        *day.shots(person + 5, 2, at, [-4.2], similarities=[-0.034]),
    ]
    reasons = (Reason.EVERY_FACE_DIFFERS,)
    day.add(
        minute, person, Verdict.MISMATCH, *reasons, tracks=[other, second, passing], samples=tuple(samples), score=0.071
    )


def _agent(day: SampleDay, minute: float, person: int) -> None:
    at = day.at(minute)
    track = a_track(
        0, TrackRole.AGENT, at=at, holder_score=0.102, agent_score=0.655, agent_psn_no="33028100000000000042"
    )
    samples = day.shots(person + 7, 0, at, [-1.9, -0.3, 1.6], similarities=[0.11, 0.08, 0.12])
    day.add(
        minute, person, Verdict.PROXY_MATCH, Reason.APPROVED_AGENT, tracks=[track], samples=tuple(samples), score=0.102
    )


def _nobody(day: SampleDay, minute: float, person: int) -> None:
    day.add(minute, person, Verdict.HOLDER_ABSENT, Reason.NOBODY_SEEN)


def _staff(day: SampleDay, minute: float, person: int) -> None:
    at = day.at(minute)
    track = a_track(
        0, TrackRole.STAFF, at=at, first_s=-6, last_s=4, holder_score=0.04, staff_score=0.74, staff_id="clerk-01"
    )
    samples = day.shots(11, 0, at, [-4.0, -1.1, 2.2], similarities=[0.03, 0.05, 0.01])
    day.add(
        minute, person, Verdict.STAFF_ONLY, Reason.ONLY_STAFF_SEEN, tracks=[track], samples=tuple(samples), score=0.04
    )


def _turned(day: SampleDay, minute: float, person: int) -> None:
    at = day.at(minute)
    track = a_track(0, TrackRole.NOT_ASSESSABLE, at=at, assessable_samples=0, independent_samples=0, samples=2)
    between = a_track(1, TrackRole.UNCERTAIN, at=at, holder_score=0.301, first_s=-1, last_s=4, independent_samples=1)
    samples = [
        *day.shots(
            person, 0, at, [-2.2, 0.7], similarities=[None, None], failed=(Reason.HEAD_TURNED, Reason.FACE_TOO_DARK)
        ),
        *day.shots(person + 4, 1, at, [1.9], similarities=[0.301], quality=0.4),
    ]
    seen = Coverage(
        recorded_share=0.994,
        frames_looked=44,
        searched_share=1.0,
        damaged_frames=3,
        picture_faults=(Reason.PICTURE_DARK,),
        unexplained_presence=0.12,
    )
    reasons = (Reason.SCORE_BETWEEN, Reason.POOR_FACE_MAY_BE_HOLDER, Reason.FOOTAGE_DAMAGED)
    day.add(
        minute,
        person,
        Verdict.NOT_ASSESSABLE,
        *reasons,
        tracks=[track, between],
        samples=tuple(samples),
        score=0.301,
        coverage=seen,
    )


def _no_footage(day: SampleDay, minute: float, person: int) -> None:
    seen = Coverage(recorded_share=0.0, frames_looked=0, searched_share=0.0)
    day.add(minute, person, Verdict.NOT_ASSESSABLE, Reason.NO_FOOTAGE, coverage=seen, clipped=False)


def _unknown(day: SampleDay, minute: float, person: int) -> None:
    at = day.at(minute)
    track = a_track(0, TrackRole.UNCERTAIN, at=at)
    samples = tuple(day.shots(person, 0, at, [-1.0, 1.0]))
    day.add(
        minute, person, Verdict.NOT_ENROLLED, Reason.PERSON_UNKNOWN, tracks=[track], samples=samples, reference_photos=0
    )


def sample_day(out_dir: Path) -> tuple[list[IdentityCheck], ReportFacts]:
    """Fourteen checks of one day and what the report says about the run."""
    day = SampleDay(out_dir)
    kinds = [
        (7.5, _holder), (21.2, _strong), (52, _somebody_else), (71, _agent), (96, _nobody), (133, _no_footage),
        (201, _staff), (201.8, _staff), (202.5, _staff), (203.3, _staff), (258, _turned), (290, _unknown),
        (331, _holder), (402, _holder),
    ]  # fmt: skip
    for person, (minute, build) in enumerate(kinds):
        build(day, minute, person)
    return day.checks, _facts(day)


def _facts(day: SampleDay) -> ReportFacts:
    known = [check.psn_no for check in day.checks if check.verdict is not Verdict.NOT_ENROLLED]
    enrolled = {psn_no: draw_face(day.out_dir / f"faces/enrolled-{psn_no}.jpg", int(psn_no[-4:])) for psn_no in known}
    pieces = [(0, 60), (60, 60), (150, 60), (212, 58), (285, 135)]
    return ReportFacts(
        title="余姚市 康宁大药房（中山路店） 柜台 1",
        recordings=tuple(_piece(day, start, minutes) for start, minutes in pieces),
        thresholds=THRESHOLDS,
        pack=PACK,
        clock_offset_s=-1.5,
        licences=("YuNet: MIT (OpenCV Zoo)", "SFace: Apache-2.0 (OpenCV Zoo)"),
        refused_photos=(RefusedPhoto("33028100000000000007", "20190304.jpg", Reason.FACE_TOO_SMALL),),
        unused_people=23,
        bad_rows=("swipes.csv, line 18: setl_time: expected yyyy-MM-dd HH:mm:ss, got '5月1日'",),
        warnings=("20260501T113000+0800.mp4: ends 4.2 s before its last packet says",),
        enrolled=enrolled,
        platform_fields={check.swipe_id: _platform(i) for i, check in enumerate(day.checks)},
        parameters=(("--before", "6"), ("--after", "4"), ("--pack", "opencv-zoo")),
        agent_version="0.1.0",
    )


def _piece(day: SampleDay, start: float, minutes: float) -> RecordingFact:
    begin, end = day.at(start), day.at(start + minutes)
    name = f"{(begin + timedelta(hours=8)):%Y%m%dT%H%M%S}+0800.mp4"
    return RecordingFact(name, begin, end, minutes * 60.0)


def _platform(i: int) -> dict[str, str]:
    names = ["王秀英", "李建国", "张桂兰", "刘志强", "陈玉珍", "杨海燕", "黄丽华", "赵明", "周文斌", "吴凤英"]
    return {
        "psn_name": names[i % len(names)],
        "certno": "11010519491231002X",
        "med_type": "41",
        "medfee_sumamt": f"{86.4 + i * 13.7:.2f}",
        "acct_pay": f"{86.4 + i * 13.7:.2f}",
    }
