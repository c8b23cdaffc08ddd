"""The HTTP API over a store of lookup tables and predictors.

`create_app` makes the application, `Store` is the store that the command line uses too; both are imported when they are
first used. Distributions needed besides those of `predictors`: alembic, archgauge-client, fastapi, jinja2, orjson,
platformdirs, plotly, sqlalchemy, swagger-ui-bundle, uvicorn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from service.settings import Settings

if TYPE_CHECKING:
    from service.app import create_app
    from service.server import in_background, listen, serve
    from service.store import Store

_HOMES = {
    "create_app": "service.app", "in_background": "service.server", "listen": "service.server",
    "serve": "service.server", "Store": "service.store",
}  # fmt: skip

__all__ = ["Settings", "Store", "create_app", "in_background", "listen", "serve"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'service' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
