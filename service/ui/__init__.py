"""The dashboard: templates that escape every value, the files beside them, and what pages show of stored data.

`formats` writes numbers, `assets` serves files, the other modules make what the templates need out of answers, reports
and manifests. Pages hold no inline script or style; what moves is in ``service/static``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from service.references import is_reference
from service.ui import assets, formats

_TEMPLATES = Path(__file__).parent.parent / "templates"


def render(template: str, status: int = 200, /, **values: object) -> HTMLResponse:
    """A template of ``service/templates`` as a response."""
    return HTMLResponse(fragment(template, **values), status, {"Cache-Control": "no-cache"})


def fragment(template: str, /, **values: object) -> str:
    """A template as HTML: a part of a page, such as is sent when it has changed."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(formats.FILTERS)
    environment.tests.update(reference=is_reference)
    environment.globals.update(static=assets.url, inserted_styles=assets.inserted_styles)
    return environment
