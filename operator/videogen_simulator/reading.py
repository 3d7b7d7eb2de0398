"""HTTP/1.1 requests, read from a socket within bounds.

The standard library's server is not used because every refusal, also that of a malformed request line,
must be JSON, and because answers must be broken exactly where a scenario says (`sending`).
"""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote

LONGEST_LINE = 16_384
MOST_HEADERS = 100
LARGEST_BODY = 32 * 2**20


class Malformed(Exception):  # noqa: N818 -- the client's fault
    """Bytes that are no request; the connection ends after the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request with its whole body. `connection` and `turn` tell which request on which connection it was."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool
    connection: int = 0
    turn: int = 0

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def segment(self, number: int) -> str:
        """A segment of the path, decoded."""
        return unquote(self.path.split("/")[number])


def read_request(source: BinaryIO, sink: socket.socket, connection: int, turn: int) -> Request | None:
    """The next request, or None at the end. Raises `Malformed`; `OSError` when the connection is gone."""
    line = read_line(source)
    if line == b"\r\n":
        line = read_line(source)  # RFC 9112, 2.2: one empty line is overlooked
    if not line:
        return None
    method, target, version = request_line(line)
    headers = read_headers(source)
    if headers.get("expect", "").lower() == "100-continue":
        sink.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = read_body(source, headers)
    wish = headers.get("connection", "").lower()
    keep = wish != "close" if version == "HTTP/1.1" else wish == "keep-alive"
    return Request(
        method=method, target=target, headers=headers, body=body, keep_alive=keep, connection=connection, turn=turn
    )


def read_line(source: BinaryIO) -> bytes:
    """A line with its end, or nothing at the end of the connection."""
    line = source.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise Malformed(431, "a line is too long")
    if line and not line.endswith(b"\n"):
        raise Malformed(400, "the request ends in the middle of a line")
    return line


def request_line(line: bytes) -> tuple[str, str, str]:
    """Method, target and version."""
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[0].isalpha() or words[2] not in {"HTTP/1.1", "HTTP/1.0"}:  # noqa: PLR2004
        raise Malformed(400, "not an HTTP/1.1 request line")
    return words[0], words[1], words[2]


def read_headers(source: BinaryIO) -> dict[str, str]:
    """Header fields by lower-case name; the last of a name wins."""
    headers: dict[str, str] = {}
    for _ in range(MOST_HEADERS + 1):
        line = read_line(source)
        if line in {b"\r\n", b"\n"}:
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise Malformed(400, "a header field without a name")
        headers[name.lower()] = value.strip()
    raise Malformed(431, "too many header fields")


def read_body(source: BinaryIO, headers: Mapping[str, str]) -> bytes:
    """The body, by its length or in chunks."""
    coding = headers.get("transfer-encoding")
    if coding is not None:
        if coding.lower() != "chunked" or "content-length" in headers:
            raise Malformed(400, "this transfer encoding is not understood")
        return b"".join(read_chunks(source))
    text = headers.get("content-length", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 18:  # noqa: PLR2004 -- below 2**63
        raise Malformed(400, "the Content-Length is not a number")
    return exactly(source, bounded(int(text)))


def read_chunks(source: BinaryIO) -> Iterator[bytes]:
    """The chunks of a body, its trailers read over."""
    total = 0
    while True:
        size = read_line(source).partition(b";")[0].strip()
        if not size or len(size) > 8 or set(size.lower()) - set(b"0123456789abcdef"):  # noqa: PLR2004 -- 32 bits
            raise Malformed(400, "a chunk without a size")
        length = int(size, 16)
        total = bounded(total + length)
        if not length:
            read_headers(source)
            return
        yield exactly(source, length)
        if read_line(source) not in {b"\r\n", b"\n"}:
            raise Malformed(400, "a chunk longer than its size")


def bounded(length: int) -> int:
    """A length that is taken."""
    if length > LARGEST_BODY:
        raise Malformed(413, "the body is too large")
    return length


def exactly(source: BinaryIO, length: int) -> bytes:
    """So many bytes."""
    content = source.read(length)
    if len(content) != length:
        raise Malformed(400, "the request ends before its body")
    return content
