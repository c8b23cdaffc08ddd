"""The command line of ArchGauge, and what its commands orchestrate."""

from importlib.metadata import version

__version__ = version("archgauge")

__all__ = ["__version__"]
