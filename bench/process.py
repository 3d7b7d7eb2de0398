"""What the kernel says of a process: memory, processor time, and when it has become quiet. Linux only."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_FORGET_PEAK = "5"  # proc_pid_clear_refs(5): sets VmHWM back to VmRSS
_LOOK_AGAIN = 0.05
_QUIET_SPAN = 3.0
_QUIET_SHARE = 0.02  # of one core


class NeverQuietError(RuntimeError):
    """The process was still at work when the time was over."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """When a process last worked: seconds since its start was asked for, and what it had used by then."""

    after: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine and user."""

    pid: int

    def rss(self) -> int:
        """Resident bytes now, shared libraries included."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """The most resident bytes since the start, or since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> int:
        """Begin a new peak; resident bytes now."""
        self._file("clear_refs").write_text(_FORGET_PEAK)
        return self.rss()

    def threads(self) -> int:
        """How many threads it has."""
        return int(self._line("Threads"))

    def cpu_seconds(self) -> float:
        """Processor time of all threads since the start, user and system."""
        fields = self._file("stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def until_quiet(self, started: float, within: float = 120.0) -> Quiet:
        """Wait until it used less than 2 % of a core for 3 s; when that began.

        `started` is a time of `time.monotonic`. Raises NeverQuietError after `within` seconds.
        """
        samples = [(time.monotonic(), self.cpu_seconds())]
        while time.monotonic() - started < within:
            time.sleep(_LOOK_AGAIN)
            samples.append((time.monotonic(), self.cpu_seconds()))
            begun = quiet_since(samples)
            if begun is not None:
                return Quiet(after=begun[0] - started, cpu_seconds=begun[1])
        raise NeverQuietError(f"process {self.pid} still works after {within:g} s")

    def _status(self, name: str) -> int:
        return int(self._line(name).split()[0]) * 1024

    def _line(self, name: str) -> str:
        for line in self._file("status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return value.strip()
        raise ValueError(f"/proc/{self.pid}/status has no {name}")

    def _file(self, name: str) -> Path:
        return Path("/proc") / str(self.pid) / name


def quiet_since(samples: list[tuple[float, float]]) -> tuple[float, float] | None:
    """The sample that began the quiet time, if the samples end with one."""
    end, spent = samples[-1]
    allowed = _QUIET_SPAN * _QUIET_SHARE
    for when, cpu in reversed(samples):
        if spent - cpu > allowed:
            return None
        if end - when >= _QUIET_SPAN:
            return when, cpu
    return None
