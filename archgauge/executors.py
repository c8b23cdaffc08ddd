"""What runs models on this machine: a runtime with its provider, options and threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from archgauge.errors import CommandError

if TYPE_CHECKING:
    from lookup_tables import Target

#: Short names of providers.
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True, slots=True)
class Executor:
    """The part of a target that is chosen, not found."""

    threads: int = 1
    provider: str = "CPUExecutionProvider"
    runtime: str = "onnxruntime"
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """That of a target, as `lookup_tables.Target.to_json` tells it."""
        return cls(
            int(document.get("threads", 1)), str(document.get("provider", cls().provider)),
            str(document.get("runtime", cls().runtime)), tuple(sorted(dict(document.get("options", {})).items())),
        )  # fmt: skip

    def changed(
        self, threads: int | None, provider: str | None, runtime: str | None, options: Mapping[str, str]
    ) -> Self:
        """With what was asked for on the command line; another provider or runtime begins without options."""
        kept = {} if provider or runtime else dict(self.options)
        return replace(
            self, threads=threads or self.threads, provider=provider or self.provider, runtime=runtime or self.runtime,
            options=tuple(sorted({**kept, **options}.items())),
        )  # fmt: skip

    def target(self) -> Target:
        """This machine with it; raises CommandError where it cannot run like that."""
        from profilers import local_target
        from profilers.errors import MeasurementFailed

        try:
            return local_target(self.threads, self.provider, self.runtime, self.options)
        except (ValueError, MeasurementFailed) as error:
            raise CommandError(str(error)) from error
