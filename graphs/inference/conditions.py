"""If with a condition that is known: the branch taken, inlined."""

from __future__ import annotations

from collections.abc import Mapping

from graphs.ir import Graph, Node, Parameter


def known_branch(node: Node, parameters: Mapping[str, Parameter]) -> Graph | None:
    """The branch that a known condition takes."""
    condition = parameters.get(node.inputs[0]) if node.inputs else None
    if condition is None or condition.value is None:
        return None
    branch = node.attributes.get("then_branch" if condition.value.reshape(-1)[0] else "else_branch")
    return branch if isinstance(branch, Graph) else None


def inline(
    node: Node, body: Graph, outer: Mapping[str, str], taken: Mapping[str, object]
) -> tuple[list[Node], dict[str, Parameter]]:
    """The branch's nodes and parameters under names that do not clash with ``taken`` ones.

    ``outer`` renames what the branch reads from outside. The branch's outputs get the names of the If's.
    """
    names = dict(outer)
    inner = [*body.parameters, *(name for child in body.nodes for name in child.outputs if name)]
    for name in inner:
        names[name] = f"{node.name}/{name}" if name in taken else name
    nodes: list[Node] = []
    passed: list[tuple[str, str]] = []
    for made, name in zip(body.outputs, node.outputs, strict=True):
        if made in inner and made not in body.parameters and made not in (n for n, _ in passed):
            names[made] = name
        else:
            passed.append((made, name))
    for child in body.nodes:
        copy = child.copy()
        copy.inputs = [names.get(n, n) for n in child.inputs]
        copy.outputs = [names.get(n, n) for n in child.outputs]
        nodes.append(copy)
    for made, name in passed:
        nodes.append(Node("Identity", [names.get(made, made)], [name], name=f"{node.name}/{name}"))
    return nodes, {names[n]: p for n, p in body.parameters.items()}
