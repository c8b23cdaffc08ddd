"""The HTTP API over a store of lookup tables and predictors.

`service.app.create_app` makes the application, `service.store.Store` is the store that the command line uses too.
Distributions needed besides those of `predictors`: alembic, archgauge-client, fastapi, jinja2, orjson, platformdirs,
sqlalchemy, swagger-ui-bundle, uvicorn.
"""
