"""Run the application: in this process, in several, or in a thread beside other work."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn
from uvicorn.supervisors import Multiprocess

from service import logs
from service.app import create_app
from service.auth import is_loopback
from service.errors import Forbidden
from service.jobs import Supervisor
from service.keys import list_keys
from service.metrics import SHARED_FOLDER
from service.settings import Settings
from service.store import Store

_FACTORY = "service.app:create_app_from_environment"
_START_LIMIT_S = 60.0
_GRACE_S = 30


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A listening socket; port 0 takes a free one (`url` tells which).

    Raises:
        OSError: the address is taken or not ours.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it; with Nagle's algorithm small answers take 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def url(listener: socket.socket) -> str:
    """Where the socket can be reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_exposure(settings: Settings, listener: socket.socket) -> None:
    """Upgrade the database, and refuse to answer strangers as long as it holds no API key.

    Raises:
        Forbidden: the socket can be reached from other machines.
    """
    with Store.open(settings.data_dir, settings.database_url) as store:
        address = str(listener.getsockname()[0])
        if is_loopback(address) or settings.allow_without_keys or list_keys(store.database):
            return
    raise Forbidden(
        f"without API keys the service listens on this machine only, not on {address}; make one with "
        "`archgauge keys create`, or set ARCHGAUGE_ALLOW_WITHOUT_KEYS=yes where everybody who can reach it may use it"
    )


def serve(settings: Settings, listener: socket.socket, workers: int = 1) -> None:
    """Answer requests until SIGINT or SIGTERM, then finish those under way.

    Several ``workers`` are processes that share the socket, the database and the store. Raises as `check_exposure`.
    """
    logs.configure(settings.log_format, settings.log_level)
    check_exposure(settings, listener)
    if workers == 1:
        uvicorn.Server(_config(create_app(settings, dedicated=True))).run(sockets=[listener])
        return
    os.environ.update(replace(settings, embedded_worker=False).to_environment())
    with _jobs(settings), tempfile.TemporaryDirectory(prefix="archgauge-metrics-") as counted:
        os.environ[SHARED_FOLDER] = counted
        Multiprocess(_config(_FACTORY, factory=True, workers=workers), sockets=[listener]).run()


@contextmanager
def _jobs(settings: Settings) -> Iterator[None]:
    """Carry out jobs here, once for all processes."""
    if not settings.embedded_worker:
        yield
        return
    with Store.open(settings.data_dir, settings.database_url) as store:
        supervisor = Supervisor(store.database, settings)
        supervisor.start()
        try:
            yield
        finally:
            supervisor.stop()


@contextmanager
def in_background(settings: Settings, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Answer requests in a thread of this process as long as the block runs; gives the base URL."""
    listener = listen(host, port)
    app = create_app(settings)
    server = uvicorn.Server(_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server", daemon=True)
    thread.start()
    try:
        _wait(server, thread)
        yield url(listener)
    finally:
        if server.started:
            app.state.service.stopping.asked = True  # streams end, or the server would wait for them
        server.should_exit = True
        thread.join()
        listener.close()


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    end = time.monotonic() + _START_LIMIT_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise RuntimeError("the service did not start; its log says why")
        time.sleep(0.005)


def _config(app: object, *, factory: bool = False, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        factory=factory, workers=workers, log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )  # fmt: skip
