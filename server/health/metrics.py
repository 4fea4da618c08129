"""``/metrics`` for Prometheus: requests are counted as they end, the rest is read from the database when asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.context import Server
from server.errors import Unavailable
from server.health import repository
from server.keeping.periodic import Periodic

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "renzheng_server"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
NO_ROUTE = "none"


class ServerMetrics:
    """One server's metrics, in a registry of their own. No label holds an id, a name or a number of a person."""

    def __init__(self, server: Server, periodic: Periodic) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_StateCollector(server, periodic))
        self._requests = Counter(
            f"{_PREFIX}_requests", "Requests by route and status.", ("method", "route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            f"{_PREFIX}_request_seconds", "Time to the end of the answer.", ("route",), buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request ended."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)


class CountRequests:
    """ASGI middleware that counts every request by the template of its route."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it when it ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            method = scope["method"] if route != NO_ROUTE else NO_ROUTE
            self._metrics.answered(method, route, status, time.monotonic() - begun)


class _StateCollector(Collector):
    """Counts from the database; without it, only that it does not answer."""

    def __init__(self, server: Server, periodic: Periodic) -> None:
        self._server = server
        self._periodic = periodic

    def describe(self) -> Iterator[Metric]:
        """Nothing: names are told by :meth:`collect`, which would ask the database."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """The present state."""
        yield from self._jobs()
        try:
            with self._server.database.transaction(writes=False) as session:
                state = repository.state_of(session)
        except Unavailable:
            yield _gauge("database_up", "1 when the database answers.", 0)
            return
        yield _gauge("database_up", "1 when the database answers.", 1)
        yield _gauge("checks_waiting", "Checks that the server has yet to decide.", state.checks_waiting)
        yield _gauge("checks_to_join", "Checks that the join has yet to look at.", state.checks_to_join)
        yield _gauge("settlements_waiting", "Settlements that wait for join or box.", state.settlements_waiting)
        yield _gauge("sessions", "Logins that have not ended.", state.sessions)
        yield _gauge("newest_check_timestamp_seconds", "When the last check arrived.", state.newest_check_s)
        notices = GaugeMetricFamily(f"{_PREFIX}_notices", "Open notices by kind.", labels=["kind"])
        for kind, count in state.notices.items():
            notices.add_metric([kind], count)
        yield notices
        boxes = GaugeMetricFamily(f"{_PREFIX}_boxes", "Enrolled boxes, by whether they are quiet.", labels=["quiet"])
        quiet = state.notices.get("box_quiet", 0)
        boxes.add_metric(["no"], max(0, state.boxes - quiet))
        boxes.add_metric(["yes"], quiet)
        yield boxes

    def _jobs(self) -> Iterator[Metric]:
        yield _gauge("periodic_alive", "1 while the thread of periodic jobs runs.", int(self._periodic.alive))
        done = CounterMetricFamily(f"{_PREFIX}_jobs", "Periodic jobs that this server did.", labels=["job", "outcome"])
        for outcome, counts in (("done", self._periodic.done), ("failed", self._periodic.failures)):
            for job, count in counts.items():
                done.add_metric([job, outcome], count)
        yield done


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, value=value)
