"""The bytes of an HTTP answer, read within bounds."""

import re
import time
import zlib
from typing import Final

import httpx

from videogen_operator.ports import Answer

MAX_ANSWER: Final = 1 << 20  # bytes of an answer that are read


class Progress:
    """How far an answer got, for the message when it breaks off."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.status = 0
        self.size = 0
        self.declared: int | None = None
        self.head = b""

    def __str__(self) -> str:
        if not self.status:
            return ""
        of = "" if self.declared is None else f" of {self.declared}"
        seen = f": {self.head[:500].decode('utf-8', 'replace')}" if self.head else ""
        return f" (after HTTP {self.status} and {self.size}{of} bytes in {time.monotonic() - self.begun:.1f} s{seen})"


def read_answer(response: httpx.Response, progress: Progress) -> Answer:
    """The answer with at most `MAX_ANSWER` bytes of its body; the rest is not read."""
    body = bytearray()
    progress.declared = declared_length(response)
    for part in response.iter_raw():
        body += part
        progress.size, progress.head = len(body), bytes(body[:500])
        if len(body) >= MAX_ANSWER:
            break
    headers = {name.lower(): value for name, value in response.headers.items() if name.lower() != "set-cookie"}
    return Answer(status=response.status_code, headers=headers, body=_decoded(bytes(body[:MAX_ANSWER]), response))


def _decoded(body: bytes, response: httpx.Response) -> bytes:
    """Some proxies compress though asked not to; a task ID must not be lost by it, nor memory by a bomb."""
    if content_encoding(response) not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MAX_ANSWER)
    except zlib.error:
        return body


def declared_length(response: httpx.Response) -> int | None:
    """How long the whole content is by the gateway's word; a 206 says it in Content-Range."""
    whole = re.fullmatch(r"bytes [0-9]+-[0-9]+/([0-9]{1,18})", response.headers.get("content-range", ""), re.ASCII)
    if response.status_code == httpx.codes.PARTIAL_CONTENT and whole:
        return int(whole[1])
    said = response.headers.get("content-length", "")
    return int(said) if re.fullmatch(r"[0-9]{1,18}", said, re.ASCII) else None


def content_encoding(response: httpx.Response) -> str:
    """The Content-Encoding in lower case; empty for none."""
    said: str = response.headers.get("content-encoding", "").strip().lower()
    return "" if said == "identity" else said
