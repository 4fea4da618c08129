"""What Prometheus reads."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge_agent.box.metrics import BoxMetrics
from edge_agent.box.view import CurrentProblem, Problem
from renzheng.contracts import BedVerdict, Verdict
from tests.edge_agent.box.sample_box import SampleView, a_healthy_box, a_troubled_box

Labels = tuple[tuple[str, str], ...]


def read(metrics: BoxMetrics) -> dict[tuple[str, Labels], float]:
    """Every sample by its name and labels."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


@pytest.fixture
def view() -> SampleView:
    return SampleView(a_troubled_box())


@pytest.fixture
def metrics(view: SampleView) -> BoxMetrics:
    return BoxMetrics(view)


def labels(**given: str) -> Labels:
    return tuple(sorted(given.items()))


def test_every_name_begins_alike_and_says_its_unit(metrics: BoxMetrics) -> None:
    text = metrics.text().decode()
    names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(names) == len(set(names)) > 35
    assert all(name.startswith("renzheng_edge_") for name in names)
    for wrong in ("_ms", "_kib", "_mb", "_percent"):
        assert not [name for name in names if name.endswith(wrong)]


def test_each_camera_has_its_numbers(metrics: BoxMetrics) -> None:
    samples = read(metrics)
    of = {name: value for (name, found), value in samples.items() if found == labels(camera="ward-3f")}
    assert of["renzheng_edge_camera_packets_total"] == 4_319_204
    assert of["renzheng_edge_camera_reconnects_total"] == 41
    assert of["renzheng_edge_camera_gaps_total"] == 42
    assert of["renzheng_edge_camera_ring_bytes"] == 18 * 2**30
    assert of["renzheng_edge_camera_fit"] == 0
    assert of["renzheng_edge_camera_ring_disk_full"] == 0
    assert samples["renzheng_edge_camera_state", labels(camera="ward-3f", state="stalled")] == 1
    assert samples["renzheng_edge_camera_state", labels(camera="ward-3f", state="live")] == 0
    assert samples["renzheng_edge_camera_fault", labels(camera="ward-3f", fault="picture_dark")] == 1
    assert samples["renzheng_edge_camera_visits_this_hour", labels(camera="counter-1")] == 7
    assert samples["renzheng_edge_camera_eye_distance_pixels", labels(camera="counter-1")] == 61.4


def test_what_a_camera_has_not_measured_has_no_sample(metrics: BoxMetrics) -> None:
    names = {name for name, found in read(metrics) if found == labels(camera="door")}
    assert "renzheng_edge_camera_packets_total" in names
    assert not names & {
        "renzheng_edge_camera_fit",
        "renzheng_edge_camera_eye_distance_pixels",
        "renzheng_edge_camera_last_packet_timestamp_seconds",
    }


def test_outbox_disk_drops_and_problems_are_there(metrics: BoxMetrics, view: SampleView) -> None:
    samples = read(metrics)
    assert samples["renzheng_edge_outbox_waiting", labels(kind="clip")] == 9
    assert samples["renzheng_edge_outbox_oldest_seconds", ()] == 5411
    assert samples["renzheng_edge_outbox_refused", ()] == 2
    assert samples["renzheng_edge_evidence_bytes", ()] == 18 * 2**30
    assert samples["renzheng_edge_disk_free_bytes", ()] == 211 * 2**30
    assert samples["renzheng_edge_dropped_total", labels(kind="clip_dropped_budget")] == 3
    assert samples["renzheng_edge_restarts_total", labels(process="recorder door")] == 4
    assert samples["renzheng_edge_rejected_total", labels(source="csv")] == 2
    assert samples["renzheng_edge_queue_depth", labels(queue="final")] == 3
    assert samples["renzheng_edge_server_state", labels(state="unreachable")] == 1
    assert samples["renzheng_edge_problem", labels(problem="evidence_low", stops="false")] == 1
    assert samples["renzheng_edge_problem", labels(problem="vision_down", stops="true")] == 0
    assert samples["renzheng_edge_ready", ()] == 1
    view.shown = replace(view.shown, problems=(CurrentProblem(Problem.VISION_DOWN),))
    assert read(metrics)["renzheng_edge_ready", ()] == 0


def test_finished_checks_are_counted_and_every_verdict_begins_at_none(metrics: BoxMetrics) -> None:
    for behind_s in (0.3, 1.2, 9.0):
        metrics.check_finished("swipe", Verdict.MATCH, waited_s=4 + behind_s, behind_s=behind_s)
    metrics.check_finished("bed", BedVerdict.EMPTY, waited_s=None, behind_s=0.4)
    metrics.opinion_given(0.8)
    samples = read(metrics)
    assert samples["renzheng_edge_checks_total", labels(kind="swipe", verdict="match")] == 3
    assert samples["renzheng_edge_checks_total", labels(kind="bed", verdict="empty")] == 1
    assert samples["renzheng_edge_checks_total", labels(kind="swipe", verdict="mismatch")] == 0
    assert samples["renzheng_edge_verdict_after_window_seconds_bucket", labels(le="1.5")] == 3
    assert samples["renzheng_edge_verdict_after_window_seconds_count", ()] == 4
    assert samples["renzheng_edge_verdict_seconds_count", labels(stage="final")] == 3
    assert samples["renzheng_edge_verdict_seconds_bucket", labels(stage="opinion", le="1.0")] == 1


def test_two_agents_in_one_process_keep_their_metrics_apart() -> None:
    one, other = BoxMetrics(SampleView(a_healthy_box())), BoxMetrics(SampleView(a_healthy_box()))
    one.swipe_taken("http", "new")
    assert ("renzheng_edge_swipes_total", labels(source="http", receipt="new")) in read(one)
    assert ("renzheng_edge_swipes_total", labels(source="http", receipt="new")) not in read(other)


def test_a_box_without_cameras_has_metrics(view: SampleView, metrics: BoxMetrics) -> None:
    view.shown = replace(view.shown, cameras=())
    assert read(metrics)["renzheng_edge_disk_free_bytes", ()] > 0
