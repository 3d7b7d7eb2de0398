"""The server: sockets, one thread a connection, and the way in for tests (`Simulator`)."""

import hmac
import logging
import os
import selectors
import socket
import socketserver
import threading
from collections.abc import Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from . import control, markers, reading, routes, sending
from .answers import gateway_error
from .clock import Clock, SystemClock
from .gateway import Gateway
from .reading import Malformed, Request
from .sending import Reply
from .settings import Settings

IDLE_SECONDS = 120
log = logging.getLogger(__name__)


class Simulator:
    """A running simulator; a context manager. `url` is its address, the API lies below `url` + `/v1`.

    Without `control_key` the control endpoints are open to whoever reaches the port.
    Raises `OSError` when the address cannot be had.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        seed: str | None = None,
        control_key: str | None = None,
    ) -> None:
        self.gateway = Gateway(settings or Settings(), clock or SystemClock(), seed or os.urandom(16).hex())
        self._control_key = control_key
        self._server = Listener((host, port), self)
        self._thread = threading.Thread(target=self._server.accept, name="simulator", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """`http://host:port`."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def base_url(self) -> str:
        """What a client takes as its endpoint: `url` and `/v1`."""
        return f"{self.url}/v1"

    def ledger(self, *, since: int = 0, task: str | None = None) -> dict[str, Any]:
        """The same document as `GET /_sim/ledger`."""
        return self.gateway.record(since, task)

    def arm(self, name: str, *, posts: int | None = 1, task: str | None = None, **parameters: object) -> None:
        """Arm a scenario for the next `posts` POSTs (None: all), or let it meet a task that exists."""
        scenario = markers.chosen(name, parameters)
        if task is None:
            self.gateway.rehearsal.arm(scenario, posts)
        elif not self.gateway.afflict(task, scenario.effect):
            raise KeyError(task)

    def disarm(self) -> None:
        """Take back what is armed."""
        self.gateway.rehearsal.disarm()

    def change(self, **settings: object) -> None:
        """Replace settings, by the names of `Settings`."""
        self.gateway.change(settings)

    def set_balance(self, account: str, dollars: Decimal | None) -> None:
        """What an account has from now on; None is money without end."""
        self.gateway.set_balance(account, dollars)

    def complete(self, task: str | None = None) -> int:
        """End open tasks now, one or all; how many."""
        return self.gateway.complete(task)

    def release(self) -> int:
        """Let all held answers go; how many."""
        return self.gateway.holds.release()

    def wait_held(self, count: int = 1, timeout: float = 10.0) -> bool:
        """Wait until `count` answers are held open; False if that did not come in time."""
        return self.gateway.holds.wait_held(count, timeout)

    def close(self) -> None:
        """Stop listening and end every connection at once."""
        self.gateway.holds.close()
        self._server.stop()
        self._thread.join()
        self._server.server_close()
        self._server.end_connections()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def answer(self, request: Request) -> Reply:
        """The reply to a request; a fault of the simulator itself is a 500 in JSON, and is logged."""
        try:
            if request.path.startswith(control.PREFIX + "/"):
                return control.answer(self.gateway, request, allowed=self._may_control(request.headers))
            return routes.answer(self.gateway, request)
        except Exception:
            log.exception("cannot answer %s %s", request.method, request.path)
            return gateway_error(500, "a fault of the simulator; see its log", "simulator_fault")

    def _may_control(self, headers: Mapping[str, str]) -> bool:
        if self._control_key is None:
            return True
        expected = f"Bearer {self._control_key}".encode()
        return hmac.compare_digest(headers.get("authorization", "").encode("latin-1", "replace"), expected)


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Accepts connections and knows those that are open."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._accepted = 0
        super().__init__(address, Connection)
        self._stop, self._stopping = socket.socketpair()

    def accept(self) -> None:
        """Accept connections until `stop`; unlike `serve_forever` it ends at once and never wakes for nothing."""
        with selectors.DefaultSelector() as selector, self._stopping:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._stopping, selectors.EVENT_READ)
            while self._stopping not in {key.fileobj for key, _ in selector.select()}:
                self.handle_request()

    def stop(self) -> None:
        """End `accept`."""
        self._stop.close()

    def entered(self, connection: socket.socket) -> int:
        """Note a connection; its number."""
        with self._lock:
            self._open.add(connection)
            self._accepted += 1
            return self._accepted

    def left(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._open.discard(connection)

    def end_connections(self) -> None:
        """End those that are open."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            quietly_shut(connection)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 -- overrides
        """Called inside the handler of what `Connection.handle` let pass; the server goes on."""
        log.exception("connection from %s ended", client_address)  # noqa: LOG004 -- socketserver calls it there


class Connection(socketserver.BaseRequestHandler):
    """Serves the requests of one connection in turn."""

    server: Listener
    request: socket.socket

    def handle(self) -> None:
        """Read and answer until the client, an error or a scenario ends it."""
        number = self.server.entered(self.request)
        try:
            self.request.settimeout(IDLE_SECONDS)
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.request.makefile("rb") as source:
                turn = 1
                while self._serve_one(source, number, turn):
                    turn += 1
        except OSError:
            log.debug("connection %d ended", number, exc_info=True)
        finally:
            self.server.left(self.request)

    def _serve_one(self, source: Any, number: int, turn: int) -> bool:
        simulator = self.server.simulator
        try:
            request = reading.read_request(source, self.request, number, turn)
        except Malformed as error:
            simulator.gateway.book.malformed()
            refusal = gateway_error(error.status, error.reason, "bad_request", "invalid_request_error")
            sending.send(self.request, refusal, keep=False)
            sending.drain(self.request)
            return False
        if request is None:
            return False
        reply = simulator.answer(request)
        return sending.send(self.request, reply, keep=request.keep_alive, bare=request.method == "HEAD")


def quietly_shut(connection: socket.socket) -> None:
    """End a connection that may have ended already."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("already closed")
