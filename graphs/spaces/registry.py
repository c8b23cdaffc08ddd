"""All families by name, and the network that a family and a seed stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from graphs.inference import infer
from graphs.ir import Graph
from graphs.spaces import (
    classic,
    compact,
    decoders,
    dense,
    fused,
    hybrid,
    language,
    levit,
    medleys,
    mobile,
    movements,
    residual,
    signals,
    stages,
    transformers,
)
from graphs.spaces.builder import GraphBuilder, TooLarge
from graphs.spaces.draw import Draw
from graphs.spaces.dynamic_quantisation import quantise_dynamically
from graphs.spaces.half import to_half
from graphs.spaces.quantisation import quantise
from graphs.spaces.references import is_reference
from graphs.spaces.style import Exporter, draw_style, for_quantising, for_quantising_products
from graphs.spaces.weight_quantisation import quantise_weights
from graphs.validation import validate

Build = Callable[[GraphBuilder, Draw], str]

#: Ahead of time, activations while the network runs, or the weights alone.
Quantised = Literal["static", "dynamic", "weights"]

#: A network is drawn again until its estimated work (floating-point operations) is in this range.
WORK = (0.1e9, 6e9)

#: The same for families that are known for their smallness: searches for phones ask for networks of a millisecond.
LIGHT_WORK = (0.02e9, 6e9)

#: The same for families that are known for their size.
HEAVY_WORK = (0.8e9, 1.1e10)

#: Quantised operators take longer than their arithmetic suggests.
INT8_WORK = 0.3

#: Elements of weights: more take too long to prepare, except where they are the point.
MAX_WEIGHTS = 45_000_000
MANY_WEIGHTS = 125_000_000

#: Suffixes: the depths of the papers; quantised to eight bits; activations quantised on the way, or weights alone
#: quantised (to four or eight bits); in half precision.
WHOLE = "-whole"
INT8 = "-int8"
DYNAMIC = "-dynamic"
WEIGHTS = "-weights"
FP16 = "-fp16"

_ATTEMPTS = 300
_CAFFE: tuple[Exporter, ...] = ("torchscript", "dynamo", "keras", "caffe2")
_MODERN: tuple[Exporter, ...] = ("torchscript", "dynamo", "keras")
_TORCH: tuple[Exporter, ...] = ("torchscript", "dynamo")


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of network.

    ``group`` gathers families that one would hold out together. ``whole`` families repeat their blocks as the papers
    do and serve to fit and test whole-model times; the others show many different kernels in little time.
    """

    name: str
    group: str
    build: Build
    exporters: tuple[Exporter, ...] = _MODERN
    whole: bool = False
    work: tuple[float, float] = WORK
    max_weights: int = MAX_WEIGHTS
    precision: Literal["fp32", "int8", "fp16"] = "fp32"
    quantised: Quantised = "static"

    @property
    def stem(self) -> str:
        """The name without its suffixes: ``resnet`` for ``resnet-whole-int8``."""
        stem = self.name.removesuffix(INT8).removesuffix(FP16)
        return stem.removesuffix(DYNAMIC).removesuffix(WEIGHTS).removesuffix(WHOLE)

    def sample(self, seed: int) -> Graph:
        """The network with this seed: static, inferred, neither tiny nor huge, and none of the references."""
        low, high = self.work
        if self.precision == "int8":
            low, high = low * INT8_WORK, high * INT8_WORK
        for attempt in range(_ATTEMPTS):
            draw = Draw(f"{self.name}:{seed}:{attempt}", whole=self.whole)
            style = draw_style(draw, self.exporters)
            if self.precision == "int8":
                style = for_quantising(style) if self.quantised == "static" else for_quantising_products(style)
            b = GraphBuilder(f"{self.name}:{seed}", style, max_work=high, max_weights=self.max_weights)
            try:
                output = self.build(b, draw)
            except TooLarge:
                continue
            if b.work < low:
                continue
            graph = b.finish(output)
            if self.precision != "fp32":
                graph = to_half(graph) if self.precision == "fp16" else _QUANTISERS[self.quantised](graph, draw)
            graph = _checked(graph)
            if not is_reference(graph):
                return graph
        raise RuntimeError(f"{_ATTEMPTS} draws of {self.name}:{seed} were all too large or too small")


_QUANTISERS = {"static": quantise, "dynamic": quantise_dynamically, "weights": quantise_weights}


def _checked(graph: Graph) -> Graph:
    validate(graph)
    return infer(graph)


def _family(
    group: str,
    exporters: tuple[Exporter, ...],
    *builds: Build,
    work: tuple[float, float] = WORK,
    max_weights: int = MAX_WEIGHTS,
) -> list[Family]:
    return [
        Family(build.__name__.replace("_", "-"), group, build, exporters, work=work, max_weights=max_weights)
        for build in builds
    ]


#: Families with a paper behind them.
_PUBLISHED: list[Family] = [
    *_family("classic", _CAFFE, classic.alexnet, classic.inception, classic.squeezenet),
    *_family("classic", _CAFFE, classic.vgg, work=HEAVY_WORK),
    *_family("classic", _MODERN, classic.inception_factorised),
    *_family("residual", _CAFFE, residual.resnet, work=HEAVY_WORK),
    *_family("residual", _MODERN, residual.preactivation, residual.regnet, residual.res2net, residual.xception),
    *_family("stages", _MODERN, stages.darknet, stages.csp, stages.aggregation),
    *_family("stages", _TORCH, stages.multi_resolution),
    *_family("dense", _CAFFE, dense.densenet),
    *_family("dense", _MODERN, dense.one_shot_aggregation),
    *_family("dense", _MODERN, dense.nasbench201, dense.cells, work=LIGHT_WORK),
    *_family("mobile", _CAFFE, mobile.mobilenet, work=LIGHT_WORK),
    *_family("mobile", _MODERN, mobile.mbconv, mobile.fused_mbconv, mobile.mixed_kernels, work=LIGHT_WORK),
    *_family("mobile", _MODERN, mobile.lcnet, work=LIGHT_WORK),
    *_family("compact", _CAFFE, compact.shufflenet, work=LIGHT_WORK),
    *_family("compact", _MODERN, compact.shufflenet_v2, compact.ghostnet, work=LIGHT_WORK),
    *_family("compact", _TORCH, compact.reparameterised, compact.star, compact.partial_convolution, work=LIGHT_WORK),
    *_family("transformer", _MODERN, transformers.vit, transformers.mixer),
    *_family("transformer", _TORCH, transformers.swin, transformers.pyramid),
    *_family("hybrid", _TORCH, hybrid.convnext, hybrid.poolformer, hybrid.mobilevit, hybrid.edgenext, levit.levit),
    *_family("hybrid", _MODERN, hybrid.convmixer, hybrid.conv_attention),
    *_family("language", _MODERN, language.bert, language.recurrent),
    *_family("language", _TORCH, language.gpt, language.llama, max_weights=MANY_WEIGHTS),
    *_family("language", _TORCH, language.t5, language.decoding),
    *_family("language", _TORCH, fused.bert_fused, fused.decoder_fused, fused.standard_attention),
    *_family("decoder", _MODERN, decoders.unet, decoders.segmentation, decoders.detector, decoders.super_resolution),
    *_family("decoder", _TORCH, decoders.stylisation, decoders.generator, decoders.autoencoder),
    *_family("signal", _TORCH, signals.keywords, signals.waveform, signals.dilated_series, signals.conformer),
    *_family("signal", _TORCH, signals.text_recogniser, signals.spectrogram, signals.video),
]

#: Families that only cover kernels.
_MEDLEYS: list[Family] = [
    *_family("medley", _CAFFE, classic.fully_connected, medleys.classify_maps),
    *_family("medley", _CAFFE, medleys.convolutions, work=HEAVY_WORK),
    *_family("medley", _MODERN, medleys.products, movements.elementwise, movements.layouts),
    Family("wide-layers", "medley", classic.wide_layers, _CAFFE, max_weights=MANY_WEIGHTS),
]

#: What people quantise: convolutional networks and encoders.
_QUANTISED = (
    "vgg", "inception", "squeezenet", "resnet", "regnet", "darknet", "csp", "densenet", "one-shot-aggregation",
    "mobilenet", "mbconv", "fused-mbconv", "lcnet", "shufflenet-v2", "ghostnet", "reparameterised", "vit", "bert",
    "mobilevit", "convnext", "unet", "segmentation", "detector", "convolutions", "fully-connected",
)  # fmt: skip

#: What people convert to half precision and then run on a processor too.
_HALVED = (
    "resnet", "mobilenet", "mbconv", "convnext", "darknet", "vit", "swin", "bert", "gpt", "llama", "unet", "detector",
)  # fmt: skip


#: What people quantise while it runs, and of what they quantise the weights alone.
_DYNAMIC = (
    "vit", "mixer", "bert", "gpt", "t5", "recurrent", "conformer", "text-recogniser", "fully-connected", "products",
    "mobilevit", "keywords",
)  # fmt: skip
_WEIGHT_ONLY = ("bert", "gpt", "llama", "t5", "decoding", "vit", "products")


def _deeper(work: tuple[float, float]) -> tuple[float, float]:
    """The range for whole networks."""
    return work[0], 2.3 * work[1]


def _register() -> dict[str, Family]:
    plain = {family.name: family for family in (*_PUBLISHED, *_MEDLEYS)}
    whole = [replace(family, name=family.name + WHOLE, whole=True, work=_deeper(family.work)) for family in _PUBLISHED]
    families = plain | {family.name: family for family in whole}
    for name in _QUANTISED:
        for source in (name, name + WHOLE):
            if source in families:
                family = families[source]
                families[source + INT8] = replace(family, name=source + INT8, precision="int8", exporters=_TORCH)
    for name in _HALVED:
        for source in (name, name + WHOLE):
            family = families[source]
            families[source + FP16] = replace(family, name=source + FP16, precision="fp16", exporters=_TORCH)
    others: tuple[tuple[tuple[str, ...], str, Quantised], ...] = (
        (_DYNAMIC, DYNAMIC, "dynamic"), (_WEIGHT_ONLY, WEIGHTS, "weights"),
    )  # fmt: skip
    for names, suffix, quantised in others:
        for source in (form for name in names for form in (name, name + WHOLE) if form in families):
            name = source + suffix + INT8
            families[name] = replace(
                families[source], name=name, precision="int8", exporters=_TORCH, quantised=quantised
            )
    return families


FAMILIES: Mapping[str, Family] = MappingProxyType(_register())


def sample(family: str, seed: int) -> Graph:
    """The network ``family:seed``: the same on every machine, static, inferred, runnable.

    Raises KeyError with the names of all families for a name that is none.
    """
    if family not in FAMILIES:
        raise KeyError(f"no family of networks is called {family!r}; there are {', '.join(sorted(FAMILIES))}")
    return FAMILIES[family].sample(seed)
