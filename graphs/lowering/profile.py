"""The lowering profile; it lives where it can be had without the passes and numpy."""

from __future__ import annotations

from graphs.lowering_profile import LoweringProfile

__all__ = ["LoweringProfile"]
