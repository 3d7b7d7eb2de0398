"""Whether a bucket keeps what the ledger rests on: atomic create-only writes, LIST, and an honest 404."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from videogen_operator.errors import StoreReason, StoreTrouble
from videogen_operator.ports import Created

_ROUNDS: Final = 20
_RIVAL_BYTES: Final = 2 << 20  # with small bodies a store that races can look honest


class Probed(Protocol):
    """What of an object store the probe needs."""

    def keys(self, prefix: str) -> list[str]: ...
    def read(self, key: str, *, limit: int = 1 << 20) -> bytes | None: ...
    def create(self, key: str, body: bytes, *, content_type: str = "application/json") -> Created: ...
    def forget(self, key: str) -> None: ...


def run(store: Probed, prefix: str, *, thorough: bool) -> None:
    """Raise `StoreTrouble` with the reason, or return: the bucket can hold a ledger.

    All keys lie below `<prefix>.videogen-probe/`, are new at every run, and are deleted where that is allowed.
    """
    folder = f"{prefix}.videogen-probe/{secrets.token_hex(8)}/"
    key = f"{folder}first"
    if store.create(key, b"first") is not Created.WON:
        raise _unsupported("a first write of a new key was refused")
    try:
        if store.create(key, b"second") is not Created.EXISTS:
            raise _unsupported("a second write of one key was taken: If-None-Match is ignored")
        _check_reading(store, folder, key)
    finally:
        store.forget(key)
    for number in range(_ROUNDS if thorough else 0):
        _race(store, f"{folder}race-{number}")


def _check_reading(store: Probed, folder: str, key: str) -> None:
    if store.read(key) != b"first":
        raise _unsupported("the first write of a key does not read back")
    if store.read(f"{folder}absent") is not None:
        raise _unsupported("a key that was never written has content")
    if key not in store.keys(folder):
        raise StoreTrouble(StoreReason.UNAVAILABLE, "a key that was just written is missing in LIST")


def _race(store: Probed, key: str) -> None:
    """Two writers of one key at once: exactly one may win. A rival that is told to try again (409) has lost."""
    with ThreadPoolExecutor(2) as pool:
        rivals = [pool.submit(_attempt, store.create, key, letter * _RIVAL_BYTES) for letter in (b"a", b"b")]
        results = [rival.result() for rival in rivals]
    store.forget(key)
    wins = results.count(Created.WON)
    if wins > 1:
        raise _unsupported("two writers of one key both won a race: conditional writes are not atomic")
    if wins == 0:
        raise next((r for r in results if isinstance(r, StoreTrouble)), _unsupported("nobody won a race for a new key"))


def _attempt(create: Callable[[str, bytes], Created], key: str, body: bytes) -> Created | StoreTrouble:
    try:
        return create(key, body)
    except StoreTrouble as trouble:
        return trouble


def _unsupported(what: str) -> StoreTrouble:
    return StoreTrouble(StoreReason.CONDITIONAL_WRITES_UNSUPPORTED, what)
