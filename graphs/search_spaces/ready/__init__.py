"""Search spaces that come with ArchGauge, as data: one JSON file each, with its source."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from graphs.errors import InvalidSearchSpace
from graphs.search_spaces.reading import read_search_space
from graphs.search_spaces.space import SearchSpace

#: Their names.
READY: tuple[str, ...] = tuple(
    sorted(file.name.removesuffix(".json") for file in files(__name__).iterdir() if file.name.endswith(".json"))
)


@cache
def ready_space(name: str) -> SearchSpace:
    """One of `READY`. Raises InvalidSearchSpace for another name."""
    if name not in READY:
        raise InvalidSearchSpace(f"no ready search space is called {name!r}; there are {', '.join(READY)}")
    return read_search_space(json.loads((files(__name__) / f"{name}.json").read_bytes()))
