"""What to type elsewhere to get the prediction that a page shows."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

#: Where commands find the API key of whoever runs them.
KEY_VARIABLE = "ARCHGAUGE_API_KEY"

_GRAPH_BODY = '{architecture: {format: "graph", graph: .}'


def curl(request: Mapping[str, Any], name: str, base_url: str, *, with_key: bool = False) -> str:
    """A shell command. ``request`` is the stored summary of the request, ``name`` what the architecture is called;
    ``with_key`` where the service wants one.
    """
    key = f' \\\n  --header "Authorization: Bearer ${KEY_VARIABLE}"' if with_key else ""
    if request["architecture"]["format"] == "graph":
        rest = {field: value for field, value in request.items() if field not in ("architecture", "detail")}
        fields = "".join(f", {json.dumps(field)}: {json.dumps(value)}" for field, value in rest.items())
        return (
            f"jq {shlex.quote(_GRAPH_BODY + fields + '}')} {shlex.quote(_file(name, '.json'))} | \\\n"
            f"  curl --json @- {shlex.quote(base_url + '/v1/predictions')}{key}"
        )
    query = [(field, request[field]) for field in ("name", "predictor", "batch_size", "confidence") if field in request]
    query += [("target", target) for target in request.get("targets", ())]
    query += [("dim", f"{dim}={size}") for dim, size in request.get("dims", {}).items()]
    query += [("shape", f"{tensor}={','.join(map(str, s))}") for tensor, s in request.get("input_shapes", {}).items()]
    if request.get("strict") is False:
        query.append(("strict", "false"))
    url = f"{base_url}/v1/predictions/onnx{'?' + urlencode(query) if query else ''}"
    return f"curl --data-binary {shlex.quote('@' + _file(name, '.onnx'))} \\\n  {shlex.quote(url)}{key}"


def python(request: Mapping[str, Any], name: str, base_url: str, *, with_key: bool = False) -> str:
    """Lines of Python with archgauge-client."""
    suffix = ".json" if request["architecture"]["format"] == "graph" else ".onnx"
    fields = ("targets", "predictor", "batch_size", "dims", "input_shapes", "confidence", "strict")
    given = "".join(f", {field}={request[field]!r}" for field in fields if field in request)
    lines = ["from archgauge_client import Client"]
    key = ""
    if with_key:
        lines = ["import os", *lines]
        key = f', api_key=os.environ["{KEY_VARIABLE}"]'
    return "\n".join([*lines, f"print(Client({base_url!r}{key}).predict({_file(name, suffix)!r}{given}))"])


def _file(name: str, suffix: str) -> str:
    """A file name for an architecture's name: no folders, and the suffix of its form."""
    name = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable()) or "model"
    return name if name.endswith(suffix) else name + suffix
