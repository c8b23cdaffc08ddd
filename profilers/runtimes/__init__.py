"""Runtimes by name, imported when they are first asked for.

Other distributions add theirs with an entry point in the group ``archgauge.runtimes``: its name is the runtime's name
and it refers to a subclass of `Runtime` that is called with a target's options (a mapping from names to texts).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from profilers.errors import UnknownRuntime
from profilers.runtimes.base import Event, InputSpec, Loading, RunProfile, Runtime, Session

ENTRY_POINTS = "archgauge.runtimes"

_BUILT_IN = {
    ("onnxruntime", "CPUExecutionProvider"): "profilers.runtimes.onnxruntime_cpu:OnnxRuntimeCpu",
    ("onnxruntime", "CUDAExecutionProvider"): "profilers.runtimes.onnxruntime_cuda:OnnxRuntimeCuda",
    ("fake", "FakeProvider"): "profilers.runtimes.fake:FakeRuntime",
}

__all__ = ["ENTRY_POINTS", "Event", "InputSpec", "Loading", "RunProfile", "Runtime", "Session", "make_runtime"]


def make_runtime(name: str, provider: str, options: Mapping[str, str] | None = None) -> Runtime:
    """The runtime of a target.

    Raises:
        UnknownRuntime: nobody registered it; the message lists those that are known.
        RuntimeNotInstalled: its library is missing; the message says how to install it.
    """
    built_in = _BUILT_IN.get((name, provider))
    if built_in is not None:
        module, _, attribute = built_in.partition(":")
        return cast(type[Runtime], getattr(import_module(module), attribute))(options)
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            return cast(type[Runtime], entry.load())(options)
    known = sorted({f"{n} with {p}" for n, p in _BUILT_IN} | {e.name for e in entry_points(group=ENTRY_POINTS)})
    raise UnknownRuntime(f"no runtime {name!r} with provider {provider!r}; known are {', '.join(known)}")
