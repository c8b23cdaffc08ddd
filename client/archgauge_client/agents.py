"""What an agent asks of a service, and what those ask who send agents to measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from archgauge_client._protocol import answer
from archgauge_client.wire_agents import (
    Agent,
    AgentList,
    AgentRequest,
    Campaign,
    CampaignList,
    CampaignRequest,
    ChunkReceipt,
    Enrolment,
    EnrolmentRequest,
    Heartbeat,
    HeartbeatRequest,
    Lease,
    LeaseAnswer,
    LeaseRequest,
    NewAgent,
)

if TYPE_CHECKING:
    from archgauge_client.client import Client

_JSON = {"content-type": "application/json"}
_Answer = TypeVar("_Answer", bound=BaseModel)


class Agents:
    """Agents of the service that a client talks to. Methods raise as those of `archgauge_client.Client` do."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def invite(self, name: str, expires_in_s: int = 3600) -> Enrolment:
        """A one-time token for ``archgauge agent --token``; needs an administrator's key."""
        return self._post("/v1/agents/enrolments", EnrolmentRequest(name=name, expires_in_s=expires_in_s), Enrolment)

    def enrol(
        self, target: Mapping[str, Any], facts: Mapping[str, Any], token: str | None = None, name: str | None = None
    ) -> NewAgent:
        """Become an agent. A token works once, so this is not repeated by itself."""
        request = AgentRequest(token=token, name=name, target=dict(target), facts=dict(facts))
        return self._post("/v1/agents", request, NewAgent, retry=False)

    def all(self) -> list[Agent]:
        """All agents, the newest first."""
        return answer(self._client._request("GET", "/v1/agents"), AgentList).agents

    def lease(
        self, agent: str, target: Mapping[str, Any], facts: Mapping[str, Any], wait_s: float = 0.0
    ) -> Lease | None:
        """The next task, waiting for one if there is none; None if there still is none."""
        request = LeaseRequest(agent=agent, target=dict(target), facts=dict(facts), wait_s=wait_s)
        return self._post("/v1/leases", request, LeaseAnswer, retry=False).lease

    def rest(self, agent: str, target: Mapping[str, Any], facts: Mapping[str, Any], why: str) -> None:
        """Say that the agent is on and asks for no work, because of its quiet hours for one."""
        request = LeaseRequest(agent=agent, target=dict(target), facts=dict(facts), waits=why[:200])
        self._post("/v1/leases", request, LeaseAnswer, retry=False)

    def heartbeat(self, lease_id: str, said: HeartbeatRequest) -> Heartbeat:
        """Keep a task, or give it back."""
        return self._post(f"/v1/leases/{quote(lease_id, safe='')}/heartbeat", said, Heartbeat, retry=False)

    def send(self, lease_id: str, number: int, content: bytes) -> ChunkReceipt:
        """Send a chunk of results, JSON of a `ResultChunk`; the same bytes may be sent again."""
        path = f"/v1/leases/{quote(lease_id, safe='')}/results/{number}"
        return answer(self._client._request("PUT", path, content=content, headers=_JSON, retry=False), ChunkReceipt)

    def _post(self, path: str, request: BaseModel, kind: type[_Answer], *, retry: bool = True) -> _Answer:
        content = request.model_dump_json(exclude_unset=True).encode()  # older services do not know every field
        return answer(self._client._request("POST", path, content=content, headers=_JSON, retry=retry), kind)


class Campaigns:
    """Campaigns of the service that a client talks to. Methods raise as those of `archgauge_client.Client` do."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def start(self, request: CampaignRequest) -> Campaign:
        """Have something measured; needs an administrator's key."""
        content = request.model_dump_json().encode()
        return answer(self._client._request("POST", "/v1/campaigns", content=content, headers=_JSON, retry=False),
                      Campaign)  # fmt: skip

    def get(self, campaign_id: str) -> Campaign:
        """How a campaign is doing."""
        return answer(self._client._request("GET", _campaign(campaign_id)), Campaign)

    def newest(self) -> list[Campaign]:
        """The newest campaigns first."""
        return answer(self._client._request("GET", "/v1/campaigns"), CampaignList).campaigns

    def pause(self, campaign_id: str) -> Campaign:
        """Hand out no more tasks for now."""
        return self._turn(campaign_id, "pause")

    def resume(self, campaign_id: str) -> Campaign:
        """Hand out tasks again."""
        return self._turn(campaign_id, "resume")

    def cancel(self, campaign_id: str) -> Campaign:
        """Stop for good; what was measured is kept."""
        return self._turn(campaign_id, "cancel")

    def _turn(self, campaign_id: str, what: str) -> Campaign:
        return answer(self._client._request("POST", f"{_campaign(campaign_id)}/{what}"), Campaign)


def _campaign(campaign_id: str) -> str:
    return f"/v1/campaigns/{quote(campaign_id, safe='')}"
