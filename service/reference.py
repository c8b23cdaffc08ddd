"""The reference of the HTTP API in Markdown, from the same description as ``/docs``.

python -m service.reference > docs/api.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HEAD = """# Reference of the HTTP API

Every endpoint with an example that works. [The way in](http-api.md) is another page; `/docs` of a running service
shows the same and lets it be tried. Made by `python -m service.reference > docs/api.md`; the tests send every example.

    export ARCHGAUGE=http://127.0.0.1:8080

Where the service has API keys, commands need `--header "Authorization: Bearer $TOKEN"` too, unless it says otherwise.
"""
_TITLES = {
    "predictions": "Predictions", "targets": "Targets", "versions": "Versions", "jobs": "Jobs", "keys": "API keys",
}  # fmt: skip
_FILES = {
    "application/json": "request.json", "application/x-ndjson": "requests.ndjson",
    "application/octet-stream": "model.onnx",
}  # fmt: skip


def render(document: dict[str, Any]) -> str:
    """The reference of an OpenAPI document, by tag in the order of their first endpoints."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append("\n".join(_endpoint(method, path, operation)))
    parts = [_HEAD]
    for tag, endpoints in by_tag.items():
        parts += [f"## {_TITLES.get(tag, tag.capitalize())}\n", *endpoints]
    return "\n".join(parts)


def _endpoint(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### {operation['summary']}\n"
    yield f"`{method.upper()} {path}`" + ("" if operation.get("security") else ", needs no key") + "\n"
    yield f"{operation['description'].strip()}\n"
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        example = next(iter(content["examples"].values()))
        yield from _body(media_type, example)
        yield f"    {_command(method, _filled(path, operation), media_type)}\n"
        break
    else:
        yield f"    {_command(method, _filled(path, operation), None)}\n"
    ((status, answer),) = [(s, r) for s, r in operation["responses"].items() if int(s) < 400]
    media_type, content = next(iter(answer["content"].items()))
    if "example" in content:
        yield f"answers {status}, `{media_type}`:\n"
        yield _block(content["example"])
    else:
        yield f"answers {status}, `{media_type}`.\n"


def _body(media_type: str, example: dict[str, Any]) -> Iterator[str]:
    if "externalValue" in example:
        yield f"`{_FILES[media_type]}` is any; the service has a small one at `{example['externalValue']}`.\n"
    else:
        yield f"`{_FILES[media_type]}`:\n"
        yield _block(example["value"])


def _command(method: str, path: str, media_type: str | None) -> str:
    usual = "get" if media_type is None else "post"
    words = ["curl"] if method == usual else ["curl", "--request", method.upper()]
    if media_type == "application/json":
        words += ["--json", f"@{_FILES[media_type]}"]
    elif media_type is not None:
        words += ["--data-binary", f"@{_FILES[media_type]}", "--header", f"'Content-Type: {media_type}'"]
    return " ".join([*words, f'"$ARCHGAUGE{path}"'])


def _filled(path: str, operation: dict[str, Any]) -> str:
    """The path with examples in place of its parameters."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            example = parameter.get("example", parameter["schema"].get("example"))
            path = path.replace(f"{{{parameter['name']}}}", str(example))
    return path


def _block(value: Any) -> str:
    """JSON with short lines, or text as it is."""
    if isinstance(value, str):
        return f"```\n{value.strip()}\n```\n"
    return f"```json\n{_json(value)}\n```\n"


def _json(value: Any, indent: str = "") -> str:
    """Objects and lists in one line where they fit into it."""
    short = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(short) <= 120 or not isinstance(value, dict | list) or not value:
        return short
    inner = indent + "  "
    if isinstance(value, dict):
        items = [f"{inner}{json.dumps(key)}: {_json(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _json(item, inner) for item in value) + f"\n{indent}]"


if __name__ == "__main__":
    from service.app import create_app
    from service.settings import Settings

    print(render(create_app(Settings(data_dir=Path("unused"))).openapi()), end="")
