"""nn-Meter's method on our measurements, as the baseline to beat.

From the paper (Zhang et al., nn-Meter: Towards Accurate Latency Prediction of Deep-Learning Model Inference on Diverse
Edge Devices, MobiSys 2021, tables 3 and 4) and its published settings: one random forest per kernel kind on raw times;
features are the map's height, channels in and out, kernel size and stride of convolutions and poolings, channels in and
out of fully connected layers, height and channels of everything else, with FLOPs and parameters of those that have
them. Kernels are ours, since theirs do not know most of what transformers run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

from graphs.kernels import Kernel
from predictors.features.products import OPERATORS as PRODUCTS

Floats = NDArray[np.float64]

#: Depth, trees and features per split of its forests for convolutions, depthwise ones, and all others.
_CONVOLUTION, _DEPTHWISE, _OTHER = (70, 320, 6), (50, 240, 7), (50, 370, None)


def learn(kernels: Sequence[Kernel], time_us: Floats, flops: Floats, test: NDArray[np.bool_]) -> Floats:
    """Log microseconds of the test kernels by a forest of the others; all are of one kind."""
    said = np.empty(int(test.sum()))
    depthwise = np.array([_group(kernel) > 1 for kernel in kernels])
    features = np.array([(*_features(kernel), f / 2e6) for kernel, f in zip(kernels, flops, strict=True)])
    for separate in (False, True):
        mine, train = (depthwise == separate) & test, (depthwise == separate) & ~test
        if not mine.any():
            continue
        train = train if train.any() else ~test
        depth, trees, columns = _settings(kernels[0], separate)
        forest = RandomForestRegressor(trees, max_depth=depth, max_features=columns or 1.0, n_jobs=-1, random_state=10)
        forest.fit(features[train], time_us[train])
        said[mine[test]] = np.log(np.maximum(forest.predict(features[mine]), 0.1))
    return said


def _settings(kernel: Kernel, depthwise: bool) -> tuple[int, int, int | None]:
    if "Conv" not in kernel.kind:
        return _OTHER
    return _DEPTHWISE if depthwise else _CONVOLUTION


def _group(kernel: Kernel) -> int:
    return int(kernel.attribute("group", 1)) if "Conv" in kernel.kind else 1


def _features(kernel: Kernel) -> tuple[float, ...]:
    """Height, channels in, channels out, kernel size, stride, millions of parameters."""
    op = kernel.kind.rpartition(".")[2]
    x = next((o.shape for o in kernel.inputs if o is not None), ())
    y = kernel.outputs[0].shape if kernel.outputs else ()
    weights = sum(o.elements for o in kernel.inputs if o is not None and o.constant) / 1e6
    if op in PRODUCTS:
        return 1.0, float(x[-1] if x else 1), float(y[-1] if y else 1), 1.0, 1.0, weights
    height, channels = (
        (float(x[2]), float(x[1])) if len(x) == 4 else (float(x[-2]) if len(x) > 1 else 1.0, float(x[-1]) if x else 1.0)
    )
    out = float(y[1]) if len(y) == 4 else float(y[-1]) if y else 1.0
    taps = kernel.attribute("kernel_shape") or _taps(kernel)
    strides = kernel.attribute("strides") or (1,)
    return height, channels, out, float(taps[-1]) if taps else 1.0, float(strides[-1]), weights


def _taps(kernel: Kernel) -> tuple[int, ...]:
    weight = kernel.inputs[1] if "Conv" in kernel.kind and len(kernel.inputs) > 1 else None
    return weight.shape[2:] if weight is not None else ()
