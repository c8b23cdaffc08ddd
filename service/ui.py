"""HTML pages: templates that escape every value, and the files beside them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse

_HERE = Path(__file__).parent
_STATIC = _HERE / "static"
_STATIC_FILES = frozenset({"site.css", "docs.js"})


def render(template: str, **values: object) -> HTMLResponse:
    """A template of ``service/templates`` as a response."""
    return HTMLResponse(_environment().get_template(template).render(values))


def static_file(name: str) -> FileResponse:
    """A file of ``service/static``."""
    if name not in _STATIC_FILES:
        raise HTTPException(404)
    return FileResponse(_STATIC / name, headers={"Cache-Control": "public, max-age=3600"})


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["percent"] = lambda share: "–" if share is None else f"{100 * share:.1f} %"
    return environment
