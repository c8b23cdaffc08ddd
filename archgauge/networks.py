"""The real networks that commands show themselves on."""

from __future__ import annotations

from pathlib import Path

from archgauge.errors import CommandError
from graphs.light_models import LIGHT_MODELS, light_models

#: File → what people call it.
NETWORKS = LIGHT_MODELS


def real_networks() -> dict[str, Path]:
    """Name → file. Raises CommandError where the installed onnx carries them no longer."""
    found = light_models()
    if not found:
        raise CommandError("the installed onnx package carries no networks; try: pip install 'onnx<2'")
    return found
