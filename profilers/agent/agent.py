"""The agent's life: ask for work, measure, send, and again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from archgauge_client import ArchGaugeError, Client, ProblemError
from archgauge_client.agents import Agents
from archgauge_client.wire_agents import Lease
from profilers.agent.describing import Description, Wanted, describe
from profilers.agent.heart import Heart
from profilers.agent.home import Home, Identity, LeaseFolder
from profilers.agent.measuring import Measuring
from profilers.agent.pacing import Pace
from profilers.agent.sending import Sender
from profilers.device import fingerprint
from profilers.errors import AgentError, InvalidSpool
from profilers.protocol import PROTOCOL_VERSION

#: How long the service may keep a question for work waiting.
WAIT_S = 25.0
#: Between attempts to reach the service: doubled from the first to the second.
PAUSE_S = (1.0, 60.0)
#: Between looks at the clock and the thermometer.
_LOOK_EVERY_S = 5.0
#: A new key is known to all processes of a service within this time.
_KEY_KNOWN_S = 15.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When an agent ends by itself; None for never. ``budget_s`` are seconds of measuring."""

    once: bool = False
    max_duration_s: float | None = None
    budget_s: float | None = None
    #: What may wait to be sent before no more work is asked for.
    max_spool_bytes: int = 512 * 2**20


class Agent:
    """An agent of one service. ``say`` gets a line about what happens, ``report`` a task's share and item."""

    def __init__(
        self,
        server: str,
        home: Home,
        wanted: Wanted,
        *,
        token: str | None = None,
        key: str | None = None,
        name: str | None = None,
        pace: Pace | None = None,
        limits: Limits | None = None,
        say: Callable[[str], None] = lambda _: None,
        report: Callable[[float, str], None] = lambda _share, _words: None,
    ) -> None:
        self._server = server.rstrip("/")
        self._home = home
        self._wanted = wanted
        self._token = token
        self._key = key
        self._name = name
        self._pace = pace or Pace()
        self._limits = limits or Limits()
        self._say = say
        self._report = report
        self._measured_s = 0.0
        self._tasks = 0
        self._failures = 0
        self._waited_for = ""
        self._began = time.monotonic()

    def run(self) -> None:
        """Live until a limit ends it, or for ever.

        Raises:
            AgentError: it cannot enrol, the device cannot be described, or another agent uses the folder.
            ArchGaugeError: the service refuses this agent.
        """
        with self._home.alone():
            self._described = self._describe()
            identity = self._enrol()
            with Client(identity.server, api_key=identity.key, timeout_s=WAIT_S + 20.0) as client:
                self._identity, self._agents = identity, Agents(client)
                self._go_on()
                while not self._over():
                    self._live()

    def _live(self) -> None:
        """Wait until measuring is allowed, then carry out a task if there is one."""
        self._send_left()
        reason = self._pace.reason_to_wait()
        if reason is None and self._home.spooled_bytes() > self._limits.max_spool_bytes:
            reason = "too much waits to be sent"
        if reason is not None:
            self._pause(_LOOK_EVERY_S, reason)
            return
        self._look_again()
        lease = self._ask()
        if lease is not None:
            self._carry_out(lease)

    def _ask(self) -> Lease | None:
        target, facts = self._described.target.to_json(), self._described.facts
        try:
            lease = self._agents.lease(self._identity.agent, target, facts, max(0.0, min(WAIT_S, self._left_s())))
        except ArchGaugeError as error:
            self._bear(error)
            return None
        self._failures, self._waited_for = 0, ""
        return lease

    def _carry_out(self, lease: Lease) -> None:
        try:
            folder = self._home.take(lease)
        except OSError as error:
            self._give_back(lease, f"nothing can be written here: {error}")
            return
        self._work(folder)

    def _work(self, folder: LeaseFolder) -> None:
        """Measure what is left of a lease, and send it; what cannot be sent now stays in its folder."""
        lease, target = folder.lease, self._described.target
        if (lease.target, lease.protocol) != (target.id, PROTOCOL_VERSION):
            self._give_back(lease, "this device measures for another target or protocol by now")
            self._finish(folder)
            return
        sender = Sender(self._agents, folder)
        try:
            with Measuring(folder, target) as measuring, Heart(self._agents, lease) as heart:
                self._measure(measuring, heart, sender, lease)
                complete = not measuring.left()
                if not complete and not heart.lost:
                    self._try_to_send(sender)
                    heart.beat(release=True)
        except OSError as error:  # a full disk: the items that are on it are kept
            self._give_back(lease, f"nothing can be written here: {error}")
        except InvalidSpool as error:
            self._give_back(lease, str(error))
        self._tasks += 1
        self._finish(folder, sender)

    def _measure(self, measuring: Measuring, heart: Heart, sender: Sender, lease: Lease) -> None:
        count = len(lease.items)
        for item in measuring.left():
            while (reason := self._pace.reason_to_wait()) is not None and not self._spent():
                self._pause(_LOOK_EVERY_S, reason)
            if heart.lost or self._spent():
                return
            name = f"{item.item['family']}:{item.item['seed']}"
            self._report((count - len(measuring.left())) / count, name)
            made = measuring.measure(item)
            self._measured_s += made.seconds
            heart.sentinel_us = made.sentinel_us or heart.sentinel_us
            self._try_to_send(sender)
            what = f"{made.failed} failed" if made.failed else "measured"
            self._say(f"{name}: {what} in {made.seconds:.1f} s")
        self._report(1.0, "")

    def _finish(self, folder: LeaseFolder, sender: Sender | None = None) -> None:
        """Send what is left, and forget the lease if that worked."""
        sender = sender or Sender(self._agents, folder)
        if self._try_to_send(sender):
            for refusal in sender.refused:
                self._say(f"not counted: {refusal}")
            folder.remove()

    def _try_to_send(self, sender: Sender) -> bool:
        try:
            sender.send()
        except ArchGaugeError as error:
            self._say(f"to be sent later: {error}")
            return False
        return True

    def _go_on(self) -> None:
        """With what was under way when the agent ended."""
        for folder in self._home.leases():
            self._say(f"going on with lease {folder.lease.id}")
            self._work(folder)
            self._tasks -= 1  # it was another run's

    def _send_left(self) -> None:
        """What could not be sent when it was measured."""
        for folder in self._home.leases():
            self._finish(folder)

    def _give_back(self, lease: Lease, why: str) -> None:
        self._say(f"giving a task back: {why}")
        Heart(self._agents, lease).beat(release=True)
        self._pause(_LOOK_EVERY_S, why)

    def _enrol(self) -> Identity:
        known = self._home.identity()
        if known is not None and known.server == self._server:
            return known
        key = self._key
        with Client(self._server, api_key=key) as client:
            while True:
                try:
                    made = Agents(client).enrol(
                        self._described.target.to_json(), self._described.facts, self._token, self._name
                    )
                    break
                except ProblemError as error:
                    if error.status < 500 and error.status != 429:
                        raise AgentError(f"{self._server} does not take this device: {error}") from error
                    self._bear(error)
                except ArchGaugeError as error:
                    self._bear(error)
                if self._left_s() <= 0:
                    raise AgentError(f"{self._server} could not be reached in time")
        identity = Identity(self._server, made.id, made.name, made.key or key)
        self._home.remember(identity)
        self._say(f"enrolled as {made.name} ({made.id}), target {made.target}")
        return identity

    def _describe(self) -> Description:
        described = describe(self._wanted, self._home.peaks())
        if described.facts.get("peaks"):
            self._home.keep_peaks(described.target.id, described.facts["peaks"])
        return described

    def _look_again(self) -> None:
        """A device that is not what it was is another target."""
        if fingerprint().identity() != self._described.target.device.identity():
            self._say("this device has changed; it is another target from now on")
            self._described = self._describe()

    def _bear(self, error: ArchGaugeError) -> None:
        """Wait and try again, unless the service refuses for good."""
        refused = isinstance(error, ProblemError) and error.status in (400, 401, 403, 404, 422)
        if refused and time.monotonic() - self._began > _KEY_KNOWN_S:
            raise error
        first, longest = PAUSE_S
        pause_s = min(longest, first * 2.0**self._failures) * random.uniform(0.5, 1.0)
        self._failures += 1
        self._pause(pause_s, str(error))

    def _pause(self, seconds: float, why: str) -> None:
        if why != self._waited_for:
            self._say(f"waiting: {why}")
        self._waited_for = why
        time.sleep(max(0.0, min(seconds, self._left_s())))

    def _over(self) -> bool:
        return self._spent() or (self._limits.once and self._tasks > 0)

    def _spent(self) -> bool:
        """Whether its time is over, be it that of measuring or all of it."""
        budget_s = self._limits.budget_s
        return self._left_s() <= 0 or (budget_s is not None and self._measured_s >= budget_s)

    def _left_s(self) -> float:
        if self._limits.max_duration_s is None:
            return float("inf")
        return self._limits.max_duration_s - (time.monotonic() - self._began)
