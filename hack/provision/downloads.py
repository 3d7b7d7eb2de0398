"""Downloads one file, with progress, a checksum and limits on waiting."""

import hashlib
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from provision import progress

_CHUNK = 1 << 18


class DownloadError(RuntimeError):
    """The file could not be had; one line says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """Seconds to wait: for the first answer, name lookup and redirects included, and for each next piece."""

    answer: float = 8.0
    piece: float = 15.0


@dataclass(kw_only=True, slots=True)
class _Opening:
    """An attempt to open an address in a thread, since a name lookup knows no timeout."""

    answered: threading.Event = field(default_factory=threading.Event)
    response: Any = None
    error: Exception | None = None
    given_up: bool = False

    def open(self, url: str, timeout: float) -> None:
        try:
            self.response = urllib.request.urlopen(url, timeout=timeout)  # noqa: S310  # pinned by checksum
        except (OSError, HTTPException, ValueError) as error:
            self.error = error
        self.answered.set()
        if self.given_up:
            self.close()

    def close(self) -> None:
        if self.response is not None:
            self.response.close()
        if isinstance(self.error, urllib.error.HTTPError):
            self.error.close()


def fetch(url: str, target: Path, *, sha512: str, part: str, patience: Patience | None = None) -> None:
    """Download `url` to `target` and check it. Raises DownloadError; `target` is then worthless."""
    patience = patience or Patience()
    with _open(url, patience) as response:
        size = int(response.headers.get("Content-Length") or 0)
        counted = [0]
        usually = "20 s to 2 min"
        with progress.step(part, f"downloading {url}", usually, lambda: _how_far(counted[0], size)):
            digest = _save(response, target, counted)
    if size and counted[0] != size:
        raise DownloadError(f"the download was cut at {counted[0]} of {size} bytes")
    if digest != sha512:
        raise DownloadError(f"its SHA-512 is {digest[:16]}..., expected {sha512[:16]}...")


def _open(url: str, patience: Patience) -> Any:  # urllib promises no type
    opening = _Opening()
    threading.Thread(target=opening.open, args=(url, patience.piece), daemon=True).start()
    if not opening.answered.wait(patience.answer):
        opening.given_up = True
        raise DownloadError(f"no answer within {patience.answer:g} s")
    if isinstance(opening.error, urllib.error.HTTPError):
        opening.close()
        raise DownloadError(f"the server answered {opening.error.code}")
    if opening.error is not None:
        reason = getattr(opening.error, "reason", opening.error)
        raise DownloadError(f"cannot be reached ({getattr(reason, 'strerror', None) or reason})")
    return opening.response


def _save(response: Any, target: Path, counted: list[int]) -> str:  # urllib promises no type
    digest = hashlib.sha512()
    try:
        with target.open("wb") as file:
            while data := response.read(_CHUNK):
                file.write(data)
                digest.update(data)
                counted[0] += len(data)
    except (OSError, HTTPException) as error:
        raise DownloadError(f"the download broke off after {counted[0]} bytes: {error}") from error
    return digest.hexdigest()


def _how_far(done: int, size: int) -> str:
    return f"{done / 1e6:.0f} of {size / 1e6:.0f} MB" if size else f"{done / 1e6:.0f} MB"
