"""The one edge where kopf is: it watches, reconnects and lists. Its handlers note what was seen and queue keys.

No `patch`, no returned value, no timer, no index, no finalizer: kopf writes nothing. `docs/decisions/0001` has numbers.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import kopf
import uvloop

from . import backoff
from .api import generation, generation_class
from .api.meta import GROUP, VERSION, Key
from .ports import Connection
from .records import Records

log: Final = logging.getLogger(__name__)

_LONGEST_BACKOFF: Final = 30.0


class NoDiffBase(kopf.DiffBaseStorage):
    """Stores nothing: kopf would deep-copy every object to compute differences that no handler asks for."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        pass


class NoProgress(kopf.ProgressStorage):
    """Stores nothing: there are no handlers with progress."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass

    def purge(self, **_: Any) -> None:
        pass

    def touch(self, **_: Any) -> None:
        pass

    def clear(self, *, essence: Any) -> Any:
        return essence


class EndlessBackoff:
    """Delays between kopf's tries: endless, capped, with jitter; an outage never ends the watch.

    `failed` is called for each try that failed: kopf takes the first delay before the first try, the next ones after.
    """

    def __init__(self, failed: Callable[[], None]) -> None:
        self._failed = failed

    def __iter__(self) -> Iterator[float]:
        tries = 1
        while True:
            yield backoff.delay(tries, "watch", base=1.0, most=_LONGEST_BACKOFF)
            tries += 1
            self._failed()


def configure(settings: kopf.OperatorSettings, failed: Callable[[], None]) -> None:
    """Set kopf up as it is used here; each line has its reason in `docs/decisions/0001`."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    settings.queueing.idle_timeout = 0.2
    settings.networking.request_timeout = 15
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = EndlessBackoff(failed)
    settings.persistence.finalizer = "kopf.videogen.dev/unused"  # kopf removes the finalizer of this name
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.peering.standalone = True


Notice = Callable[[Key], None]


def register(registry: kopf.OperatorRegistry, records: Records, on_object: Notice, on_class: Notice) -> None:
    """Two `on.event` handlers; they return nothing, since kopf would write what they return."""

    @kopf.on.event(GROUP, VERSION, generation.PLURAL, registry=registry)
    async def see_object(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name
        raw = _raw(body)
        key = records.gone(raw) if type == "DELETED" else records.seen(raw)
        if key is not None:
            on_object(key)

    classes: dict[str, int] = {}

    @kopf.on.event(GROUP, VERSION, generation_class.PLURAL, registry=registry)
    async def see_class(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name
        metadata = _raw(body)["metadata"]
        name, digest = metadata["name"], class_digest(metadata)
        if type == "DELETED" or classes.get(name) != digest:
            classes[name] = digest
            on_class(Key(generation_class.KIND, "", name))


def class_digest(metadata: Mapping[str, Any]) -> int:
    """What of a class makes a round look at it: its status, which rounds write, does not."""
    default = (metadata.get("annotations") or {}).get(generation_class.IS_DEFAULT_ANNOTATION)
    return hash((metadata.get("uid"), metadata.get("generation"), metadata.get("deletionTimestamp"), default))


def _raw(body: kopf.Body) -> Any:
    """The plain dict behind kopf's read-only view, which is slow to walk."""
    return getattr(body, "_src", body)


class Watcher:
    """kopf in a thread and a loop of its own, started anew when it ends by itself."""

    def __init__(
        self, records: Records, on_object: Notice, on_class: Notice, connection: Callable[[], Connection]
    ) -> None:
        self._registry = kopf.OperatorRegistry()
        register(self._registry, records, on_object, on_class)
        self._login(connection)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self.starts = 0
        self.failures = 0  # tries of kopf's that failed, over all starts

    def _failed(self) -> None:
        self.failures += 1

    def _login(self, connection: Callable[[], Connection]) -> None:
        @kopf.on.login(registry=self._registry)
        async def login(**_: Any) -> kopf.ConnectionInfo:
            to = connection()
            return kopf.ConnectionInfo(
                server=to.server,
                ca_path=to.ca_path,
                scheme="Bearer" if to.token else None,
                token=to.token.reveal() if to.token else None,
                certificate_path=to.certificate_path,
                private_key_path=to.private_key_path,
            )

    def start(self) -> None:
        self.starts += 1
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)
        self._thread.start()

    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout: float) -> bool:
        """Ask kopf to end; whether it did within `timeout` seconds."""
        self._stopped.set()
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.alive()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._operate())
        except Exception:
            log.exception("the watch ended; it is started anew")

    async def _operate(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        if self._stopped.is_set():
            return
        settings = kopf.OperatorSettings()
        configure(settings, self._failed)
        await kopf.operator(
            registry=self._registry, settings=settings, clusterwide=True, standalone=True, stop_flag=self._stop
        )
