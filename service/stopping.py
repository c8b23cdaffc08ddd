"""Knowing that the process was asked to end, before it does.

The HTTP server finishes requests under way when it is told to stop. Streams would go on for as long as their clients
like, and load balancers would go on sending: both ask here.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType


class StopSignal:
    """Whether the process was asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        """Notice SIGTERM and SIGINT and pass them on to who listened before; only a main thread can."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._precede(number)

    def _precede(self, number: signal.Signals) -> None:
        before = signal.getsignal(number)

        def handle(received: int, frame: FrameType | None) -> None:
            self.asked = True
            if callable(before):
                before(received, frame)

        signal.signal(number, handle)
