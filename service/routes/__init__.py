"""The endpoints, one subject per file."""

from service.routes import (
    agents,
    batches,
    campaigns,
    docs,
    health,
    jobs,
    keys,
    leases,
    lookup_tables,
    pages,
    pages_compare,
    pages_session,
    pages_spaces,
    pages_targets,
    predictions,
    predictors,
    promotions,
    search_spaces,
    targets,
)

ROUTERS = (
    predictions.router,
    batches.router,
    search_spaces.router,
    targets.router,
    lookup_tables.router,
    predictors.router,
    promotions.router,
    jobs.router,
    agents.router,
    leases.router,
    campaigns.router,
    keys.router,
    health.router,
    docs.router,
    pages.router,
    pages_compare.router,
    pages_targets.router,
    pages_spaces.router,
    pages_session.router,
)

__all__ = ["ROUTERS"]
