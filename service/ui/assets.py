"""Files that pages load: our own and plotly.js, which plotly's wheel carries.

All lie under one address that changes with their contents, so that browsers may keep them for ever, and scripts find
each other by relative names.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response

_STATIC = Path(__file__).parent.parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOREVER, _HOUR = "public, max-age=31536000, immutable", "public, max-age=3600"
_PLOTLY = "plotly.min.js"
#: Put before plotly.js: V8 then compiles it beside the page, which otherwise stands still for half as long again
#: (https://v8.dev/blog/explicit-compile-hints).
_COMPILE_HINT = b"//# allFunctionsCalledOnLoad\n"

_compressing = threading.Lock()


def url(name: str) -> str:
    """Where a file is served."""
    return f"/static/{_version()}/{name}"


def response(version: str, name: str, accept_encoding: str) -> Response:
    """A file, compressed where the client takes that; 404 for what is none of ours."""
    path = _files().get(name)
    if path is None:
        raise HTTPException(404)
    headers = {"Vary": "Accept-Encoding", "Cache-Control": _FOREVER if version == _version() else _HOUR}
    media_type = _TYPES[path.suffix]
    if "gzip" not in accept_encoding:
        return Response(_content(path), headers=headers, media_type=media_type)
    with _compressing:  # once, however many ask at the same time
        content = _compressed(path)
    return Response(content, headers={**headers, "Content-Encoding": "gzip"}, media_type=media_type)


@cache
def inserted_styles() -> tuple[str, ...]:
    """Ids of the style sheets that plotly.js inserts into a page unless there are elements with these ids already.

    They are for maps, which we do not draw, and the content security policy would refuse them.
    """
    return tuple(re.findall(r'if\(!document\.getElementById\("([0-9a-f]{64})"\)\)', _files()[_PLOTLY].read_text()))


@cache
def _files() -> dict[str, Path]:
    files = {path.name: path for path in _STATIC.iterdir() if path.suffix in _TYPES}
    package = find_spec("plotly")
    if package is None or package.origin is None:
        raise RuntimeError("plotly is not installed; try: pip install 'archgauge[serve]'")
    return {**files, _PLOTLY: Path(package.origin).parent / "package_data" / _PLOTLY}


@cache
def _version() -> str:
    """Twelve hex digits over our files and plotly's version."""
    digest = hashlib.sha256(version("plotly").encode() + _COMPILE_HINT)
    for name, path in sorted(_files().items()):
        if name != _PLOTLY:
            digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def _compressed(path: Path) -> bytes:
    return gzip.compress(_content(path), 6, mtime=0)


def _content(path: Path) -> bytes:
    return _COMPILE_HINT + path.read_bytes() if path.name == _PLOTLY else path.read_bytes()
