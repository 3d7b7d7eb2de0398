"""Where fetched and built parts are kept: outside the checkout, shared by all checkouts of one user."""

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_in_this_process: dict[str, threading.Lock] = {}


def root(environ: Mapping[str, str] = os.environ) -> Path:
    """The cache folder: `VIDEOGEN_CACHE`, else `videogen-operator` in the user's cache folder."""
    if named := environ.get("VIDEOGEN_CACHE"):
        return Path(named).expanduser().absolute()
    base = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "videogen-operator"


def logs() -> Path:
    """Where the logs of this checkout's set-up and checks stay, to be read after a failure."""
    folder = root() / "logs" / key(__file__)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def key(*parts: str | bytes) -> str:
    """A short name for what a part was made from."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:12]


@contextmanager
def only_one(name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Let one process at a time make a part; `waiting` is called once when another one is at it.

    Threads of this process wait for each other silently, since its progress is on the screen already. The lock goes
    with the process that holds it, so a killed set-up blocks nobody.
    """
    root().mkdir(parents=True, exist_ok=True)
    mine = _in_this_process.setdefault(name, threading.Lock())
    with mine, (root() / f".{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
