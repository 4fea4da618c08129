"""Routes for whatever watches the server; none of them tells anything of anybody."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from server.context import ServerOfRequest
from server.health.metrics import CONTENT_TYPE
from server.health.readiness import Readiness, readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process alive")
def healthz() -> dict[str, str]:
    """Answers as long as the process does; asks nobody else."""
    return {"status": "ok"}


@router.get("/readyz", summary="Can it do its work now", responses={503: {"model": Readiness}})
def readyz(request: Request, server: ServerOfRequest, response: Response) -> Readiness:
    """200 when the database answers and is migrated, the store can be written and periodic jobs run; else 503."""
    told = readiness(server, request.app.state.periodic)
    response.status_code = 200 if told.ready else 503
    return told


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response,
            responses={200: {"content": {"text/plain": {}}}})  # fmt: skip
def metrics(request: Request) -> Response:
    """Counts of requests, jobs and what waits. Let nobody but the monitoring reach it."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE)
