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
        return cls(**data)

    @property
    def release(self) -> tuple[int, int]:
        """(major, minor) of the runtime."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)
