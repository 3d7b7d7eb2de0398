"""A server that answers with exact bytes, and may stop anywhere."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Script = Callable[[socket.socket, bytes], None]  # gets the connection and the request; the connection is closed then


class RawServer:
    """Loopback, one thread a connection. `requests` are the bytes that came; `greeting` is sent before any."""

    def __init__(
        self,
        script: Script,
        *,
        greeting: bytes = b"",
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self._script = script
        self._greeting = greeting
        self._tls = tls
        self._listener = socket.create_server((host, 0))
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopping = threading.Event()
        self.url = f"http{'s' if tls else ''}://{host}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            close(connection)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._start(lambda c=connection: self._serve(c))  # type: ignore[misc]

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            connection.sendall(self._greeting)
            while not self.stopping.is_set() and (request := _request(connection)):
                self.requests.append(request)
                self._script(connection, request)
                if connection.fileno() < 0 or not getattr(self._script, "keeps", False):
                    break
        except OSError:
            pass  # the client went away first
        finally:
            close(connection)


def replying(reply: bytes, *, keep: bool = False) -> Script:
    """Send these bytes; `keep`: the connection stays open for the next request."""

    def script(connection: socket.socket, _: bytes) -> None:
        connection.sendall(reply)

    script.keeps = keep  # type: ignore[attr-defined]
    return script


def http(status: int, body: bytes = b"", *headers: str, length: bool = True) -> bytes:
    """A reply in HTTP/1.1."""
    lines = [f"HTTP/1.1 {status} X", *headers, *([f"content-length: {len(body)}"] if length else [])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def reset(connection: socket.socket, _: bytes = b"") -> None:
    """Close with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def close(connection: socket.socket) -> None:
    """Close, whatever its state."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if b"expect: 100-continue" in head.lower():
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    wanted = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < wanted:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
