"""The lowering profile; it lives where it can be had without the passes and numpy."""

from __future__ import annotations

from graphs.lowering_profile import LoweringProfile

__all__ = ["ARM", "ARM_HALF", "X86", "LoweringProfile"]

#: Instruction sets as profiles name them; those of ARM with arithmetic in half precision are ``neon_fp16``.
X86 = frozenset({"avx2", "avx512", "x86_64"})
ARM = frozenset({"neon", "neon_fp16", "aarch64"})
ARM_HALF = frozenset({"neon_fp16"})
