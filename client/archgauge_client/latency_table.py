"""What every choice of a search space adds to the whole: the differentiable term of a search by gradients.

Latencies add up, nearly: the latency of an architecture is a constant and one number for each of its layers. So the
expected latency of a mixture of choices, weighted by a softmax over architecture parameters, is linear in the weights,
and its gradient is the table itself (as in FBNet and ProxylessNAS). Nothing here needs PyTorch, and everything works
with its tensors: they are only multiplied and added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from archgauge_client.wire import _Answer


class LayerTable(_Answer):
    """One layer: its choices with what each of them adds."""

    name: str
    choices: list[str]
    latency_ms: list[float]
    energy_mj: list[float] | None = None


class TableError(_Answer):
    """How far sums from the table lie from predictions, as shares of these."""

    mean: float
    max: float


class LatencyTable(_Answer):
    """The lookup table of a compiled search space on one target.

    >>> table = client.latency_table("mobilenetv3")  # doctest: +SKIP
    >>> loss = accuracy_loss + 0.1 * table.expected_latency_ms(weights)  # doctest: +SKIP
    """

    layers: list[LayerTable]
    fixed_latency_ms: Annotated[float, Field(description="What belongs to no layer.")]
    fixed_energy_mj: float | None = None
    error: TableError | None = None

    def latency_ms(self, choices: Sequence[int | str] | Mapping[str, int | str]) -> float:
        """The latency of an architecture: one choice for each layer, by position or name.

        Raises:
            ValueError: there is no such layer or choice, or not one choice for each layer.
        """
        return self.fixed_latency_ms + sum(
            layer.latency_ms[place] for layer, place in zip(self.layers, self._places(choices), strict=True)
        )

    def energy_mj(self, choices: Sequence[int | str] | Mapping[str, int | str]) -> float | None:
        """The energy of an architecture; None where it cannot be said. Raises as `latency_ms`."""
        total = self.fixed_energy_mj
        for layer, place in zip(self.layers, self._places(choices), strict=True):
            if layer.energy_mj is None or total is None:
                return None
            total += layer.energy_mj[place]
        return total

    def expected_latency_ms(self, weights: Iterable[Any]) -> Any:
        """The latency of a mixture: for each layer a weight per choice, such as the softmax of its parameters.

        ``weights`` may hold lists, arrays or tensors; where they can be differentiated, the result can be too.

        Raises:
            ValueError: not as many weights as there are layers or choices.
        """
        total: Any = self.fixed_latency_ms
        for layer, shares in zip(self.layers, weights, strict=True):
            for latency, share in zip(layer.latency_ms, shares, strict=True):
                total = total + share * latency
        return total

    def rows(self, fill: float = 0.0) -> list[list[float]]:
        """Latencies as ``[layers, choices]``, to make one array or tensor of.

        Where a layer has fewer choices than another, ``fill`` stands in their place.
        """
        widest = max((len(layer.latency_ms) for layer in self.layers), default=0)
        return [[*layer.latency_ms, *[fill] * (widest - len(layer.latency_ms))] for layer in self.layers]

    def _places(self, choices: Sequence[int | str] | Mapping[str, int | str]) -> list[int]:
        if isinstance(choices, Mapping):
            known = {layer.name for layer in self.layers}
            if set(choices) != known:
                raise ValueError(f"choices are needed for exactly these layers: {', '.join(sorted(known))}")
            choices = [choices[layer.name] for layer in self.layers]
        if len(choices) != len(self.layers):
            raise ValueError(f"the table has {len(self.layers)} layers, not {len(choices)}")
        return [_place(layer, choice) for layer, choice in zip(self.layers, choices, strict=True)]


def _place(layer: LayerTable, choice: int | str) -> int:
    if isinstance(choice, str) and choice in layer.choices:
        return layer.choices.index(choice)
    if isinstance(choice, int) and 0 <= choice < len(layer.choices):
        return choice
    raise ValueError(f"layer {layer.name!r} has no choice {choice!r}; there are {', '.join(layer.choices)}")
