"""The application. ``create_app(settings)`` makes it; nothing is opened before it starts."""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from threadpoolctl import threadpool_limits

from service import logs, problems
from service.allowances import limit_rate
from service.auth import authenticate
from service.context import RequestContext
from service.limits import BodyLimit
from service.metrics import Metrics
from service.openapi import install as install_openapi
from service.routes import ROUTERS, batches
from service.routes._page import explain
from service.settings import Settings
from service.state import Service

_DESCRIPTION = """
Tells what a neural architecture will cost on a device — latency, energy, memory — without running it there.

Send an ONNX file or a graph in the JSON form; weights are not needed. Errors are
[problem documents](https://www.rfc-editor.org/rfc/rfc9457), with the request's id in `request_id`.
"""


def create_app(settings: Settings, *, dedicated: bool = False) -> FastAPI:
    """The ASGI application over the data directory that ``settings`` name.

    In a ``dedicated`` process, which does nothing else, the garbage collector no longer looks at what was loaded at the
    start: half a million objects of libraries, which would cost a request 100 ms now and then.
    """

    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = Service.start(settings, metrics)
        app.state.service = service
        if dedicated:
            service.stopping.listen()
        try:
            await warm_up(service)
            if dedicated:
                # Products here are small, and requests have threads of their own.
                threadpool_limits(1, user_api="blas")
                gc.collect()
                gc.freeze()
                gc.set_threshold(50_000, 20, 100)  # requests make many objects and hardly any cycles
                # A batch is read and sent while threads calculate: at 5 ms a turn it could not be read fast enough.
                sys.setswitchinterval(0.001)
            yield
        finally:
            await service.close()

    app = FastAPI(
        title="ArchGauge", version="1", summary="What a neural architecture will cost on a device",
        description=_DESCRIPTION, docs_url=None, redoc_url=None, lifespan=lifespan,
        dependencies=[Depends(authenticate), Depends(limit_rate)],
    )  # fmt: skip
    problems.install(app, ROUTERS, explain)
    install_openapi(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes, endless=frozenset({batches.PATH}))
    app.add_middleware(RequestContext, metrics=metrics)  # added last: the outermost
    return app


def create_app_from_environment() -> FastAPI:
    """For ASGI servers that start several processes: settings come from ``ARCHGAUGE_…`` variables."""
    settings = Settings.from_environment()
    logs.configure(settings.log_format, settings.log_level)
    return create_app(settings, dedicated=True)


async def warm_up(service: Service) -> None:
    """Load the predictor that answers by default, so that the first request does not wait for it."""
    try:
        record = await service.workers.run(lambda _: service.engine.warm_up(), service.settings.request_time_limit_s)
    except Exception as error:  # not a reason not to start: /readyz says so until it is mended
        logs.log.warning("no predictor is loaded: %s", error)
    else:
        logs.log.info("predictor loaded", extra={"fields": {"target": record.target_id, "predictor": record.version}})
