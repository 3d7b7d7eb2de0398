"""What every leg stands on: a stack of its own, one class in it, and pods that are watched by their process id."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.crowd import Object
from bench.process import Process
from class_manifests import rehearsal_class
from podrunner.pod import Pod
from provision import progress
from stack import Stack, StackError

CLASS = "bench"
NAMESPACE = "default"
TIME_SCALE = 60

_BUCKET = "bench"
_TRIM = Path(__file__).absolute().parent / "trim"
_LOOK_AGAIN = 0.5
_TRIM_TAKES = 2.0
_USUALLY = {
    "API server": "3 to 8 s",
    "bucket": "2 s",
    "simulator": "1 s",
    "chart": "2 to 4 s",
    "operator": "2 s",
}


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Announce a part of the stack and say how long it took."""
    with progress.step("bench", name, _USUALLY[name]):
        yield


@contextmanager
def ground(
    limits: Mapping[str, int],
    *,
    settings: Mapping[str, object] | None = None,
    simulator: Sequence[str] = (),
    gateway: Mapping[str, object] | None = None,
    first_poll: int = 2,
) -> Iterator[Stack]:
    """Everything but the operator, with the class `bench`: these limits, this first poll, a poll a second.

    Its bucket is that of a server for load runs. Durations are those of the gateway divided by `TIME_SCALE`.
    """
    options = ("--time-scale", str(TIME_SCALE), "--max-open", "2000", *simulator)
    with Stack(settings=settings, simulator=options, volumes=20, stage=stage) as stack:
        stack.s3.make_bucket(_BUCKET)
        parts = stack.class_parts(CLASS, bucket=_BUCKET)
        tier = {
            "name": "1080p",
            "firstPollSeconds": first_poll,
            "overdueAfterSeconds": 7200,
            "durationsSeconds": [8],
            "sizes": {"16:9": "1920x1080"},
        }
        changes: dict[str, Any] = {"limits": dict(limits), "tiers": [tier]}
        if gateway:
            changes["provider"] = {"openAIVideos": dict(gateway)}
        stack.apply(rehearsal_class(CLASS, parts, changes))
        yield stack


def wait_class(stack: Stack) -> None:
    """Until the operator has probed key and bucket, so that its S3 client is made."""
    stack.wait_class(CLASS, lambda found: condition(found, "Ready"), timeout=60)


def generation(name: str, prompt: str = "a quiet harbour at dawn") -> Object:
    """A video of 1080p and 8 s."""
    return {
        "apiVersion": "videogen.dev/v1alpha1",
        "kind": "VideoGeneration",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"classRef": {"name": CLASS}, "prompt": prompt},
    }


def condition(found: Mapping[str, Any], kind: str) -> bool:
    """Whether a condition of an object is True."""
    conditions = found.get("status", {}).get("conditions", ())
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def succeeded(stack: Stack) -> int:
    """How many VideoGenerations are done. Raises StackError when one has failed."""
    phases = Counter(one.get("status", {}).get("phase") for one in stack.list(NAMESPACE))
    if phases["Failed"]:
        raise StackError(f"{phases['Failed']} objects failed")
    return phases["Succeeded"]


def in_phase(stack: Stack, phase: str) -> int:
    """How many VideoGenerations show that phase."""
    return sum(one.get("status", {}).get("phase") == phase for one in stack.list(NAMESPACE))


def wait_count(
    what: str,
    usually: str,
    wanted: int,
    counted: Callable[[], int],
    *,
    timeout: float = 300.0,
    every: float = _LOOK_AGAIN,
) -> None:
    """Wait until there are so many, and say how far it is. Raises StackError after `timeout` seconds."""
    end = time.monotonic() + timeout
    with progress.step("bench", what, usually, lambda: f"{counted()} of {wanted}"):
        while (now := counted()) < wanted:
            if time.monotonic() > end:
                raise StackError(f"{what}: {now} of {wanted} after {timeout:g} s")
            time.sleep(every)


def pause(what: str, seconds: float) -> None:
    """Let time pass, and say why."""
    with progress.step("bench", what, f"{seconds:g} s"):
        time.sleep(seconds)


def trimmable(pod: Pod) -> Pod:
    """Let `trimmed` work on a pod that is not started yet."""
    pod.environment["PYTHONPATH"] = os.pathsep.join([str(_TRIM), pod.environment["PYTHONPATH"]])
    return pod


def trimmed(process: Process) -> int:
    """Resident bytes after garbage collection and `malloc_trim`."""
    os.kill(process.pid, signal.SIGUSR2)
    time.sleep(_TRIM_TAKES)
    return process.rss()
