"""``/metrics`` for Prometheus: gauges come from the box's state when asked, checks are counted as they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge_agent.box.view import NOT_READY, BoxState, BoxView, CameraView, Problem, ServerState
from renzheng.clock import to_seconds
from renzheng.contracts import BedVerdict, CameraState, Verdict

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "renzheng_edge"
_SECONDS = (1.0, 2.0, 3.0, 4.0, 4.5, 5.0, 5.5, 6.0, 8.0, 10.0, 15.0, 30.0, 60.0, 300.0)
"""Edges of the histograms: a window ends 4 s after its swipe, and the verdict is due 1.5 s later."""


class BoxMetrics:
    """One agent's metrics, in a registry of their own."""

    def __init__(self, view: BoxView) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_StateCollector(view))
        self._checks = Counter(f"{_PREFIX}_checks", "Finished checks.", ("kind", "verdict"), registry=self._registry)
        self._swipes = Counter(f"{_PREFIX}_swipes", "Swipes handed in.", ("source", "receipt"), registry=self._registry)
        self._refused = Counter(
            f"{_PREFIX}_http_refused", "Swipes over HTTP that were not taken.", ("why",), registry=self._registry
        )
        self._waited = Histogram(
            f"{_PREFIX}_verdict_seconds",
            "From the swipe's arrival to its first opinion or final verdict.",
            ("stage",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._behind = Histogram(
            f"{_PREFIX}_verdict_after_window_seconds",
            "From the end of a check's window to its final verdict.",
            buckets=(0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 600.0),
            registry=self._registry,
        )
        for kind, verdicts in (("swipe", Verdict), ("bed", BedVerdict)):
            for verdict in verdicts:
                self._checks.labels(kind, verdict.value)

    def swipe_taken(self, source: str, receipt: str) -> None:
        """A swipe was handed in; ``receipt`` is new, known or conflict."""
        self._swipes.labels(source, receipt).inc()

    def refused(self, why: str) -> None:
        """A terminal's request was not taken; ``why`` is the answer's code."""
        self._refused.labels(why).inc()

    def opinion_given(self, waited_s: float) -> None:
        """A first opinion came so many seconds after its swipe arrived."""
        self._waited.labels("opinion").observe(waited_s)

    def check_finished(
        self, kind: str, verdict: Verdict | BedVerdict, *, waited_s: float | None, behind_s: float
    ) -> None:
        """A check ended ``behind_s`` after its window and, of a swipe, ``waited_s`` after it arrived."""
        self._checks.labels(kind, verdict.value).inc()
        self._behind.observe(behind_s)
        if waited_s is not None:
            self._waited.labels("final").observe(waited_s)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)


class _StateCollector(Collector):
    def __init__(self, view: BoxView) -> None:
        self._view = view

    def describe(self) -> Iterator[Metric]:
        """Nothing: names are known when asked, and the registry need not ask while the agent starts."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        state = self._view.state()
        yield from _of_box(state)
        yield from _of_cameras(state)


def _of_box(state: BoxState) -> Iterator[Metric]:
    yield _labelled("build", "Version of the agent; always 1.", ("version",), {(state.agent_version,): 1})
    yield _gauge("started_timestamp_seconds", "When the agent started.", state.started_s)
    yield _gauge("ready", "Whether swipes are taken and checked.", state.is_ready)
    standing = {problem.kind for problem in state.problems}
    yield _labelled(
        "problem",
        "Whether there is a problem of this kind; stops says whether nothing is checked meanwhile.",
        ("problem", "stops"),
        {(kind.value, str(kind in NOT_READY).lower()): kind in standing for kind in Problem},
    )
    yield _labelled(
        "server_state",
        "1 for the state the line to the server is in.",
        ("state",),
        {(kind.value,): kind is state.server for kind in ServerState},
    )
    yield _by_name("outbox_waiting", "Deliveries that wait for the server.", "kind", state.outbox.waiting)
    yield _gauge("outbox_refused", "Deliveries the server will never take.", state.outbox.refused)
    yield _gauge("outbox_oldest_seconds", "Age of what has waited longest.", state.outbox.oldest_s or 0)
    if state.outbox.last_acknowledged_s is not None:
        yield _gauge(
            "outbox_acknowledged_timestamp_seconds",
            "When the server last acknowledged anything.",
            state.outbox.last_acknowledged_s,
        )
    yield _gauge("evidence_bytes", "Evidence kept on the box.", state.evidence_bytes)
    yield _gauge("evidence_budget_bytes", "Most it may be.", state.evidence_budget_bytes)
    yield _gauge("disk_free_bytes", "Free on the disk of the box's data.", state.disk_free_bytes)
    yield _by_name("queue_depth", "Things that wait inside the agent.", "queue", state.queues)
    yield _by_name("dropped", "What was dropped, by kind.", "kind", state.dropped, counts=True)
    yield _by_name("restarts", "Processes started again.", "process", state.restarts, counts=True)
    yield _by_name("rejected", "What a source brought that was no swipe.", "source", state.rejected, counts=True)


def _of_cameras(state: BoxState) -> Iterator[Metric]:
    cameras = state.cameras

    def per_camera(name: str, text: str, values: Mapping[str, float | None], counts: bool = False) -> Metric:
        return _by_name(f"camera_{name}", text, "camera", values, counts=counts)

    yield _labelled(
        "camera_state",
        "1 for the state the camera's connection is in.",
        ("camera", "state"),
        {(c.camera_id, kind.value): kind is c.state for c in cameras for kind in CameraState},
    )
    for name, (text, value_of) in _CAMERA_COUNTERS.items():
        yield per_camera(name, text, {c.camera_id: value_of(c) for c in cameras}, counts=True)
    for name, (text, reading_of) in _CAMERA_GAUGES.items():
        yield per_camera(name, text, {c.camera_id: reading_of(c) for c in cameras})
    fitness = {c.camera_id: c.fitness for c in cameras if c.fitness is not None}
    yield per_camera("fit", "Whether its picture shows no fault.", {k: not f.faults for k, f in fitness.items()})
    yield _labelled(
        "camera_fault",
        "1 for each fault of its picture.",
        ("camera", "fault"),
        {(name, fault.value): 1 for name, found in fitness.items() for fault in found.faults},
    )
    yield per_camera(
        "assessable_ratio", "Share of its faces that can be compared.",
        {k: f.assessable_share for k, f in fitness.items()},
    )  # fmt: skip
    yield per_camera(
        "eye_distance_pixels", "Median between the eyes.", {k: f.eye_distance_px for k, f in fitness.items()}
    )
    yield per_camera("visits_this_hour", "People who came to its counter this hour.", _visits(state))


def _visits(state: BoxState) -> dict[str, float | None]:
    hours = {
        c.camera_id: [h for h in c.footfall if to_seconds(h.hour_start) > state.now_s - 3600] for c in state.cameras
    }
    return {name: sum(hour.visits for hour in found) for name, found in hours.items()}


_CAMERA_COUNTERS: dict[str, tuple[str, Callable[[CameraView], float]]] = {
    "packets": ("Packets received.", lambda c: c.packets),
    "received_bytes": ("Bytes received.", lambda c: c.received_bytes),
    "dropped_packets": ("Packets that could not be kept.", lambda c: c.dropped_packets),
    "reconnects": ("Connections made again.", lambda c: c.reconnects),
    "gaps": ("Times in which nothing was recorded.", lambda c: c.gaps),
    "clock_steps": ("Times the box's clock was set.", lambda c: c.clock_steps),
    "timestamp_jumps": ("Times its time stamps jumped.", lambda c: c.timestamp_jumps),
    "parameter_changes": ("Times its stream changed on the way.", lambda c: c.parameter_changes),
    "recorder_restarts": ("Times its recorder was started again.", lambda c: c.recorder_restarts),
}

_CAMERA_GAUGES: dict[str, tuple[str, Callable[[CameraView], float | None]]] = {
    "last_packet_timestamp_seconds": ("When its last packet came.", lambda c: c.last_packet_s),
    "ring_bytes": ("Size of its ring.", lambda c: c.ring_bytes),
    "ring_budget_bytes": ("Most it may be.", lambda c: c.ring_budget_bytes),
    "ring_start_timestamp_seconds": ("Beginning of what is recorded.", lambda c: c.recorded_from_s),
    "ring_end_timestamp_seconds": ("End of what is recorded.", lambda c: c.recorded_until_s),
    "ring_disk_full": ("Whether its ring finds no room.", lambda c: c.disk_full),
}


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, value=float(value))


def _by_name(name: str, text: str, label: str, values: Mapping[str, float | None], *, counts: bool = False) -> Metric:
    known: dict[tuple[str, ...], float] = {(key,): value for key, value in values.items() if value is not None}
    return _labelled(name, text, (label,), known, counts=counts)


def _labelled(
    name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float], *, counts: bool = False
) -> Metric:
    family = CounterMetricFamily if counts else GaugeMetricFamily
    metric = family(f"{_PREFIX}_{name}", text, labels=labels)
    for key, value in values.items():
        metric.add_metric(key, float(value))
    return metric
