"""What is dropped, filled in or kept by value when a node becomes a kernel, by operator."""

from __future__ import annotations

from graphs.kernels import KernelAttribute

#: Attributes that change results but not the work done.
FREE = frozenset({
    "epsilon", "momentum", "alpha", "beta", "gamma", "bias", "lambd", "seed", "value", "to", "saturate",
    "consumed_inputs",
    "activation_params", "activation_params_size", "scale", "mask_filter_value", "training_mode", "kernel_shape",
    "ratio", "cubic_coeff_a", "extrapolation_value", "value_int", "value_float", "min", "max", "spatial",
    "mean", "stash_type", "allowzero", "auto_pad", "channels", "noop_with_empty_axes", "detect_positive",
    "detect_negative", "output_dtype", "fmod", "end", "start", "opset", "num_outputs", "activation_alpha",
    "activation_beta", "activation_gamma", "activations", "clip", "qk_norm_epsilon",
})  # fmt: skip

#: Constant inputs whose value decides the cost and is not visible in the output shape.
VALUE_INPUTS: dict[str, tuple[int, ...]] = {
    "Slice": (1, 2, 3, 4), "Pad": (1, 3), "Squeeze": (1,), "Unsqueeze": (1,), "Split": (1,), "Tile": (1,),
    "CumSum": (1,), "TopK": (1,), "Upsample": (1,), "GroupQueryAttention": (5, 6),
}  # fmt: skip

#: From this opset on the runtime pools averages with other code, which knows dilations and takes 4 to 10 times as long.
AVERAGE_POOL_WITH_DILATIONS = 19

#: Operators that slide a window over spatial dimensions.
WINDOWED = frozenset({
    "Conv", "FusedConv", "NhwcFusedConv", "QLinearConv", "ConvInteger", "ConvTranspose", "MaxPool", "AveragePool",
    "LpPool", "NhwcMaxPool", "QLinearAveragePool",
})  # fmt: skip

#: Attributes with a default that exporters may spell out or leave away, by operator.
DEFAULTS: dict[str, dict[str, KernelAttribute]] = {
    "Gemm": {"transA": 0, "transB": 0}, "FusedGemm": {"transA": 0, "transB": 0}, "QGemm": {"transA": 0, "transB": 0},
    "FusedMatMul": {"transA": 0, "transB": 0, "transBatchA": 0, "transBatchB": 0},
    "Gather": {"axis": 0}, "GatherElements": {"axis": 0}, "ScatterElements": {"axis": 0, "reduction": "none"},
    "ScatterND": {"reduction": "none"}, "GatherND": {"batch_dims": 0}, "Flatten": {"axis": 1},
    "Softmax": {"axis": -1}, "LogSoftmax": {"axis": -1}, "Hardmax": {"axis": -1}, "LayerNormalization": {"axis": -1},
    "SimplifiedLayerNormalization": {"axis": -1}, "RMSNormalization": {"axis": -1}, "Pad": {"mode": "constant"},
    "Split": {"axis": 0}, "TopK": {"axis": -1, "largest": 1, "sorted": 1}, "ArgMax": {"axis": 0, "keepdims": 1},
    "ArgMin": {"axis": 0, "keepdims": 1}, "DepthToSpace": {"mode": "DCR"}, "Gelu": {"approximate": "none"},
    "Resize": {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_floor",
               "antialias": 0, "exclude_outside": 0},
    "Upsample": {"mode": "nearest"}, "LRN": {}, "MaxPool": {"ceil_mode": 0, "storage_order": 0},
    "AveragePool": {"ceil_mode": 0, "count_include_pad": 0}, "QLinearAveragePool": {"ceil_mode": 0,
    "count_include_pad": 0, "channels_last": 0}, "NhwcMaxPool": {"ceil_mode": 0}, "ReorderOutput": {"channels_last": 0},
    "ReorderInput": {"channels_last": 0}, "DequantizeLinear": {"axis": 1, "block_size": 0},
    "QuantizeLinear": {"axis": 1, "block_size": 0}, "QLinearSoftmax": {"axis": -1}, "QLinearConv": {"channels_last": 0},
    "CumSum": {"exclusive": 0, "reverse": 0},
    "Trilu": {"upper": 1}, "QLinearGlobalAveragePool": {"channels_last": 0}, "OneHot": {"axis": -1},
    "LSTM": {"direction": "forward", "layout": 0, "input_forget": 0},
    "GRU": {"direction": "forward", "layout": 0, "linear_before_reset": 0},
    "RNN": {"direction": "forward", "layout": 0}, "DynamicQuantizeLSTM": {"direction": "forward", "input_forget": 0},
    "MatMulNBits": {"bits": 4, "accuracy_level": 0},
}  # fmt: skip

#: Defaults of operators of com.microsoft: the runtime spells them out when it writes a graph, models leave them away.
CONTRIB_DEFAULTS: dict[str, dict[str, KernelAttribute]] = {
    "Attention": {"unidirectional": 0, "do_rotary": 0, "past_present_share_buffer": 0, "rotary_embedding_dim": 0},
    "QAttention": {"unidirectional": 0, "do_rotary": 0, "past_present_share_buffer": 0},
    "MultiHeadAttention": {"unidirectional": 0},
    "GroupQueryAttention": {
        "sliding_window_cache": 0, "causal": 1, "local_window_size": -1, "qk_output": 0, "smooth_softmax": -1,
        "k_quant_type": "NONE", "v_quant_type": "NONE", "do_rotary": 0, "rotary_interleaved": 0,
    },
    "RotaryEmbedding": {"interleaved": 0, "is_packed_batching": 0, "num_heads": 0, "rotary_embedding_dim": 0},
    "MatMulNBits": {"weight_prepacked": 0, "accuracy_level": 0},
    "TransposeMatMul": {"transA": 0, "transB": 0}, "GatherBlockQuantized": {"gather_axis": 0},
    "GridSample": {"align_corners": 0, "mode": "bilinear", "padding_mode": "zeros"},
    "MaxpoolWithMask": {"storage_order": 0}, "CropAndResize": {"mode": "bilinear"},
    "MatMulBnb4": {"transB": 1, "training_mode": 0}, "Trilu": {"upper": 1}, "Pad": {"mode": "constant"},
}  # fmt: skip

#: Reductions over axes.
REDUCTIONS = frozenset({
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceSumSquare",
})  # fmt: skip
