"""Search spaces as values: a skeleton of layers, and for each of them the blocks among which a search chooses.

An architecture is one whole number per layer, the position of its choice. A choice may put a block in place, set names
that later expressions use (a resolution, a width, a depth), or do neither, which passes on what comes in. A layer whose
``when`` is false passes on what comes in as well, whatever is chosen for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any, TypeAlias

from graphs.errors import InvalidChoices
from graphs.search_spaces.expressions import Expression, Scope

Number: TypeAlias = int | Expression


def number(value: Number, scope: Scope) -> int:
    """The value of a number that may be an expression."""
    return value if isinstance(value, int) else value(scope)


@dataclass(frozen=True, slots=True)
class Block:
    """A graph in the JSON form whose sizes may be expressions; see docs/search-spaces.md."""

    name: str
    #: Names, element types and shapes of the inputs. A name in a shape stands for whatever size comes in.
    inputs: tuple[tuple[str, str, tuple[int | str | None, ...]], ...]
    #: Names defined by expressions, in order.
    definitions: tuple[tuple[str, Expression], ...]
    #: ``parameters``, ``nodes`` and ``outputs``, with expressions in them.
    body: Mapping[str, Any]
    #: Names that must come from outside.
    free: frozenset[str]

    @property
    def outputs(self) -> int:
        return len(self.body["outputs"])

    @property
    def sizes(self) -> frozenset[str]:
        """Names that stand for sizes of the inputs."""
        return frozenset(dim for _, _, shape in self.inputs for dim in shape if isinstance(dim, str))


@dataclass(frozen=True, slots=True)
class Choice:
    """One possibility for a layer."""

    name: str
    block: Block | None = None
    #: What the block's expressions know besides what was set before.
    given: tuple[tuple[str, Number], ...] = ()
    #: What later layers will know.
    sets: tuple[tuple[str, Number], ...] = ()

    @property
    def names(self) -> set[str]:
        """Names that it takes from what was set before."""
        sizes = self.block.sizes if self.block is not None else frozenset()
        own = {name for name, _ in self.given}
        free = set(self.block.free) - own if self.block is not None else set()
        given = set().union(*(v.names for _, v in self.given if isinstance(v, Expression))) - sizes
        return free.union(given, *(v.names for _, v in self.sets if isinstance(v, Expression)))


@dataclass(frozen=True, slots=True)
class Layer:
    """A place in the skeleton; ``inputs`` and ``outputs`` are names of the skeleton's tensors."""

    name: str
    choices: tuple[Choice, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    when: Expression | None = None

    @property
    def has_blocks(self) -> bool:
        return any(choice.block is not None for choice in self.choices)


@dataclass(frozen=True)
class SearchSpace:
    """Layers of choices between the network's inputs and outputs."""

    name: str
    opset: Mapping[str, int]
    inputs: tuple[tuple[str, str, tuple[int | str | None, ...]], ...]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    description: str = ""
    #: The JSON data that it was read from.
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def id(self) -> str:
        """32 hex digits over everything that decides about architectures and what their parts are called."""
        kept = {key: value for key, value in self.document.items() if key not in ("description", "source")}
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def choices(self) -> tuple[int, ...]:
        """How many choices each layer has."""
        return tuple(len(layer.choices) for layer in self.layers)

    @property
    def encodings(self) -> int:
        """How many rows of choices there are; some may name the same architecture."""
        return prod(self.choices)

    def row(self, choices: Sequence[int] | Mapping[str, str | int]) -> tuple[int, ...]:
        """A row of positions, given as such or by names of layers and choices (layers left out: the first choice).

        Raises InvalidChoices.
        """
        if isinstance(choices, Mapping):
            return self._named(choices)
        row = tuple(choices)
        if len(row) != len(self.layers):
            raise InvalidChoices(f"{self.name} has {len(self.layers)} layers, the row {len(row)} choices")
        for layer, choice in zip(self.layers, row, strict=True):
            if not 0 <= choice < len(layer.choices):
                raise InvalidChoices(f"layer {layer.name!r} has choices 0 to {len(layer.choices) - 1}, not {choice}")
        return row

    def _named(self, choices: Mapping[str, str | int]) -> tuple[int, ...]:
        places = {layer.name: i for i, layer in enumerate(self.layers)}
        row = [0] * len(self.layers)
        for name, wanted in choices.items():
            if name not in places:
                raise InvalidChoices(f"{self.name} has no layer {name!r}; there are {', '.join(places)}")
            layer = self.layers[places[name]]
            names = [choice.name for choice in layer.choices]
            if isinstance(wanted, str) and wanted not in names:
                raise InvalidChoices(f"layer {name!r} has no choice {wanted!r}; there are {', '.join(names)}")
            row[places[name]] = names.index(wanted) if isinstance(wanted, str) else wanted
        return self.row(row)

    def restricted(self, choices: Mapping[str, Sequence[str]]) -> SearchSpace:
        """The space with fewer choices in some layers, in the order given. Raises InvalidChoices."""
        for name, wanted in choices.items():
            for choice in wanted:
                self._named({name: choice})
            if not wanted:
                raise InvalidChoices(f"layer {name!r} needs at least one choice")
        layers, documents = [], []
        for layer, document in zip(self.layers, self.document["layers"], strict=True):
            if (kept := choices.get(layer.name)) is not None:
                by_name = {choice.name: choice for choice in layer.choices}
                layer = replace(layer, choices=tuple(by_name[name] for name in kept))
                listed = {item["name"]: item for item in document.get("choices", ({"name": layer.name},))}
                document = {**document, "choices": [listed[name] for name in kept]}
            layers.append(layer)
            documents.append(document)
        return replace(self, layers=tuple(layers), document={**self.document, "layers": documents})

    def live_names(self) -> list[frozenset[str]]:
        """For each layer, the names of set values that it or a later one reads; one entry more for the end."""
        shapes = {d for _, _, shape in self.inputs for d in shape if isinstance(d, str)}
        live: set[str] = set()
        result = [frozenset(live)]
        for layer in reversed(self.layers):
            read = set().union(*(choice.names for choice in layer.choices))
            read |= layer.when.names if layer.when is not None else set()
            read |= {n for name, _, shape in self.inputs if name in layer.inputs for n in shape if n in shapes}
            live |= read
            result.append(frozenset(live))
        return result[::-1]

    def live_tensors(self) -> list[frozenset[str]]:
        """For each layer, the skeleton's tensors that it or a later one reads; one entry more for the end."""
        live = set(self.outputs)
        result = [frozenset(live)]
        for layer in reversed(self.layers):
            if layer.when is None and layer.has_blocks and all(c.block is not None for c in layer.choices):
                live -= set(layer.outputs)
            live |= set(layer.inputs) if layer.has_blocks else set()
            result.append(frozenset(live))
        return result[::-1]


def fingerprint(parts: Iterable[object]) -> bytes:
    """16 bytes over the texts of ``parts``."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(repr(part).encode())
        state.update(b"\0")
    return state.digest()
