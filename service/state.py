"""The parts that a running service is made of, and how endpoints get at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.engine import PricingEngine
from service.keys import KeyRing
from service.recorder import Recorder
from service.settings import Settings
from service.store import Store
from service.workers import Workers


@dataclass(frozen=True, slots=True)
class Service:
    """Made when the application starts, closed when it stops."""

    settings: Settings
    store: Store
    engine: PricingEngine
    workers: Workers
    recorder: Recorder
    keys: KeyRing

    @classmethod
    def start(cls, settings: Settings) -> Service:
        """Open the store (upgrading its database) and start the threads."""
        store = Store.open(settings.data_dir, settings.database_url)
        return cls(
            settings=settings,
            store=store,
            engine=PricingEngine(store, settings),
            workers=Workers(settings.worker_threads, settings.max_waiting),
            recorder=Recorder(store.database, settings.max_stored_predictions),
            keys=KeyRing(store.database, settings.refresh_s),
        )

    async def close(self) -> None:
        """Finish what is under way."""
        await self.workers.close()
        await self.recorder.close()
        self.store.close()


def current_service(request: Request) -> Service:
    """The service that the application started."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


CurrentService = Annotated[Service, Depends(current_service)]
