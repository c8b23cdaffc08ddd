"""The agent: a device that measures what a service asks for.

It pulls: it asks for work, measures it in a child process, and sends what came of it, so it works behind any router.
Tasks are data. It imports neither onnx nor a runtime itself; what does runs in processes of its own, which may crash
or run out of memory without taking the agent with them.

Everything is on disk before it counts: the agent's key, the lease that it works on, every item that was measured. It
may be killed at any moment and goes on where it was; days without a network lose nothing.
"""

from profilers.agent.agent import Agent, Limits
from profilers.agent.home import Home
from profilers.agent.pacing import Pace

__all__ = ["Agent", "Home", "Limits", "Pace"]
