"""What decides how a graph is lowered: the runtime, its version and provider, the instruction set, the options."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LoweringProfile:
    """One way of lowering. ``version`` is major.minor; ``nchwc_block`` is 0 where there is no blocked layout."""

    runtime: str = "onnxruntime"
    version: str = "1.31"
    provider: str = "CPUExecutionProvider"
    isa: str = "avx512"
    nchwc_block: int = 16

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LoweringProfile:
        """The inverse of `to_json`. Raises TypeError or ValueError for what is none."""
        profile = cls(**data)
        if not 0 <= profile.nchwc_block <= 64 or min(profile.release) < 0:
            raise ValueError(f"{profile} is no way of lowering")
        return profile

    @property
    def release(self) -> tuple[int, int]:
        """(major, minor) of the runtime."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)
