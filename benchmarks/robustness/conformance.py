"""schemathesis over the whole description of the API: no 5xx, and every answer is as described."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_SETTINGS = Path(__file__).with_name("schemathesis.toml")
PHASES = ("examples", "coverage", "fuzzing", "stateful")


def run_schemathesis(
    url: str,
    token: str,
    names: Mapping[str, str],
    *,
    phases: Sequence[str] = PHASES,
    examples: int = 100,
    seed: int = 1,
) -> subprocess.CompletedProcess[str]:
    """Ask a service; ``examples`` are requests per endpoint that are made up, ``names`` as `world.things` gives them.

    The status is 0 where nothing was found; the output says what was.
    """
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(_SETTINGS), "run", f"{url}/openapi.json",
        "--phases", ",".join(phases), "--max-examples", str(examples), "--seed", str(seed), "--no-color",
    ]  # fmt: skip
    variables = {**os.environ, **names, "ARCHGAUGE_URL": url, "ARCHGAUGE_TOKEN": token}
    return subprocess.run(command, env=variables, text=True, capture_output=True, check=False)
