"""Reading the JSON that onnxruntime's profiler writes: one event per line, whole microseconds.

Where the library was built to profile a device (CUPTI), events of category ``Kernel`` follow the event of the node that
launched them and say what the device took; the node's own event then says what launching took.

Only the first run is parsed in full; of the others the durations are picked out of the lines, since parsing some ten
thousand events of 600 bytes would take longer than the runs that made them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from profilers.errors import MeasurementFailed
from profilers.runtimes.base import Event, RunProfile

#: Element types in events and (as ``tensor(float)``) of a session's inputs → names in `graphs.dtypes`.
DTYPES = {
    "float": "float32", "double": "float64", "float16": "float16", "bfloat16": "bfloat16", "int8": "int8",
    "int16": "int16", "int32": "int32", "int64": "int64", "uint8": "uint8", "uint16": "uint16", "uint32": "uint32",
    "uint64": "uint64", "bool": "bool", "string": "string", "int4": "int4", "uint4": "uint4",
}  # fmt: skip

_SUFFIX = "_kernel_time"
_DURATION = re.compile(rb'"dur" ?: ?(\d+)')
_ON_DEVICE = re.compile(rb'"cat" ?: ?"Kernel"')
_IN_USE = re.compile(rb'"mem_bytes_requested_in_use" ?: ?"(\d+)"')


def read_profile(file: Path) -> RunProfile:
    """Read a finished profile.

    Raises:
        MeasurementFailed: no complete run in it, or runs that executed different kernels (control flow).
    """
    runs, device = _lines_by_run(file)
    if not runs:
        raise MeasurementFailed("unsupported", "the runtime's profile holds no complete run")
    if len({len(lines) for lines in runs}) != 1:
        raise MeasurementFailed("unsupported", "runs execute different numbers of kernels; control flow is not priced")
    durations = np.array([[_duration(line) for line in lines] for lines in runs], dtype=np.float64)
    events = tuple(_event(json.loads(line.rstrip(b",\n"))) for line in runs[0])
    in_use = [int(match[1]) for line in runs[-1] if (match := _IN_USE.search(line))]
    on_device = np.array(device, dtype=np.float64) if any(map(any, device)) else None
    return RunProfile(events, durations, max(in_use) if in_use else None, on_device)


def _lines_by_run(file: Path) -> tuple[list[list[bytes]], list[list[int]]]:
    """Lines of nodes' events, grouped by run (the event of a run follows those of its nodes), and in the same shape
    what the device took for each node, in microseconds.
    """
    runs: list[list[bytes]] = []
    device: list[list[int]] = []
    lines: list[bytes] = []
    took: list[int] = []
    with file.open("rb") as stream:
        for line in stream:
            if _ON_DEVICE.search(line):
                if took:
                    took[-1] += _duration(line)
            elif b'_kernel_time"' in line:
                lines.append(line)
                took.append(0)
            elif b'"model_run"' in line:
                runs.append(lines)
                device.append(took)
                lines, took = [], []
    return runs, device


def _duration(line: bytes) -> int:
    match = _DURATION.search(line)
    if match is None:
        raise MeasurementFailed("unsupported", "an event in the runtime's profile has no duration")
    return int(match[1])


def _event(data: dict[str, Any]) -> Event:
    arguments = data["args"]
    outputs = []
    for output in arguments.get("output_type_shape", ()):
        for dtype, shape in output.items():
            outputs.append((DTYPES.get(dtype, dtype), tuple(int(d) for d in shape)))
    return Event(str(data["name"]).removesuffix(_SUFFIX), str(arguments["op_name"]), tuple(outputs))
