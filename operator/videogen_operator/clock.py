"""The clocks of a running process. Everything else gets the time as an argument."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime


class SystemClock:
    """`ports.Clock`."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=32, thread_name_prefix="record")
        self._never = threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place

    def ticks(self) -> float:
        """CLOCK_BOOTTIME: it runs on while the machine is suspended, so an old intent is seen to be old."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def pause(self, seconds: float) -> None:
        self._never.wait(seconds)

    def together(self, *effects: Callable[[], None]) -> None:
        first, *others = effects
        running = [self._pool.submit(effect) for effect in others]
        try:
            first()
        finally:
            for future in running:
                future.exception()
        for future in running:
            future.result()
