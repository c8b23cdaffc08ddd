"""Requests against `service.rates`: whose bucket, and what happens when it is empty."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from service.auth import is_public
from service.errors import TooManyRequests
from service.rates import Allowance
from service.state import Service


def allowance_of(request: Request, service: Service) -> Allowance:
    """The allowance of who sent ``request``, after `service.auth.authenticate`."""
    principal = getattr(request.state, "principal", None)
    if principal is not None and principal.key is not None:
        return Allowance(service.rates, f"key {principal.id}", service.settings.rate_per_key)
    host = request.client.host if request.client else "unknown"
    return Allowance(service.rates, f"address {host}", service.settings.rate_per_address)


async def limit_rate(request: Request) -> Allowance:
    """Take one token for a request of the API.

    Raises:
        TooManyRequests: there is none.
    """
    service: Service = request.app.state.service
    if is_public(request.url.path):
        return Allowance(service.rates, "everybody", 0.0)
    allowance = allowance_of(request, service)
    wait_s = service.rates.take(allowance.client, allowance.rate, 1.0)
    if wait_s > 0.0:
        raise TooManyRequests(
            f"at most {allowance.rate:g} requests per second are answered for one client; come back in {wait_s:.2g} s",
            wait_s,
        )
    return allowance


CurrentAllowance = Annotated[Allowance, Depends(limit_rate)]
