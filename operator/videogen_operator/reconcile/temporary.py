"""Temporary files of copies: bounded by the space of their volume, and heard of while they are written and read."""

import io
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

Meanwhile = Callable[[], None]


class Writing(io.BufferedWriter):
    """A temporary file that says when a piece came."""

    def __init__(self, path: str, meanwhile: Meanwhile) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self._meanwhile = meanwhile

    def write(self, piece: "Buffer") -> int:
        self._meanwhile()
        return super().write(piece)


class Reading(io.BufferedReader):
    """The same file, on its way into the bucket."""

    def __init__(self, path: str, meanwhile: Meanwhile) -> None:
        super().__init__(io.FileIO(path, "rb"))
        self._meanwhile = meanwhile

    def read(self, size: int | None = -1) -> bytes:
        self._meanwhile()
        return super().read(size)


class TemporaryFiles:
    """Thread-safe; one instance a process: it owns the volume's space, which copies are admitted against."""

    def __init__(self, folder: str, space: int) -> None:
        self._folder = folder
        self._space = space
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def room(self) -> int:
        """Bytes that are neither used nor promised; may be below zero."""
        with self._lock:
            return self._space - sum(self._used.values())

    def make(self, reserved: int) -> str:
        """A new file, with so many bytes promised to it. Raises `OSError`."""
        handle, path = tempfile.mkstemp(prefix="videogen-", suffix=".mp4", dir=self._folder)
        os.close(handle)
        self.keep(path, reserved)
        return path

    def keep(self, path: str, size: int) -> None:
        """The file has so many bytes, and needs no more."""
        with self._lock:
            self._used[path] = size

    def remove(self, path: str) -> None:
        with self._lock:
            self._used.pop(path, None)
        with suppress(OSError):
            Path(path).unlink(missing_ok=True)
