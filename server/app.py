"""The application: every room's routes over one server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI

import renzheng
from server.audit_log import api as audit_log
from server.checks import api as checks
from server.clips import api as clips
from server.clips.tus import upload_router
from server.context import Server
from server.devices import api as devices
from server.enrolment import api as enrolment
from server.health import api as health
from server.health.metrics import CountRequests, ServerMetrics
from server.join import api as join
from server.keeping import api as keeping
from server.keeping.jobs import JOBS
from server.keeping.periodic import Periodic
from server.limits import Limits, SafeHeaders
from server.openapi import describe
from server.people import api as people
from server.problems import add_handlers
from server.settlements import api as settlements
from server.sites import api as sites
from server.users import api as users

ROOMS = (users, sites, devices, people, enrolment, checks, clips, settlements, join, keeping, audit_log, health)


def create_app(server: Server) -> FastAPI:
    """The application of a server that was opened; it is closed when the application ends."""

    periodic = Periodic(server, JOBS)
    metrics = ServerMetrics(server, periodic)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        periodic.start()
        yield
        await to_thread.run_sync(periodic.stop)
        server.close()

    app = FastAPI(
        title="Renzheng 人证",
        version=renzheng.__version__,
        description="The central review server. Times are UTC with a zone; amounts are yuan with two decimals.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.server, app.state.periodic, app.state.metrics = server, periodic, metrics
    add_handlers(app)
    routers = [*(room.router for room in ROOMS), upload_router(server)]
    for router in routers:
        app.include_router(router)
    app.add_middleware(Limits, settings=server.settings)
    app.add_middleware(SafeHeaders, https=server.settings.cookie_secure)
    app.add_middleware(CountRequests, metrics=metrics)
    describe(app, routers)
    return app
