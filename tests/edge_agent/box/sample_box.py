"""A box with something of everything, for its page, metrics and answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from edge_agent.box.view import (
    BoxState,
    CameraView,
    CheckView,
    CurrentProblem,
    OutboxView,
    Problem,
    ServerState,
)
from renzheng.clock import from_seconds, to_seconds
from renzheng.contracts import (
    AgentEvent,
    BedVerdict,
    CameraFitness,
    CameraState,
    HourlyFootfall,
    Reason,
    Verdict,
)
from tests.edge_agent.sample_day import MORNING

NOW_S = to_seconds(MORNING) + 2 * 3600 + 754.2
PICTURE = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


def a_camera(camera_id: str = "counter-1", state: CameraState = CameraState.LIVE, **changed: object) -> CameraView:
    """One that has run for two days."""
    hour = from_seconds(NOW_S).replace(minute=0, second=0, microsecond=0)
    fitness = CameraFitness(
        measured_at=from_seconds(NOW_S - 4), looks=6, faces=9, assessable_share=0.78, eye_distance_px=61.4
    )
    camera = CameraView(
        camera_id,
        state,
        since_s=NOW_S - 7300,
        last_packet_s=NOW_S - 0.1,
        packets=4_319_204,
        received_bytes=41_233_000_111,
        reconnects=2,
        gaps=3,
        codec="h264",
        resolution_wh=(1920, 1080),
        ring_bytes=18 * 2**30,
        ring_budget_bytes=20 * 2**30,
        recorded_from_s=NOW_S - 2.1 * 86400,
        recorded_until_s=NOW_S - 0.3,
        fitness=fitness,
        footfall=(
            HourlyFootfall(hour_start=hour, visits=7, most_at_once=2, looks=80),
            HourlyFootfall(hour_start=hour - timedelta(hours=1), visits=12, most_at_once=3, looks=360),
            HourlyFootfall(hour_start=hour - timedelta(days=1), visits=99, most_at_once=3, looks=360),
        ),
    )
    return replace(camera, **changed)  # type: ignore[arg-type]


def _checks() -> tuple[CheckView, ...]:
    def swipe(number: int, ago_s: float, verdict: Verdict | None, *reasons: Reason) -> CheckView:
        at_s = NOW_S - ago_s
        done_s = None if verdict is None else at_s + 4.9 + number % 3 / 10
        name = f"3302812026050111{number:04d}"
        return CheckView(name, "swipe", "POS-01", at_s, "http", at_s + 0.2, verdict, reasons, done_s)

    return (
        swipe(31, 2.2, None),
        swipe(30, 95, Verdict.MATCH, Reason.INDEPENDENT_SAMPLES),
        swipe(29, 240, Verdict.MISMATCH, Reason.EVERY_FACE_DIFFERS, Reason.OTHERS_NOT_ASSESSABLE),
        swipe(28, 410, Verdict.PROXY_MATCH, Reason.APPROVED_AGENT),
        swipe(27, 800, Verdict.NOT_ASSESSABLE, Reason.NO_ASSESSABLE_FACE),
        CheckView(
            "2026-05-01-night-2-bed-07", "bed", "bed-07", NOW_S - 1200, verdict=BedVerdict.OCCUPIED_UNSEEN,
            reasons=(Reason.BED_OCCUPIED_NO_FACE,), finished_s=NOW_S - 1186,
        ),
        CheckView(
            "2026-05-01-night-2-bed-08", "bed", "bed-08", NOW_S - 1260, verdict=BedVerdict.PRESENT,
            reasons=(Reason.INDEPENDENT_SAMPLES,), finished_s=NOW_S - 1250,
        ),
        swipe(26, 2000, Verdict.PENDING_REFERENCE, Reason.REFERENCE_UNREACHABLE),
        swipe(25, 2600, Verdict.HOLDER_ABSENT, Reason.NOBODY_SEEN),
        swipe(24, 14 * 3600, Verdict.STAFF_ONLY, Reason.ONLY_STAFF_SEEN),
    )  # fmt: skip


def a_healthy_box() -> BoxState:
    """Nothing is wrong with it."""
    return BoxState(
        now_s=NOW_S,
        started_s=NOW_S - 12.4 * 86400,
        agent_version="0.1.0",
        device_id="yuyao-p0012-box",
        fixmedins_code="P33028100012",
        cameras=(a_camera(), a_camera("ward-3f", ring_bytes=2**30, footfall=())),
        recent=_checks(),
        checks_today={Verdict.MATCH: 61, Verdict.MISMATCH: 1, Verdict.HOLDER_ABSENT: 1, BedVerdict.PRESENT: 38},
        server=ServerState.REACHED,
        outbox=OutboxView({"check": 1, "clip": 0}, 0, 2.4, NOW_S - 31),
        evidence_bytes=3 * 2**30,
        evidence_budget_bytes=20 * 2**30,
        disk_free_bytes=211 * 2**30,
    )


def a_troubled_box() -> BoxState:
    """Works, with half a dozen problems."""
    faults = (Reason.PICTURE_DARK, Reason.CAMERA_UNFIT)
    dark = CameraFitness(measured_at=from_seconds(NOW_S - 9), looks=6, faces=0, faults=faults)
    return replace(
        a_healthy_box(),
        cameras=(
            a_camera(),
            a_camera("door", CameraState.REFUSED, last_packet_s=None, recorded_from_s=None, recorded_until_s=None,
                     fitness=None, footfall=(), ring_bytes=0, resolution_wh=None, last_error="401 Unauthorized"),
            a_camera("ward-3f", CameraState.STALLED, last_packet_s=NOW_S - 47, reconnects=41, gaps=42, fitness=dark,
                     footfall=()),
        ),
        problems=(
            CurrentProblem(Problem.CAMERA_NOT_LIVE, "door", "401 Unauthorized", NOW_S - 86400 * 2),
            CurrentProblem(Problem.CAMERA_UNFIT, "ward-3f", "", NOW_S - 300),
            CurrentProblem(Problem.SERVER_UNREACHABLE, None, "connect: timed out", NOW_S - 5400),
            CurrentProblem(Problem.EVIDENCE_LOW),
        ),
        server=ServerState.UNREACHABLE,
        outbox=OutboxView({"check": 112, "clip": 9, "report": 18}, 2, 5411.0, NOW_S - 5411),
        evidence_bytes=18 * 2**30,
        dropped={"glance": 41, "clip_dropped_budget": 3},
        restarts={"vision": 1, "recorder door": 4},
        rejected={"csv": 2},
        queues={"final": 3},
        events=(
            AgentEvent(at=from_seconds(NOW_S - 5400), kind="server_unreachable"),
            AgentEvent(at=from_seconds(NOW_S - 9000), kind="clock_stepped", detail="+0.8 s"),
        ),
    )  # fmt: skip


class SampleView:
    """Shows one state; every camera of it has the same picture, but for one that is refused."""

    def __init__(self, state: BoxState) -> None:
        self.shown = state
        self.picture = PICTURE

    def state(self) -> BoxState:
        """As given."""
        return self.shown

    async def snapshot(self, camera_id: str) -> bytes | None:
        """As given."""
        known = {camera.camera_id for camera in self.shown.cameras if camera.state is not CameraState.REFUSED}
        return self.picture if camera_id in known else None
