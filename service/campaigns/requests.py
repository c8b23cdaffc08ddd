"""What somebody wants to have measured → the document of a campaign, checked."""

from __future__ import annotations

from typing import Any

from archgauge_client.wire import GraphArchitecture, OnnxArchitecture
from archgauge_client.wire_agents import CampaignRequest
from graphs import graph_hash, prepare, write_json
from service.db import Agents
from service.errors import GraphTooLarge, InvalidRequest, UnknownTarget
from service.spaces.library import Library
from service.store import Store


def target_of(store: Store, wanted: CampaignRequest) -> str:
    """The id of the target that is meant. Raises UnknownTarget."""
    if wanted.target is not None:
        return store.target(wanted.target).id
    with store.database.read() as session:
        agents = sorted(Agents(session).all(), key=lambda agent: agent.seen_at)
    if not agents:
        raise UnknownTarget("no agent has enrolled yet; run `archgauge agent` on a device, or name a target")
    return agents[-1].target_id


def document_of(store: Store, wanted: CampaignRequest, max_nodes: int) -> dict[str, Any]:
    """What is kept of a request: architectures as graphs, everything else as it was sent.

    Raises:
        InvalidRequest: there is nothing to measure, or a field contradicts another.
        UnknownSearchSpace: there is no such space.
        GraphError, GraphTooLarge: an architecture cannot be used.
    """
    if wanted.goal == "measure" and not wanted.architectures:
        raise InvalidRequest("the goal `measure` needs architectures", [("architectures", "must have one at least")])
    library = Library(store.database, max_nodes)
    if wanted.search_space is not None:
        library.find(wanted.search_space)
    graphs = []
    for architecture in wanted.architectures:
        if isinstance(architecture, OnnxArchitecture):
            graph = prepare(architecture.onnx)
        elif isinstance(architecture, GraphArchitecture):
            graph = prepare(architecture.graph)
        else:
            graph = library.find(architecture.space).graph(architecture.choices)
        if len(graph.nodes) > max_nodes:
            raise GraphTooLarge(f"{len(graph.nodes):,} nodes; at most {max_nodes:,} are accepted", max_nodes)
        graphs.append({"hash": graph_hash(graph), "name": graph.name, "graph": write_json(graph)})
    document = wanted.model_dump(mode="json", exclude={"target", "architectures"})
    return {**document, "rounds": 1 if wanted.goal == "measure" else wanted.rounds, "architectures": graphs}
