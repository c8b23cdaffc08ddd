"""Walking through a search space layer by layer: what is known after each choice, and the piece that it puts in place.

Equal states have equal futures: a state holds the names that later expressions read and the types of the tensors that
later layers read, nothing else. So a walk costs a look into a dictionary where somebody walked before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from graphs.binding import bind
from graphs.errors import GraphError, InvalidSearchSpace
from graphs.ir import Graph, TensorType
from graphs.search_spaces.expressions import Scope
from graphs.search_spaces.pieces import Made, Piece, make_piece
from graphs.search_spaces.space import Choice, Layer, SearchSpace, number

#: Steps that a walker remembers, and pieces, which take some 13 kB each.
REMEMBERED, REMEMBERED_PIECES = 1_000_000, 50_000


@dataclass(frozen=True, slots=True)
class State:
    """What later layers depend on, sorted by name."""

    variables: tuple[tuple[str, int], ...] = ()
    tensors: tuple[tuple[str, TensorType], ...] = ()


class Step(NamedTuple):
    """What a choice leads to; ``piece`` is None where it passes on what comes in."""

    state: State
    piece: Piece | None
    #: False where the layer's condition does not hold, so that all its choices are one.
    active: bool = True


class Walker:
    """Steps through ``space``, remembered. ``batch_size`` and ``dims`` bind symbolic sizes as `graphs.bind` does."""

    def __init__(
        self, space: SearchSpace, *, batch_size: int | None = None, dims: Mapping[str, int] | None = None
    ) -> None:
        self.space = space
        self._batch_size = batch_size
        self._dims = dict(dims or {})
        self._live_names = space.live_names()
        self._live_tensors = space.live_tensors()
        self._steps: dict[tuple[int, State, int], Step] = {}
        self._pieces: dict[bytes, Piece] = {}
        self._made: dict[Made, Piece] = {}
        self.start = State()

    def step(self, layer: int, state: State, choice: int) -> Step:
        """From before ``layer`` to after it. Raises a GraphError that names the layer."""
        key = layer, state, choice
        found = self._steps.get(key)
        if found is None:
            if len(self._steps) >= REMEMBERED or len(self._made) >= REMEMBERED_PIECES:
                self.forget()
            found = self._steps[key] = self._make(layer, state, choice)
        return found

    def forget(self) -> None:
        """Give back the memory of steps, where those to come are others."""
        self._steps.clear()
        self._pieces.clear()
        self._made.clear()

    def walk(self, row: Sequence[int]) -> list[Step]:
        """All steps of an architecture."""
        state, steps = self.start, []
        for layer, choice in enumerate(row):
            steps.append(self.step(layer, state, choice))
            state = steps[-1].state
        return steps

    def input_types(self, steps: Sequence[Step]) -> dict[str, TensorType]:
        """The types of the network's inputs in an architecture."""
        variables: dict[str, int] = {}
        for step in steps:
            variables |= dict(step.state.variables)
        return {name: self._input_type(name, variables) for name, _, _ in self.space.inputs}

    def _make(self, index: int, state: State, choice_index: int) -> Step:
        layer = self.space.layers[index]
        choice = layer.choices[choice_index]
        variables, tensors = dict(state.variables), dict(state.tensors)
        try:
            active = layer.when is None or bool(layer.when(variables))
            piece = None
            if active:
                piece = self._put(layer, choice, variables, tensors)
                variables |= {name: number(value, variables) for name, value in choice.sets}
        except GraphError as error:
            raise InvalidSearchSpace(f"layer {layer.name!r}, {error}") from error
        return Step(self._state(index + 1, variables, tensors), piece, active)

    def _put(self, layer: Layer, choice: Choice, variables: Scope, tensors: dict[str, TensorType]) -> Piece | None:
        """The piece of a choice; ``tensors`` learns the types of what it gives."""
        if choice.block is None:
            return None
        types = [self._type(name, variables, tensors) for name in layer.inputs]
        piece = make_piece(choice, variables, types, self.space.opset, self._made)
        piece = self._pieces.setdefault(piece.digest, piece)
        tensors.update(zip(layer.outputs, piece.output_types, strict=True))
        return piece

    def _state(self, index: int, variables: Scope, tensors: Mapping[str, TensorType]) -> State:
        names, kept = self._live_names[index], self._live_tensors[index]
        return State(
            tuple(sorted(item for item in variables.items() if item[0] in names)),
            tuple(sorted((item for item in tensors.items() if item[0] in kept), key=lambda item: item[0])),
        )

    def _type(self, name: str, variables: Scope, tensors: Mapping[str, TensorType]) -> TensorType:
        found = tensors.get(name)
        return self._input_type(name, variables) if found is None else found

    def _input_type(self, name: str, variables: Scope) -> TensorType:
        for declared, dtype, shape in self.space.inputs:
            if declared == name:
                known = tuple(variables.get(d, d) if isinstance(d, str) else d for d in shape)
                graph = Graph(inputs=[name], types={name: TensorType(dtype, known)})
                symbolic = {d for d in known if isinstance(d, str)}
                dims = {key: size for key, size in self._dims.items() if key in symbolic}
                return bind(graph, batch_size=self._batch_size, dims=dims).types[name]
        raise InvalidSearchSpace(f"nothing gives the tensor {name!r}")
