"""The parts that a running service is made of, and how endpoints get at them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.agents.desk import Desk
from service.agents.watching import Watch
from service.engine import PricingEngine
from service.jobs import Supervisor
from service.keys import KeyRing
from service.metrics import Metrics
from service.rates import Rates
from service.recorder import Recorder
from service.settings import Settings
from service.spaces import Shelf
from service.stopping import StopSignal
from service.store import Store
from service.workers import Workers


@dataclass(frozen=True, slots=True)
class Service:
    """Made when the application starts, closed when it stops."""

    settings: Settings
    store: Store
    engine: PricingEngine
    shelf: Shelf
    workers: Workers
    recorder: Recorder
    keys: KeyRing
    #: Carries out jobs, unless `archgauge worker` does.
    supervisor: Supervisor | None
    metrics: Metrics
    rates: Rates
    stopping: StopSignal
    #: Places for batches.
    batches: asyncio.Semaphore
    #: Where agents ask.
    desk: Desk
    #: What agents are doing, for who looks.
    watch: Watch

    @classmethod
    def start(cls, settings: Settings, metrics: Metrics | None = None) -> Service:
        """Open the store (upgrading its database) and start the threads."""
        store = Store.open(settings.data_dir, settings.database_url, settings.store_url)
        metrics, stopping = metrics or Metrics(), StopSignal()
        supervisor = Supervisor(store.database, settings) if settings.embedded_worker else None
        if supervisor is not None:
            supervisor.start()
        engine = PricingEngine(store, settings, metrics)
        return cls(
            settings=settings,
            store=store,
            engine=engine,
            shelf=Shelf(store, engine.predictors.get, settings.max_compiled_spaces),
            workers=Workers(settings.worker_threads, settings.max_waiting, metrics),
            recorder=Recorder(
                store.database, settings.max_stored_predictions, metrics, eager=settings.sync_predictions
            ),
            keys=KeyRing(store.database, settings.refresh_s),
            supervisor=supervisor,
            metrics=metrics,
            rates=Rates(),
            stopping=stopping,
            batches=asyncio.Semaphore(settings.max_batches),
            desk=Desk(store.database, settings.lease_ttl_s, stopping),
            watch=Watch(store.database),
        )

    async def close(self) -> None:
        """Finish what is under way; a job is given back instead."""
        if self.supervisor is not None:
            await asyncio.to_thread(self.supervisor.stop)
        await self.workers.close()
        await self.recorder.close()
        self.store.close()


async def current_service(request: Request) -> Service:
    """The service that the application started."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


CurrentService = Annotated[Service, Depends(current_service)]
