"""How a device becomes an agent of a service: once, with a token that works once, for a key that is told once."""

from __future__ import annotations

from collections.abc import Callable

from archgauge_client import ArchGaugeError, Client, ProblemError
from archgauge_client.agents import Agents
from profilers.agent.describing import Description
from profilers.agent.home import Home, Identity
from profilers.agent.patience import Patience
from profilers.errors import AgentError

_LOOK_EVERY_S = 5.0


def enrol(
    server: str,
    home: Home,
    described: Description,
    patience: Patience,
    *,
    token: str | None,
    key: str | None,
    name: str | None,
    say: Callable[[str], None],
) -> Identity:
    """Who the agent is: as its folder says, or as the service says, which is kept there.

    Raises:
        AgentError: the service does not take it, or could not be reached before the agent's time was over.
    """
    known = home.identity()
    if known is not None and known.server == server:
        return known
    while (reason := home.lack_of_room()) is not None:  # or the key would be lost, and the token used up
        patience.pause(_LOOK_EVERY_S, reason)
        _check_time(patience, reason)
    with Client(server, api_key=key) as client:
        made = _ask(server, Agents(client), described, patience, token, name)
    identity = Identity(server, made.agent, made.name, made.key or key)
    home.remember(identity)
    patience.begin_with_key()
    say(f"enrolled as {made.name} ({made.agent}), target {described.target.id}")
    return identity


def _ask(
    server: str, agents: Agents, described: Description, patience: Patience, token: str | None, name: str | None
) -> Identity:
    while True:
        try:
            made = agents.enrol(described.target.to_json(), described.facts, token, name)
            return Identity(server, made.id, made.name, made.key)
        except ProblemError as error:
            if error.status < 500 and error.status != 429:
                raise AgentError(f"{server} does not take this device: {error}") from error
            patience.bear(error)
        except ArchGaugeError as error:
            patience.bear(error)
        _check_time(patience, f"{server} could not be reached in time")


def _check_time(patience: Patience, why: str) -> None:
    if patience.left_s <= 0:
        raise AgentError(why)
