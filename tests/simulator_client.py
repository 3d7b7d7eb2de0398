"""A small client of the simulator for its own tests: no retries, no redirects, nothing hidden."""

import socket
import ssl
from typing import Any

import httpx

from videogen_simulator.server import Simulator

FAST = "veo-3.1-fast-generate-preview"
STANDARD = "veo-3.1-generate-preview"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpx reads all certificates otherwise, 30 ms a client
LONG_AGO_DONE = 100_000.0  # seconds after which every task has ended, at scale 1


class Caller:
    """Calls with one key."""

    def __init__(self, simulator: Simulator, key: str = "sim-key") -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=simulator.url, headers=headers, timeout=10, trust_env=False, verify=NO_TLS)

    def post(self, prompt: str = "a cat", **fields: object) -> httpx.Response:
        """Submit as JSON."""
        return self.http.post("/v1/videos", json={"model": FAST, "prompt": prompt, **fields})

    def made(self, prompt: str = "a cat", **fields: object) -> str:
        """Submit something that is accepted; the task's id."""
        reply = self.post(prompt, **fields)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["id"])

    def poll(self, task: str) -> httpx.Response:
        """Ask for the task."""
        return self.http.get(f"/v1/videos/{task}")

    def content(self, task: str) -> httpx.Response:
        """Ask for the clip."""
        return self.http.get(f"/v1/videos/{task}/content")

    def close(self) -> None:
        """Close the connections."""
        self.http.close()


def raw_exchange(url: str, request: bytes) -> bytes:
    """Send bytes, end the sending side, and read until the server ends the connection."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def only_task(simulator: Simulator) -> dict[str, Any]:
    """The one task in the ledger."""
    (task,) = simulator.ledger()["tasks"]
    return dict(task)
