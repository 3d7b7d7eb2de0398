"""Free loopback ports for servers that must be told their port before they start."""

import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

# Below the range that Linux takes for outgoing connections (32768 and up), so that a server that was
# stopped for a while finds its port again.
_LOWEST, _HIGHEST = 12000, 32000
_ATTEMPTS = 6

T = TypeVar("T")


class PortTaken(RuntimeError):  # noqa: N818  # it is an event to react to, not only an error
    """Another process took a port between our look and the server's start."""


def free_ports(count: int) -> list[int]:
    """Different loopback ports that nobody listens on now."""
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            if (listener := _try_port(_any_port())) is not None:
                held.append(listener)
        return [listener.getsockname()[1] for listener in held]
    finally:
        for listener in held:
            listener.close()


def _any_port() -> int:
    # Not from `random`: test processes that were given the same seed would want the same ports.
    return _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)


def _try_port(port: int) -> socket.socket | None:
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        return None
    return listener


def with_free_ports(count: int, start: Callable[[list[int]], T]) -> T:
    """Start something on free ports; try others when `start` raises PortTaken."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return start(free_ports(count))
        except PortTaken:
            continue
    return start(free_ports(count))


def says_port_taken(log: Path) -> bool:
    """True when a server's log complains that its port is in use."""
    said = log.read_text(errors="replace").lower() if log.exists() else ""
    # The second is how SeaweedFS puts it, who looks before it binds.
    return "address already in use" in said or "port allocation failed" in said
