"""Which kernels the installed onnxruntime has for which element types, as `graphs.lowering.kernel_types` reads them.

    python -m profilers.runtimes.kernel_types > graphs/lowering/data/onnxruntime-1.31-CPUExecutionProvider.json

after an upgrade of the runtime; a test compares the file with the runtime that is installed. Another provider is named
as an argument: ``CUDAExecutionProvider``, where there is a GPU.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_NAMES = {"float": "float32", "double": "float64"}
_OPEN_END = 2**31 - 1


def registered_kernels(provider: str = "CPUExecutionProvider") -> dict[str, Any]:
    """``opset``: the newest operator set; ``sets``: lists of element types; ``operators``: their schemas and kernels.

    A schema is [since version, type variables of the inputs, of the outputs]; a kernel is [first version, last version
    or null, index into ``sets`` by type variable].
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as binding

    kernels: dict[str, list[list[Any]]] = {}
    sets: dict[tuple[str, ...], int] = {}
    for kernel in binding.get_all_opkernel_def():
        if kernel.provider != provider:
            continue
        constraints = {}
        for variable, types in sorted(kernel.type_constraints.items()):
            names = tuple(sorted({name for t in types if (name := _element_type(t))}))
            constraints[variable] = sets.setdefault(names, len(sets))
        first, last = kernel.version_range
        found = kernels.setdefault(_kind(kernel.domain, kernel.op_name), [])
        found.append([first, None if last == _OPEN_END else last, constraints])
    schemas: dict[str, dict[int, list[Any]]] = {}
    for schema in binding.get_all_operator_schema():
        inputs, outputs = ([p.typeStr for p in side] for side in (schema.inputs, schema.outputs))
        of_kind = schemas.setdefault(_kind(schema.domain, schema.name), {})
        of_kind[schema.since_version] = [schema.since_version, inputs, outputs]
    operators = {
        kind: {"schemas": [versions[v] for v in sorted(versions)], "kernels": _sorted(kernels.get(kind, []))}
        for kind, versions in sorted(schemas.items())
    }
    return {"opset": _newest_opset(provider), "sets": [list(names) for names in sets], "operators": operators}


def _newest_opset(provider: str) -> int:
    """The last operator set with which a model of one node loads."""
    import onnxruntime as ort
    from onnx import helper

    options = ort.SessionOptions()
    options.log_severity_level = 4
    tensors = [helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", tensors[:1], tensors[1:])
    for opset in range(14, 100):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        try:
            ort.InferenceSession(model.SerializeToString(), options, providers=[provider])
        except Exception:  # the binding's exceptions have no common base but this
            return opset - 1
    return 99


def _sorted(kernels: list[list[Any]]) -> list[list[Any]]:
    return sorted(kernels, key=lambda k: (k[0], k[1] is None, k[1] or 0, sorted(k[2].items())))


def _kind(domain: str, op: str) -> str:
    return f"{domain}.{op}" if domain else op


def _element_type(text: str) -> str | None:
    """``tensor(float)`` → float32; None for sequences and optionals."""
    if not text.startswith("tensor("):
        return None
    name = text[7:-1]
    return _NAMES.get(name, name)


def _main(provider: str = "CPUExecutionProvider") -> None:
    table = registered_kernels(provider)
    print(f'{{"opset": {table["opset"]}, "sets": [')
    print(",\n".join(json.dumps(names) for names in table["sets"]))
    print('], "operators": {')
    print(",\n".join(f"{json.dumps(kind)}: {json.dumps(found)}" for kind, found in table["operators"].items()))
    print("}}")


if __name__ == "__main__":
    _main(*sys.argv[1:2])
