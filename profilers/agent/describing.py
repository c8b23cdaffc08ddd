"""What this device is to a service, found out in a process of its own because it takes the runtime to know.

python -m profilers.agent.describing '{"threads": 1, "runtime": "onnxruntime", …}'  →  {"target": {…}, "facts": {…}}
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lookup_tables.targets import Target
from profilers.errors import AgentError

_LIMIT_S = 180.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of a device's targets an agent measures, and with which meter."""

    threads: int = 1
    runtime: str = "onnxruntime"
    provider: str = "CPUExecutionProvider"
    #: Of energy, as in `profilers.meters`.
    meter: str = "auto"


@dataclass(frozen=True, slots=True)
class Description:
    """A target, with what else a service wants to know: the protocol's version, the measured peak rates, the meter."""

    target: Target
    facts: Mapping[str, Any]


def describe(wanted: Wanted, known_peaks: Mapping[str, Any] | None = None) -> Description:
    """Find out; takes a second or two, most of it for the peak rates where they are not known.

    Raises:
        AgentError: the runtime is missing or does not work, or the meter; the message is that of the process.
    """
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    question = json.dumps({**asdict(wanted), "known_peaks": known_peaks or {}})
    command = [sys.executable, "-m", "profilers.agent.describing", question]
    environment = {**os.environ, "PYTHONPATH": path}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, env=environment, check=False)
    except subprocess.TimeoutExpired as error:
        raise AgentError(f"the runtime did not say what it is within {_LIMIT_S:.0f} s") from error
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["no word of why"]
        raise AgentError(f"this device cannot be described: {words[-1]}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return Description(Target.from_json(answer["target"]), answer["facts"])


def _main(question: Mapping[str, Any]) -> None:
    from profilers.device import local_target
    from profilers.energy import meter_facts
    from profilers.peaks import measure_peaks
    from profilers.protocol import PROTOCOL_VERSION

    target = local_target(question["threads"], question["provider"], question["runtime"])
    peaks = question["known_peaks"].get(target.id)
    if peaks is None and target.runtime != "fake":
        peaks = measure_peaks(target.threads, target.runtime, target.provider).to_json()
    facts = {"protocol": PROTOCOL_VERSION, "peaks": peaks, **meter_facts(question["meter"], target.provider)}
    print(json.dumps({"target": target.to_json(), "facts": facts}))


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
