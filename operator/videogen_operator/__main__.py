"""`python -m videogen_operator`: settings, wiring, threads, signals, and the order of the end.

Exit codes: 0 stopped as asked, everything sent is on record; 2 wrong settings; 3 a thread of the operator died;
4 stopped as asked, but a POST was still in the air when the time ran out (its ID may be in the log only).
"""

import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Final

from . import __version__, logs, wiring
from .adapters.kube import KubeApi
from .api.generation_class import KIND as CLASS_KIND
from .api.meta import Key
from .errors import KubeTrouble
from .handlers import Watcher
from .health import HealthServer
from .ports import Kind
from .settings import Settings, SettingsError
from .workers import Workers
from .workqueue import Lane

log: Final = logging.getLogger("videogen_operator")

STOPPED: Final = 0
BAD_SETTINGS: Final = 2
THREAD_DIED: Final = 3
POST_IN_THE_AIR: Final = 4

_SUBMIT_THREADS: Final = 16
_SHORT: Final = 10.0
_RELIST_SECONDS: Final = 600.0
_CHECK_SECONDS: Final = 1.0
_LIST_SECONDS: Final = 120.0
_M_ARENA_MAX: Final = -8  # glibc's malloc.h


class Operator:
    """One run of the process."""

    def __init__(self, settings: Settings, whole: wiring.Whole, kube: KubeApi) -> None:
        self._settings = settings
        self._whole = whole
        self._kube = kube
        self._stop = threading.Event()
        self._not_ready = "starting"
        self._expected = 0  # objects that the first list must show
        self._list_by = 0.0  # ticks after which it is no longer waited for: some may have been deleted meanwhile
        threads = {Lane.TURN: settings.workers, Lane.SUBMIT: _SUBMIT_THREADS, Lane.COPY: settings.copy_workers}
        self._workers = Workers(whole.world.queue, whole.turn, threads)
        self._failures, self._watch_trouble = 0, ""
        self._watcher = Watcher(whole.records, whole.flights.notice, whole.classes.notice, kube.connection)
        self._health = HealthServer(
            settings.http_host,
            settings.http_port,
            live={"workers": self._dead_workers},
            ready={
                "start": lambda: self._not_ready,
                "workers": self._dead_workers,
                "watch": self._dead_watch,
                "list": self._unlisted,
            },
        )

    def stop(self, *_: object) -> None:
        """A signal: no new POST from here on."""
        self._whole.world.stopping.set()
        self._stop.set()

    def run(self) -> int:
        """Until a signal comes or a thread dies; the exit code."""
        self._health.start()
        log.info("started", extra={"version": __version__, "health_port": self._health.port})
        code = STOPPED
        if self._prime():
            self._workers.start()
            self._watcher.start()
            self._list_by = self._whole.world.clock.ticks() + _LIST_SECONDS
            self._not_ready = ""
            log.info("ready", extra={"writer": self._whole.world.writer})
            code = self._watch_over()
        return self._end(code)

    # ------------------------------------------------------------ start

    def _prime(self) -> bool:
        """Wait for the CRDs and know every class before the first object asks for one; False if told to stop."""
        while not self._stop.is_set():
            try:
                self._expected = self._kube.count(Kind.GENERATION)
                for _, name in self._kube.names(Kind.CLASS):
                    self._whole.classes.prime(name)
                    self._whole.world.wake(Key(CLASS_KIND, "", name))
            except KubeTrouble as trouble:
                self._not_ready = str(trouble)
                log.warning("waiting for the API server and the CRDs", extra={"detail": str(trouble)})
                self._stop.wait(2.0)
            else:
                gc.freeze()
                return True
        return False

    # ------------------------------------------------------------ running

    def _watch_over(self) -> int:
        """Restart a watch that ended; end when a worker died: a process that only seems to live is the worst."""
        relist = self._whole.world.clock.ticks() + _RELIST_SECONDS
        while not self._stop.wait(_CHECK_SECONDS):
            if not self._workers.alive():
                log.critical("a worker thread died; the process ends and is started anew")
                return THREAD_DIED
            self._keep_watching()
            if self._whole.world.clock.ticks() >= relist:
                relist += _RELIST_SECONDS
                self._forget_lost()
        return STOPPED

    def _keep_watching(self) -> None:
        """A watch that ended is started anew, but not before both kinds are served: kopf ignores one that comes later.

        While kopf tries by itself, what it meets is asked for directly, so that readiness can say it.
        """
        failures = self._watcher.failures
        if not self._watcher.alive():
            self._stop.wait(min(30.0, float(self._watcher.starts)))
            self._watch_trouble = self._what_fails()
            if not self._watch_trouble and not self._stop.is_set():
                self._watcher.start()
        elif failures != self._failures:
            self._watch_trouble = self._what_fails()
            self._failures = self._failures if self._watch_trouble else failures

    def _what_fails(self) -> str:
        try:
            self._kube.names(Kind.CLASS)
            self._kube.names(Kind.GENERATION)
        except KubeTrouble as trouble:
            return str(trouble)
        return ""

    def _forget_lost(self) -> None:
        """Drop what was deleted while no watch was looking."""
        try:
            names = self._kube.names(Kind.GENERATION)
        except KubeTrouble:
            return
        for key in self._whole.records.missing_from(names):
            self._whole.flights.notice(key)

    def _dead_workers(self) -> str:
        started = not self._not_ready
        return "a worker thread died" if started and not self._workers.alive() else ""

    def _dead_watch(self) -> str:
        return self._watch_trouble or ("" if self._watcher.alive() else "the watch is not running")

    def _unlisted(self) -> str:
        seen = len(self._whole.records)
        if seen >= self._expected or self._whole.world.clock.ticks() > self._list_by:
            return ""
        return f"the first list has shown {seen} of {self._expected} objects"

    # ------------------------------------------------------------ the end

    def _end(self, code: int) -> int:
        """No new POST; what is in the air is awaited and recorded; the rest is only another starting state."""
        self._whole.world.stopping.set()
        self._whole.world.queue.close()
        if self._workers.started:
            if not self._workers.join(self._settings.drain_seconds, Lane.SUBMIT):
                self._tell_what_is_lost()
                code = code or POST_IN_THE_AIR
            self._workers.join(_SHORT, Lane.TURN)
        self._watcher.stop(_SHORT)
        self._health.stop()
        log.info("stopped", extra={"code": code})
        return code

    def _tell_what_is_lost(self) -> None:
        """The last place of a task ID that neither bucket nor API server took, in the form that brings it back."""
        log.critical("a POST is still in the air", extra={"attempts": self._whole.desks.in_the_air()})
        for resolve in self._whole.flights.unrecorded():
            name, _, answer = resolve.partition(" ")
            facts = {"object": name, "annotation": f"videogen.dev/resolve={answer}"}
            log.critical("a task ID is on no record; annotate the object with it", extra=facts)


def _share_memory_between_threads() -> None:
    """Two arenas of malloc for all threads: with glibc's eight a core, 35 of 140 MB were of use to nobody."""
    with suppress(OSError, AttributeError):  # another libc has no arenas
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def main() -> int:
    """The process; its exit code."""
    try:
        settings = Settings.from_env(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"videogen-operator: {error}\n")
        return BAD_SETTINGS
    logs.configure(settings.log_format, settings.log_level)
    _share_memory_between_threads()
    gc.set_threshold(50_000, 50, 1000)
    try:
        kube = wiring.kube_of(settings, os.environ)
        temp = wiring.TempDir(settings.temp_dir)
    except (KubeTrouble, OSError) as error:
        log.critical("cannot start", extra={"detail": str(error)})
        return BAD_SETTINGS
    try:
        operator = Operator(settings, wiring.build(settings, kube, temp.path), kube)
        signal.signal(signal.SIGTERM, operator.stop)
        signal.signal(signal.SIGINT, operator.stop)
        return operator.run()
    finally:
        temp.remove()


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # threads that wait for a remote part have nothing left to do
