"""The agent's life: ask for work, measure, send, and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from archgauge_client import ArchGaugeError, Client
from archgauge_client.agents import Agents
from archgauge_client.wire_agents import Lease
from lookup_tables.errors import InvalidRecord
from profilers.agent.describing import Description, Wanted, describe
from profilers.agent.enrolling import enrol
from profilers.agent.heart import Heart
from profilers.agent.home import MAX_SPOOL_BYTES, Home, LeaseFolder
from profilers.agent.measuring import Measuring
from profilers.agent.pacing import Pace
from profilers.agent.patience import Patience
from profilers.agent.sending import Sender
from profilers.device import fingerprint
from profilers.errors import DeviceChanged, InvalidSpool
from profilers.protocol import PROTOCOL_VERSION

#: How long the service may keep a question for work waiting; and how long an agent pauses that was not kept.
WAIT_S, PAUSE_S = 25.0, 1.0
#: Between looks at the clock, the thermometer and the disk.
_LOOK_EVERY_S = 5.0
#: So long a task is kept from others while nothing may be measured.
_HOLD_S = 120.0
#: How long the last words to a service may take.
_PARTING_S = 3.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When an agent ends by itself; None for never. ``budget_s`` are seconds of measuring."""

    once: bool = False
    max_duration_s: float | None = None
    budget_s: float | None = None
    #: What may wait to be sent before no more work is asked for.
    max_spool_bytes: int = MAX_SPOOL_BYTES


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
        self._patience = Patience(self._limits.max_duration_s, say)
        self._measured_s = 0.0
        self._told_at = float("-inf")
        self._tasks = 0

    def run(self) -> None:
        """Live until a limit ends it, or for ever.

        Raises:
            AgentError: it cannot enrol, the device cannot be described, or another agent uses the folder.
            ArchGaugeError: the service refuses this agent.
        """
        with self._home.alone():
            self._described = self._describe()
            identity = enrol(
                self._server, self._home, self._described, self._patience,
                token=self._token, key=self._key, name=self._name, say=self._say,
            )  # fmt: skip
            with Client(identity.server, api_key=identity.key, timeout_s=WAIT_S + 20.0) as client:
                self._identity, self._agents = identity, Agents(client)
                self._go_on()
                while not self._over():
                    self._live()

    def _live(self) -> None:
        """Wait until measuring is allowed, then carry out a task if there is one."""
        self._send_left()
        reason = self._pace.reason_to_wait() or self._home.lack_of_room(self._limits.max_spool_bytes)
        if reason is not None:
            self._rest(reason)
            self._patience.pause(_LOOK_EVERY_S, reason)
            return
        self._look_again()
        lease = self._ask()
        if lease is not None:
            self._carry_out(lease)

    def _rest(self, reason: str) -> None:
        """Tell the service now and then that this device is on, and why it asks for nothing."""
        if time.monotonic() - self._told_at < WAIT_S:
            return
        self._told_at = time.monotonic()
        try:
            self._agents.rest(self._identity.agent, self._described.target.to_json(), self._described.facts, reason)
        except ArchGaugeError as error:  # nothing depends on it
            self._say(f"the service was not told: {error}")

    def _ask(self) -> Lease | None:
        target, facts = self._described.target.to_json(), self._described.facts
        wait_s, asked_at = max(0.0, min(WAIT_S, self._patience.left_s)), time.monotonic()
        try:
            lease = self._agents.lease(self._identity.agent, target, facts, wait_s)
        except ArchGaugeError as error:
            self._patience.bear(error)
            return None
        self._patience.relieve()
        if lease is None and time.monotonic() - asked_at < min(wait_s, PAUSE_S):
            time.sleep(PAUSE_S)  # the service is about to stop
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
        meter = self._wanted.meter if self._described.facts.get("meter") else "none"
        try:
            with Measuring(folder, target, meter) as measuring, Heart(self._agents, lease) as heart:
                self._measure(measuring, heart, sender, lease)
                complete = not measuring.left()
                if not complete and not heart.lost:
                    self._try_to_send(sender)
                    heart.beat(release=True)
        except OSError as error:  # a full disk: the items that are on it are kept
            self._give_back(lease, f"nothing can be written here: {error}")
        except (InvalidSpool, InvalidRecord) as error:
            self._give_back(lease, str(error))
        except DeviceChanged as error:
            self._give_back(lease, str(error))
            self._described = self._describe()
        except KeyboardInterrupt:
            self._part(folder)
            raise
        self._tasks += 1
        self._finish(folder, sender)

    def _measure(self, measuring: Measuring, heart: Heart, sender: Sender, lease: Lease) -> None:
        count = len(lease.items)
        for item in measuring.left():
            if not self._may_go_on(heart):
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

    def _may_go_on(self, heart: Heart) -> bool:
        """Whether another item of a task may be measured, now or in a moment: a long night is not waited for."""
        waited_s = 0.0
        while not heart.lost and not self._spent():
            reason = self._pace.reason_to_wait()
            if reason is None:
                return True
            if waited_s >= _HOLD_S:
                return False
            self._patience.pause(_LOOK_EVERY_S, reason)
            waited_s += _LOOK_EVERY_S
        return False

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

    def _part(self, folder: LeaseFolder) -> None:
        """Leave a task to others, who need not wait then until its time runs out. Without a network, it is kept."""
        with Client(self._identity.server, api_key=self._identity.key, timeout_s=_PARTING_S) as client:
            agents = Agents(client)
            if self._try_to_send(Sender(agents, folder)):
                Heart(agents, folder.lease).beat(release=True)
                folder.remove()

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
        self._patience.pause(_LOOK_EVERY_S, why)

    def _describe(self) -> Description:
        described = describe(self._wanted, self._home.peaks())
        if described.facts.get("peaks"):
            self._home.keep_peaks(described.target.id, described.facts["peaks"])
        if described.facts.get("meter_note"):
            self._say(f"no energy is metered: {described.facts['meter_note']}")
        return described

    def _look_again(self) -> None:
        """A device that is not what it was is another target."""
        if fingerprint().identity() != self._described.target.device.identity():
            self._say("this device has changed; it is another target from now on")
            self._described = self._describe()

    def _over(self) -> bool:
        return self._spent() or (self._limits.once and self._tasks > 0)

    def _spent(self) -> bool:
        """Whether its time is over, be it that of measuring or all of it."""
        budget_s = self._limits.budget_s
        return self._patience.left_s <= 0 or (budget_s is not None and self._measured_s >= budget_s)
