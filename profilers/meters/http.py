"""An external meter that answers over HTTP with JSON, such as a smart plug."""

from __future__ import annotations

import math
from typing import Any

from profilers.errors import MeterUnavailable
from profilers.meters.base import Channel, Meter
from profilers.meters.units import UNITS

#: A meter that takes longer to answer has no answer.
_TIMEOUT_S = 1.0


class HttpMeter(Meter):
    """``argument`` is an address with the path of a number in the answer and its unit after ``#``.

    ``http://plug.local/rpc/Switch.GetStatus?id=0#apower:W`` reads ``{"apower": 41.5}`` as watts; dots lead into objects
    and lists (``emeters.0.power:W``). Units are those of `profilers.meters.units`. ``client`` is an httpx client.
    """

    name = "http"
    scope = "external"
    interval_s = 0.1
    tick_s = 1.0
    lag_s = 1.0

    def __init__(self, argument: str = "", client: Any = None) -> None:
        self._url, _, place = argument.partition("#")
        path, _, unit = place.rpartition(":")
        if not self._url or not path or unit.lower() not in UNITS:
            raise MeterUnavailable(
                f"{argument!r} does not say where a number is; write http://plug.local/status#power:W, with one of the "
                f"units {', '.join(UNITS)}"
            )
        self._path = path.split(".")
        kind, self._factor = UNITS[unit.lower()]
        self.method = "counter" if kind == "energy_j" else "meter"
        self.channels = (Channel(path, kind),)
        self._client = client or _client()
        if self.read() == (None,):
            self.close()
            raise MeterUnavailable(f"{self._url} does not answer with a number at {path}")

    def read(self) -> tuple[float | None, ...]:
        import httpx

        try:
            answer = self._client.get(self._url, timeout=_TIMEOUT_S)
            found: Any = answer.raise_for_status().json()
            for step in self._path:
                found = found[int(step)] if isinstance(found, list) else found[step]
            value = float(found)
        except (httpx.HTTPError, LookupError, TypeError, ValueError):
            return (None,)
        return (value * self._factor if math.isfinite(value) else None,)

    def close(self) -> None:
        self._client.close()


def _client() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise MeterUnavailable("httpx is not installed; pip install 'archgauge[agent]'") from error
    return httpx.Client()
