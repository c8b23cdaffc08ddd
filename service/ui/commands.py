"""What to type elsewhere to get the prediction that a page shows."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

_GRAPH_BODY = '{architecture: {format: "graph", graph: .}'


def curl(request: Mapping[str, Any], name: str, base_url: str) -> str:
    """A shell command. ``request`` is the stored summary of the request, ``name`` what the architecture is called."""
    if request["architecture"]["format"] == "graph":
        rest = {key: value for key, value in request.items() if key not in ("architecture", "detail")}
        fields = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in rest.items())
        return (
            f"jq {shlex.quote(_GRAPH_BODY + fields + '}')} {shlex.quote(_file(name, '.json'))} | \\\n"
            f"  curl --json @- {shlex.quote(base_url + '/v1/predictions')}"
        )
    query = [(key, request[field]) for key, field in (("name", "name"), ("predictor", "predictor"),
                                                      ("batch_size", "batch_size"), ("confidence", "confidence"))
             if field in request]  # fmt: skip
    query += [("target", target) for target in request.get("targets", ())]
    query += [("dim", f"{key}={size}") for key, size in request.get("dims", {}).items()]
    query += [("shape", f"{key}={','.join(map(str, s))}") for key, s in request.get("input_shapes", {}).items()]
    if request.get("strict") is False:
        query.append(("strict", "false"))
    url = f"{base_url}/v1/predictions/onnx{'?' + urlencode(query) if query else ''}"
    return f"curl --data-binary {shlex.quote('@' + _file(name, '.onnx'))} \\\n  {shlex.quote(url)}"


def python(request: Mapping[str, Any], name: str, base_url: str) -> str:
    """Lines of Python with archgauge-client."""
    suffix = ".json" if request["architecture"]["format"] == "graph" else ".onnx"
    fields = ("targets", "predictor", "batch_size", "dims", "input_shapes", "confidence", "strict")
    given = "".join(f", {field}={request[field]!r}" for field in fields if field in request)
    model = repr(_file(name, suffix))
    lines = ["from archgauge_client import Client"]
    if suffix == ".json":
        lines = ["import json", *lines]
        model = f"json.load(open({model}))"
    return "\n".join([*lines, f"print(Client({base_url!r}).predict({model}{given}))"])


def _file(name: str, suffix: str) -> str:
    """A file name for an architecture's name: no folders, and the suffix of its form."""
    name = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable()) or "model"
    return name if name.endswith(suffix) else name + suffix
