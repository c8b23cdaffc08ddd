"""``python -m archgauge``."""

from archgauge.cli import run

run()
