"""HTTP/1.1 answers, written to a socket whole, or broken on purpose."""

import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

from .answers import Answer

BLOCK = 65_536
DRAIN_SECONDS = 0.5
MOST_DRAINED = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A body that is sent piece by piece. `stop_after` breaks it off; `sent` is told how far it came."""

    chunks: Callable[[], Iterator[bytes]]
    length: int
    kind: str = "video/mp4"
    framing: str = "length"  # length | close | chunked
    declared: int | None = None  # a Content-Length other than the true one
    stop_after: int | None = None
    piece: int | None = None  # the most bytes written at once
    pace: Callable[[int], None] = field(default=lambda _: None)
    sent: Callable[[int], None] = field(default=lambda _: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """No answer: the connection is closed, or reset."""

    how: str


Reply = Answer | Stream | HangUp


def send(sink: socket.socket, reply: Reply, *, keep: bool, bare: bool = False) -> bool:
    """Write an answer; True if the connection may be used again. `bare`: the header alone, for HEAD."""
    if isinstance(reply, HangUp):
        hang_up(sink, reply.how)
        return False
    if isinstance(reply, Stream):
        return send_stream(sink, reply, keep=keep)
    fields = [*reply.headers, ("Content-Length", str(len(reply.body)))]
    sink.sendall(head(reply.status, fields, keep=keep) + (b"" if bare else reply.body))
    return keep


def head(status: int, fields: list[tuple[str, str]], *, keep: bool) -> bytes:
    """Status line and header."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in fields)]
    lines.append(f"Connection: {'keep-alive' if keep else 'close'}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def send_stream(sink: socket.socket, reply: Stream, *, keep: bool) -> bool:
    """Write a body piece by piece, and stop where it is to be cut."""
    fields = [("Content-Type", reply.kind), ("Cache-Control", "public, max-age=86400")]
    if reply.framing == "length":
        declared = reply.length if reply.declared is None else reply.declared
        fields.append(("Content-Length", str(declared)))
        keep = keep and declared == reply.length
    elif reply.framing == "chunked":
        fields.append(("Transfer-Encoding", "chunked"))
    else:
        keep = False
    limit = reply.length if reply.stop_after is None else min(reply.stop_after, reply.length)
    whole = limit == reply.length
    sink.sendall(head(200, fields, keep=keep and whole))
    for piece in pieces(reply.chunks(), limit, reply.piece or BLOCK):
        reply.pace(len(piece))
        framed = b"%x\r\n%b\r\n" % (len(piece), piece) if reply.framing == "chunked" else piece
        reply.sent(len(piece))  # before the client can have it, so that the record is never behind the client
        try:
            sink.sendall(framed)
        except OSError:
            reply.sent(-len(piece))
            raise
    if whole and reply.framing == "chunked":
        sink.sendall(b"0\r\n\r\n")
    return keep and whole


def pieces(chunks: Iterator[bytes], limit: int, size: int) -> Iterator[bytes]:
    """The first `limit` bytes, in pieces of at most `size`."""
    for chunk in chunks:
        for at in range(0, len(chunk), size):
            piece = chunk[at : at + min(size, limit)]
            limit -= len(piece)
            if piece:
                yield piece
            if not limit:
                return


def hang_up(sink: socket.socket, how: str) -> None:
    """End the connection; `reset` throws away what is still in the air (RST)."""
    if how == "reset":
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return
    sink.shutdown(socket.SHUT_RDWR)


def drain(sink: socket.socket) -> None:
    """Read over what the client still sends, up to a bound: closing at once would destroy the answer."""
    sink.shutdown(socket.SHUT_WR)
    sink.settimeout(DRAIN_SECONDS)
    left = MOST_DRAINED
    while left > 0:
        got = len(sink.recv(BLOCK))
        left -= got or left
