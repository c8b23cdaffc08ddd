"""The interactive documentation, from assets that are installed with the service: no CDN, no inline script."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from swagger_ui_bundle import swagger_ui_path  # type: ignore[import-untyped]

from lookup_tables.interchange import MEDIA_TYPES
from service import examples, examples_spaces
from service.ui import assets, render

router = APIRouter(include_in_schema=False)

_ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")


@router.get("/docs")
async def docs() -> Response:
    """Swagger UI."""
    return render("docs.html")


@router.get("/docs/assets/{name}")
def asset(name: str) -> FileResponse:
    """A file of Swagger UI."""
    if name not in _ASSETS:
        raise HTTPException(404)
    return FileResponse(Path(swagger_ui_path) / name, headers={"Cache-Control": "public, max-age=86400"})


@router.get("/docs/examples/tiny.onnx")
async def example() -> Response:
    """The ONNX file that the documentation refers to."""
    return Response(examples.tiny_onnx(), media_type="application/octet-stream")


@router.get("/docs/examples/rows.arrow")
def rows() -> Response:
    """The rows of choices that the documentation refers to."""
    return Response(examples_spaces.rows_stream(), media_type=MEDIA_TYPES["arrow"])


@router.get("/static/{version}/{name}")
def static(version: str, name: str, request: Request) -> Response:
    """A file of our own pages."""
    return assets.response(version, name, request.headers.get("accept-encoding", ""))
