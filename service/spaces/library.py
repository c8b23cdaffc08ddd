"""The search spaces that can be asked for: ready ones by name, and all that were sent, by id."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from archgauge_client.wire_spaces import SearchSpaceRequest
from graphs import Graph
from graphs.search_spaces import READY, SearchSpace, Walker, assemble_row, read_search_space, ready_space
from service.db import Database, SearchSpaceRecord, SearchSpaces
from service.errors import GraphTooLarge, InvalidRequest, UnknownSearchSpace

#: Spaces that are kept in memory.
_KEPT = 64


@dataclass(frozen=True)
class BoundSpace:
    """A space with the sizes that it is bound to. The id is a hash of both."""

    space: SearchSpace
    batch_size: int | None
    dims: Mapping[str, int]

    @cached_property
    def document(self) -> dict[str, Any]:
        """What is stored."""
        return {"space": dict(self.space.document), "batch_size": self.batch_size, "dims": dict(self.dims)}

    @cached_property
    def id(self) -> str:
        text = json.dumps([self.space.id, self.batch_size, sorted(self.dims.items())])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def record(self) -> SearchSpaceRecord:
        """As it is stored."""
        return SearchSpaceRecord(self.id, self.space.name, self.document, datetime.now(UTC))

    def graph(
        self,
        choices: Sequence[int] | Mapping[str, str | int],
        batch_size: int | None = None,
        dims: Mapping[str, int] | None = None,
    ) -> Graph:
        """The graph of an architecture; sizes that are given here go before. Raises a GraphError."""
        walker = Walker(self.space, batch_size=batch_size or self.batch_size, dims={**self.dims, **(dims or {})})
        return assemble_row(walker, self.space.row(choices))

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> BoundSpace:
        """From what is stored."""
        return cls(read_search_space(document["space"]), document["batch_size"], dict(document["dims"]))


class Library:
    """Spaces by id or name; thread-safe."""

    def __init__(self, database: Database, max_nodes: int = 50_000) -> None:
        self._database = database
        self._max_nodes = max_nodes
        self._lock = threading.Lock()
        self._known: OrderedDict[str, BoundSpace] = OrderedDict()

    def add(self, request: SearchSpaceRequest) -> BoundSpace:
        """Keep the space that a request describes.

        Raises:
            InvalidRequest: it names and describes one, or neither.
            GraphTooLarge: some architecture may have too many nodes.
            GraphError: the description is wrong, there is no such ready space, or nothing is left of a layer.
        """
        if (request.name is None) == (request.space is None):
            raise InvalidRequest("give the name of a ready space or a space", [("name", "either this or `space`")])
        space = ready_space(request.name) if request.name is not None else read_search_space(request.space or {})
        if request.restrict:
            space = space.restricted(request.restrict)
        self._check_size(space)
        bound = BoundSpace(space, request.batch_size, dict(request.dims))
        Walker(space, batch_size=bound.batch_size, dims=bound.dims).walk((0,) * len(space.layers))  # can it be built?
        with self._database.write() as session:
            SearchSpaces(session).add(bound.record())
        return self.find(bound.id)  # the same may have been sent before, in other words

    def find(self, name: str) -> BoundSpace:
        """A space by its id, or a ready one by its name.

        Raises:
            UnknownSearchSpace: there is none.
        """
        with self._lock:
            known = self._known.get(name)
        if known is not None:
            return known
        if name in READY:
            bound = BoundSpace(ready_space(name), None, {})
        else:
            with self._database.read() as session:
                record = SearchSpaces(session).get(name) if name.isalnum() else None
            if record is None:
                raise UnknownSearchSpace(
                    f"no search space has the id {name!r}, and no ready one that name; POST /v1/search-spaces first",
                    READY,
                )
            bound = BoundSpace.of(record.document)
        self._remember(name, bound)
        return bound

    def _check_size(self, space: SearchSpace) -> None:
        nodes = sum(max(0 if c.block is None else len(c.block.body["nodes"]) for c in y.choices) for y in space.layers)
        if nodes > self._max_nodes:
            raise GraphTooLarge(
                f"architectures of the space have up to {nodes:,} nodes; at most {self._max_nodes:,} are accepted",
                self._max_nodes,
            )

    def newest(self, limit: int) -> list[SearchSpaceRecord]:
        """Spaces that were sent."""
        with self._database.read() as session:
            return SearchSpaces(session).newest(limit)

    def _remember(self, name: str, bound: BoundSpace) -> None:
        with self._lock:
            self._known[name] = bound
            self._known.move_to_end(name)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
