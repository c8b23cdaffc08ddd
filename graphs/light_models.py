"""Nine real networks that the onnx package carries, with weights as ConstantOfShape nodes: input without a download."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_FOLDER = "backend/test/data/light"

#: File → what people call it.
LIGHT_MODELS = {
    "light_bvlc_alexnet.onnx": "AlexNet",
    "light_densenet121.onnx": "DenseNet-121",
    "light_inception_v1.onnx": "Inception v1",
    "light_inception_v2.onnx": "Inception v2",
    "light_resnet50.onnx": "ResNet-50",
    "light_shufflenet.onnx": "ShuffleNet",
    "light_squeezenet.onnx": "SqueezeNet",
    "light_vgg19.onnx": "VGG-19",
    "light_zfnet512.onnx": "ZFNet-512",
}


def light_models() -> dict[str, Path]:
    """Name → file, of those that the installed onnx package has; it is not imported for that."""
    package = find_spec("onnx")
    if package is None or package.origin is None:
        return {}
    folder = Path(package.origin).parent / _FOLDER
    return {name: folder / file for file, name in LIGHT_MODELS.items() if (folder / file).is_file()}
