"""Runs the page until it is stopped."""

import ipaddress
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from difffake.errors import Terminated, UsageError, UserError
from difffake.predict.predictor import Predictor
from difffake.serve.check import Check
from difffake.serve.uploads import Limits, Uploads


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens at an address; port 0 is any free one.

    Raises `UsageError` if the host is no address of this machine or the port is out of range, and `UserError` if the
    port is in use.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port} is out of range: choose one from 1024 to 65535, or 0 for any free one")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UsageError(f"--host {host} is no address: give one such as 127.0.0.1, or leave it out") from error
    listening = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let two servers have one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise UserError(f"--port {port} of {host} cannot be used ({error.strerror}): choose another --port") from error
    return listening


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def server(predictor: Predictor, limits: Limits, host: str) -> Iterator[Any]:
    """A server of the page, whose `run(sockets=[...])` serves until its `should_exit` is true.

    Uploads are in a private temporary folder that is removed at the end.

    Args:
        predictor: detector.
        limits: what one user may send.
        host: the name or address that was bound.
    """
    import uvicorn

    from difffake.serve.app import application

    local = frozenset({"localhost", "127.0.0.1", "::1", host}) if is_loopback(host) else None
    with tempfile.TemporaryDirectory(prefix="difffake-serve-") as folder:
        app = application(Check(predictor, Uploads(Path(folder), limits)), local)
        config = uvicorn.Config(
            app, log_level="error", access_log=False, server_header=False, proxy_headers=False, ws="none",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        yield uvicorn.Server(config)


def serve(predictor: Predictor, limits: Limits, listening: socket.socket, host: str) -> None:
    """Serve the page until Ctrl-C, and print its address.

    Args:
        predictor: detector.
        limits: what one user may send.
        listening: from `bound`.
        host: the name or address that was bound.

    Raises `Terminated` after SIGTERM.
    """

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated("stopped")

    before = signal.signal(signal.SIGTERM, end)
    try:
        with server(predictor, limits, host) as running:
            print(f"http://{_shown(host)}:{listening.getsockname()[1]} shows the page; Ctrl-C ends it", flush=True)
            with suppress(KeyboardInterrupt):  # uvicorn has ended in order, and then passes the signal on
                running.run(sockets=[listening])
        print("stopped; all uploads are deleted")
    finally:
        signal.signal(signal.SIGTERM, before)


def _shown(host: str) -> str:
    """A host as part of an address."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
