"""A proxy in front of one server of the operator's: it sees every effect, and can stop it or hold its answer.

Requests are forwarded with their headers unchanged (an S3 signature covers Host); the answer is sent on whole, but for
a watch of the API server, which is passed on as it comes.
"""

import http.client
import json
import re
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_TIMEOUT = 200.0
_KEPT = 1 << 16  # bytes of a body on record
_OWN_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "content-length"})


@dataclass(frozen=True, slots=True)
class Effect:
    """One request of the operator's. `target` is its path with the query, `body` the first 64 KiB."""

    method: str
    target: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


class Moment(Enum):
    """Where a trap springs."""

    BEFORE = "before it is sent"
    AFTER = "the answer is there, and has not reached the operator"


@dataclass(slots=True)
class Trap:
    """Springs once, at the first effect that it is about: `act` says whether the effect goes on.

    `act` runs in the proxy's thread: it may kill the operator (False: the connection just ends), or wait.
    """

    meets: Callable[[Effect], bool]
    moment: Moment
    act: Callable[[], bool]
    sprung: threading.Event = field(default_factory=threading.Event)


class EffectProxy:
    """On a free loopback port until the block ends. `url` stands for `target`; `effects` are all that came so far."""

    def __init__(
        self, target: str, *, serves: ssl.SSLContext | None = None, trusts: ssl.SSLContext | None = None
    ) -> None:
        self._host = urlsplit(target).netloc
        self._trusts = trusts
        self._lock = threading.RLock()  # a `meets` may ask for what was answered
        self._traps: list[Trap] = []
        self.effects: list[Effect] = []
        self.answers: list[tuple[Effect, bytes]] = []
        self._server = _Quiet(("127.0.0.1", 0), _handler(self))
        if serves is not None:
            self._server.socket = serves.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = int(self._server.server_address[1])
        self.url = f"http{'s' if serves else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def trap(self, meets: Callable[[Effect], bool], moment: Moment, act: Callable[[], bool]) -> Trap:
        """Set a trap; several may wait at once."""
        new = Trap(meets, moment, act)
        with self._lock:
            self._traps.append(new)
        return new

    def task_of(self, prompt: str) -> str | None:
        """The id in the answer to the POST that carried a prompt, when there was one."""
        with self._lock:
            answers = list(self.answers)
        for effect, body in answers:
            if effect.method == "POST" and prompt.encode() in effect.body:
                with suppress(ValueError, KeyError):
                    return str(json.loads(body)["id"])
        return None

    def passes(self, effect: Effect, moment: Moment) -> bool:
        """Whether the effect goes on; springs the trap that is set for it."""
        with self._lock:
            found = next((t for t in self._traps if t.moment is moment and t.meets(effect)), None)
            if found is not None:
                self._traps.remove(found)
        if found is None:
            return True
        found.sprung.set()
        return found.act()

    def came(self, effect: Effect) -> None:
        with self._lock:
            self.effects.append(effect)

    def answered(self, effect: Effect, body: bytes) -> None:
        with self._lock:
            self.answers.append((effect, body))

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the server behind."""
        if self._trusts is not None:
            return http.client.HTTPSConnection(self._host, timeout=_TIMEOUT, context=self._trusts)
        return http.client.HTTPConnection(self._host, timeout=_TIMEOUT)


class _Quiet(ThreadingHTTPServer):
    """Operators are killed in the middle of exchanges: that is no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that broke."""


def hold(reached: threading.Event, go_on: threading.Event) -> Callable[[], bool]:
    """An `act` that says that it was reached and waits."""

    def act() -> bool:
        reached.set()
        return go_on.wait(_TIMEOUT)

    return act


def effect(method: str, pattern: str, body: str = "") -> Callable[[Effect], bool]:
    """A `meets` by method, a regular expression that the whole target matches, and words of the body."""
    target, words = re.compile(pattern), body.encode()
    return lambda one: one.method == method and target.fullmatch(one.target) is not None and words in one.body


def _handler(proxy: EffectProxy) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - a class of small methods
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            effect = Effect(self.command, self.path, body[:_KEPT])
            proxy.came(effect)
            connection = proxy.connect()
            try:
                if not proxy.passes(effect, Moment.BEFORE) or not self._forward(connection, effect, body):
                    self.close_connection = True
            except (OSError, http.client.HTTPException):
                self.close_connection = True  # the server behind, or the operator, went away: so do we
            finally:
                connection.close()

        def _forward(self, connection: http.client.HTTPConnection, effect: Effect, body: bytes) -> bool:
            connection.putrequest(effect.method, effect.target, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _OWN_HEADERS:
                    connection.putheader(name, value)
            if "Content-Length" in self.headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            if "watch=true" in effect.target:
                return self._stream(answer)
            content = answer.read()
            proxy.answered(effect, content[:_KEPT])
            if not proxy.passes(effect, Moment.AFTER):
                return False
            self._head(answer, {"Content-Length": answer.getheader("Content-Length") or str(len(content))})
            self.wfile.write(content)
            return True

        def _stream(self, answer: http.client.HTTPResponse) -> bool:
            self._head(answer, {"Transfer-Encoding": "chunked"})
            while part := answer.read1(65_536):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return True

        def _head(self, answer: http.client.HTTPResponse, own: dict[str, str]) -> None:
            self.send_response_only(answer.status, answer.reason)
            others = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OWN_HEADERS]
            for name, value in (*others, *own.items()):
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """The effects are the record."""

    for method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._serve)
    return Handler
