"""Nine real networks that the onnx package carries, with weights as ConstantOfShape nodes: input without a download."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from archgauge.errors import CommandError

_FOLDER = "backend/test/data/light"

#: File → what people call it.
NETWORKS = {
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


def real_networks() -> dict[str, Path]:
    """Name → file. Raises CommandError where the installed onnx carries them no longer."""
    package = find_spec("onnx")
    if package is None or package.origin is None:
        raise CommandError("the onnx package is not installed; try: pip install archgauge")
    folder = Path(package.origin).parent / _FOLDER
    found = {name: folder / file for file, name in NETWORKS.items() if (folder / file).is_file()}
    if not found:
        raise CommandError(f"the installed onnx package has no networks in {folder}; try: pip install 'onnx<2'")
    return found
