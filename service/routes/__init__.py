"""The endpoints, one subject per file."""

from service.routes import docs, health, keys, lookup_tables, pages, predictions, predictors, targets

ROUTERS = (
    predictions.router,
    targets.router,
    lookup_tables.router,
    predictors.router,
    keys.router,
    health.router,
    docs.router,
    pages.router,
)

__all__ = ["ROUTERS"]
