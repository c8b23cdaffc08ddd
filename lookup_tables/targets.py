"""Targets: a device with a runtime and its settings. Tables and predictors belong to a target.

A target's id is a readable slug and a hash of everything that decides how fast a kernel runs. A changed fingerprint
(another processor, runtime version, number of threads, …) is another target; what only wobbles (today's clock, the
patch level of the operating system's kernel, a few megabytes of memory) is recorded but not hashed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from graphs.lowering_profile import LoweringProfile
from lookup_tables.errors import InvalidRecord

#: Characters; databases and file systems have limits.
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class DeviceFingerprint:
    """One kind of hardware with the system that runs on it, as far as it decides latencies.

    Empty strings and zeros mean "not known". Everything but ``observed`` is part of the identity.
    """

    cpu_model: str
    vendor: str = ""
    architecture: str = ""
    #: Instruction-set extensions that runtimes dispatch on, sorted (``avx2``, ``avx512f``, ``neon`` …).
    isa: tuple[str, ...] = ()
    #: Logical processors of the machine.
    cores: int = 0
    #: Hardware threads per core, as the system shows them.
    threads_per_core: int = 0
    #: Data caches by level, in bytes, as (("L1d", 49152), …); of one core where it is not shared.
    caches: tuple[tuple[str, int], ...] = ()
    #: Memory in whole GiB, rounded.
    memory_gib: int = 0
    os: str = ""
    #: Major and minor version of the operating system's kernel.
    os_version: str = ""
    governor: str = ""
    #: Highest clock that the system promises, in MHz.
    max_mhz: int = 0
    virtualised: bool = False
    #: GPUs and the like that the target computes on, with what decides their speed in brackets.
    accelerators: tuple[str, ...] = ()
    #: What was seen but does not identify the device: the exact kernel release, the current clock, microcode, …
    observed: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def slug(self) -> str:
        """Short and readable: ``intel-xeon-processor``; ``nvidia-h200`` where an accelerator computes."""
        name = self.accelerators[0].partition(" (")[0] if self.accelerators else self.cpu_model
        name = re.sub(r"\((r|tm)\)|\bcpu\b|@.*|\b\d+-core\b", " ", name, flags=re.IGNORECASE)
        return _slug(name)[:40].strip("-") or "device"

    def identity(self) -> dict[str, Any]:
        """The fields that are hashed, as JSON data."""
        data = asdict(self)
        del data["observed"]
        return data

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "caches": dict(self.caches), "observed": dict(self.observed)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DeviceFingerprint:
        if not isinstance(data, Mapping):
            raise InvalidRecord(f"not a device fingerprint: {data!r}")
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        try:
            _check_types(cls, values)
            for name in ("isa", "accelerators"):
                values[name] = tuple(str(item) for item in values.get(name, ()))
            values["caches"] = tuple((str(k), int(v)) for k, v in dict(values.get("caches", {})).items())
            values["observed"] = tuple((str(k), str(v)) for k, v in dict(values.get("observed", {})).items())
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise InvalidRecord(f"not a device fingerprint: {error}") from error


@dataclass(frozen=True, slots=True)
class Target:
    """A device with a runtime, its version, provider and options, a number of threads and a power mode."""

    device: DeviceFingerprint
    runtime: str = "onnxruntime"
    runtime_version: str = ""
    provider: str = "CPUExecutionProvider"
    #: Runtime options that differ from the protocol's, as name and value.
    options: tuple[tuple[str, str], ...] = ()
    threads: int = 1
    power_mode: str = ""
    lowering: LoweringProfile = field(default_factory=LoweringProfile)
    #: Measured under an emulator: kept apart, never promoted.
    emulated: bool = False

    @property
    def fingerprint(self) -> str:
        """64 hex digits over everything that identifies the target."""
        data = {**asdict(self), "device": self.device.identity(), "options": sorted(self.options)}
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def slug(self) -> str:
        """Readable part of the id: ``intel-xeon-processor-onnxruntime-1.31.1-cpu-1t``."""
        provider = self.provider.removesuffix("ExecutionProvider")
        parts = [self.device.slug, self.runtime, self.runtime_version, provider, f"{self.threads}t"]
        if self.emulated:
            parts.append("emulated")
        return _slug("-".join(part for part in parts if part))

    @property
    def id(self) -> str:
        """The slug and eight hex digits of the fingerprint; safe as a file name and in a URL."""
        return f"{self.slug}-{self.fingerprint[:8]}"

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self), "id": self.id, "device": self.device.to_json(), "options": dict(self.options),
            "lowering": self.lowering.to_json(),
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Target:
        """The inverse of `to_json`. An ``id`` in the data is checked, so that an edited target is noticed."""
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        try:
            _check_types(cls, values)
            values["device"] = DeviceFingerprint.from_json(values["device"])
            values["options"] = tuple((str(k), str(v)) for k, v in dict(values.get("options", {})).items())
            if "lowering" in values:
                _check_types(LoweringProfile, values["lowering"])
                values["lowering"] = LoweringProfile.from_json(values["lowering"])
            target = cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRecord(f"not a target: {error!r}") from error
        if len(target.id) > _LONGEST_ID:
            raise InvalidRecord(f"the names in a target are too long: its id has {len(target.id)} characters")
        if "id" in data and data["id"] != target.id:
            raise InvalidRecord(f"the target calls itself {data['id']!r}, but its fingerprint makes it {target.id!r}")
        return target


def _check_types(cls: type[Any], values: Mapping[str, Any]) -> None:
    """Raises TypeError where a text, number or truth value of a dataclass is something else."""
    plain = {"str": str, "int": int, "bool": bool}
    for f in fields(cls):
        kind = plain.get(str(f.type))
        if kind is not None and f.name in values and type(values[f.name]) is not kind:
            raise TypeError(f"{f.name} must be {f.type}, not {values[f.name]!r}")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
