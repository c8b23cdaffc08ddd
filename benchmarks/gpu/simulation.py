"""A made-up GPU: onnxruntime's processor provider under the names of its CUDA provider.

Everything but the hardware is the real thing. Sessions take the options of the CUDA provider and nothing else, make
none of the fusions that are for the processor alone, and write profiles as a CUDA build does: a node's own event says
what launching took, events of category ``Kernel`` what the device took. Without `CUPTI_VARIABLE` there are no such
events, as in a library that was built without CUPTI, and a node's event holds its kernels only where
``CUDA_LAUNCH_BLOCKING`` is set, with what waiting costs. Every run draws power, of which the made-up NVML tells.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

CUDA = "CUDAExecutionProvider"

#: Set to 1, profiles have events of the device.
CUPTI_VARIABLE = "SIMULATED_CUPTI"

#: What the CUDA provider takes, in onnxruntime 1.31 (its documentation).
OPTIONS = frozenset({
    "device_id", "gpu_mem_limit", "arena_extend_strategy", "cudnn_conv_algo_search", "do_copy_in_default_stream",
    "cudnn_conv_use_max_workspace", "cudnn_conv1d_pad_to_nc1d", "enable_cuda_graph", "use_tf32", "prefer_nhwc",
    "enable_skip_layer_norm_strict_mode", "use_ep_level_unified_stream", "tunable_op_enable", "fuse_conv_bias",
})  # fmt: skip

#: Optimisers that touch nodes of the processor alone.
_NOT_ON_DEVICES = [
    "NchwcTransformer", "NhwcTransformer", "ConvActivationFusion", "ConvAddActivationFusion", "GemmActivationFusion",
    "MatMulIntegerToFloatFusion", "DynamicQuantizeMatMulFusion", "MatMulNBitsFusion",
]  # fmt: skip

#: Microseconds of launching a kernel, and what waiting for it costs besides.
LAUNCH_US, WAITING_US = 4, 12

#: Watts of the idle GPU, of one at work, and of one that does nothing but multiply besides.
IDLE_W, WORK_W, ARITHMETIC_W = 70.0, 60.0, 150.0

#: Joules that runs drew since the module was loaded, idle left out.
drawn = SimpleNamespace(joules=0.0)


def joules() -> float:
    """What an energy counter would say at present."""
    return drawn.joules + IDLE_W * time.monotonic()


def simulate(ort: Any) -> dict[str, Any]:
    """Names that replace those of the module ``ort``, which is the real library."""
    real_value, there = ort.OrtValue, ort.get_available_providers()

    class OrtValue(real_value):  # type: ignore[misc,valid-type]
        @classmethod
        def ortvalue_from_numpy(cls, numpy_obj: Any, device_type: str = "cpu", device_id: int = 0, *_: Any) -> Any:
            return real_value.ortvalue_from_numpy(numpy_obj, "cpu", 0)

    class IOBinding(ort.IOBinding):  # type: ignore[misc,name-defined]
        def bind_output(self, name: str, device_type: str = "cpu", device_id: int = 0, *rest: Any, **more: Any) -> None:
            super().bind_output(name, "cpu", 0, *rest, **more)

    return {
        "InferenceSession": _session(ort.InferenceSession, IOBinding), "OrtValue": OrtValue, "IOBinding": IOBinding,
        "get_available_providers": lambda: [CUDA, *there],
    }  # fmt: skip


def _session(real: Any, binding: Any) -> Any:
    """The class of sessions, from the real one."""
    known = _kinds()

    class InferenceSession(real):  # type: ignore[misc]
        def __init__(self, source: Any, options: Any = None, providers: Any = None, **more: Any) -> None:
            named = dict((p, {}) if isinstance(p, str) else p for p in providers or ())
            self.simulated = CUDA in named
            if self.simulated:
                strange = set(named[CUDA]) - OPTIONS
                if strange:
                    raise ValueError(f"Unknown provider option: {sorted(strange)}")
                more["disabled_optimizers"] = _NOT_ON_DEVICES
                providers = ["CPUExecutionProvider"]
            super().__init__(source, options, providers=providers, **more)
            self.watts = WORK_W + ARITHMETIC_W * _arithmetic(source) if self.simulated else 0.0

        def get_providers(self) -> list[str]:
            return [CUDA, "CPUExecutionProvider"] if self.simulated else super().get_providers()

        def io_binding(self) -> Any:
            return binding(self)

        def run(self, *arguments: Any, **more: Any) -> Any:
            return self._drawing(super().run, *arguments, **more)

        def run_with_iobinding(self, *arguments: Any, **more: Any) -> None:
            self._drawing(super().run_with_iobinding, *arguments, **more)

        def end_profiling(self) -> str:
            file = str(super().end_profiling())
            if self.simulated:
                rewrite_profile(Path(file), known)
            return file

        def _drawing(self, work: Any, *arguments: Any, **more: Any) -> Any:
            begun = time.perf_counter()
            result = work(*arguments, **more)
            drawn.joules += self.watts * (time.perf_counter() - begun)
            return result

    return InferenceSession


def rewrite_profile(file: Path, on_device: frozenset[str]) -> None:
    """As a CUDA build would have written it: nodes of kinds in ``on_device`` ran on the device."""
    lines = []
    for line in file.read_text().splitlines(keepends=True):
        op = re.search(r'"op_name" : "([^"]+)"', line)
        if '_kernel_time"' not in line or op is None or op[1] not in on_device:
            lines.append(line)
            continue
        took = int(re.search(r'"dur" ?: ?(\d+)', line)[1])  # type: ignore[index]
        line = line.replace('"provider" : "CPUExecutionProvider"', f'"provider" : "{CUDA}"')
        if os.environ.get(CUPTI_VARIABLE) == "1":
            lines.append(_lasting(line, LAUNCH_US))
            lines += [_kernel_event(part, op[1]) for part in (took // 2, took - took // 2)]
        elif os.environ.get("CUDA_LAUNCH_BLOCKING") == "1":
            lines.append(_lasting(line, took + WAITING_US))
        else:
            lines.append(_lasting(line, LAUNCH_US))
    file.write_text("".join(lines))


def _lasting(line: str, microseconds: int) -> str:
    return re.sub(r'"dur" ?: ?\d+', f'"dur" :{microseconds}', line)


def _kernel_event(microseconds: int, op: str) -> str:
    arguments = {"op_name": op, "stream": "7", "grid_x": "8", "block_x": "128"}
    event = {"cat": "Kernel", "pid": -1, "tid": -1, "dur": microseconds, "ts": 0, "ph": "X", "name": "made_up_kernel"}
    text = json.dumps(event | {"args": arguments}, separators=(",", " :"))
    return f"{text},\n"


def _kinds() -> frozenset[str]:
    """Operators (without their domain) that the CUDA provider has any kernel for."""
    from graphs.lowering import kernel_types

    table = json.loads((Path(kernel_types.__file__).parent / f"data/onnxruntime-1.31-{CUDA}.json").read_text())
    return frozenset(kind.rpartition(".")[2] for kind, found in table["operators"].items() if found["kernels"])


def _arithmetic(source: Any) -> float:
    """The share of a model's nodes that multiply matrices or convolve."""
    import onnx

    model = onnx.load_from_string(source) if isinstance(source, bytes) else onnx.load(source, load_external_data=False)
    ops = [node.op_type for node in model.graph.node]
    return sum("Conv" in op or "MatMul" in op or op == "Gemm" for op in ops) / max(len(ops), 1)
