"""P5 and P1: the operator at rest, then videos from create to Succeeded."""

import time
from collections.abc import Sequence

from bench import ground
from bench.crowd import Crowd
from bench.process import Process
from bench.table import MB, Row, at_most, megabytes, plain, seconds
from bench.writes import Name, Writes, count
from provision import progress
from stack import Stack

AT_ONCE = 50
QUEUED = 50
_PER_SECOND = 8  # slower than orders are made, so that none waits
_AT_REST = 30.0
_LIMITS = {"maxInFlight": 200, "submitConcurrency": 32}


def run() -> Sequence[Row]:
    """One operator, as the chart makes it, from its start to 100 videos."""
    with ground.ground(_LIMITS) as stack:
        rows = [*_at_rest(stack)]
        with Crowd(stack.plane) as crowd:
            rows += _videos(stack, crowd, "once", AT_ONCE, 1 / _PER_SECOND, most=3, what="submitted at once")
            stack.plane.kubectl(
                *("patch", "videogenerationclass", ground.CLASS, "--type=merge"),
                *("--patch", '{"spec": {"limits": {"maxInFlight": 5, "submitConcurrency": 2}}}'),
            )
            ground.wait_class(stack)
            rows += _videos(stack, crowd, "queued", QUEUED, 0.0, most=4, what="that had to queue")
        return rows


def _at_rest(stack: Stack) -> Sequence[Row]:
    began = time.monotonic()
    process = Process(stack.start_operator().pid)
    ready = time.monotonic() - began
    ground.wait_class(stack)
    quiet = process.until_quiet(began)
    before = len(stack.audit())
    ground.pause("the operator at rest", max(0.0, _AT_REST - (time.monotonic() - began - ready)))
    writes = count(stack.audit()[before:], stack.release.user)
    resting = f"RSS when ready + {_AT_REST:g} s, no objects, S3 client made ({process.threads()} threads)"
    return [
        at_most("P5", resting, process.rss(), 110 * MB, megabytes),
        Row(metric="P5", what="start without objects: ready after", ours=seconds(ready)),
        Row(metric="P5", what="start without objects: CPU seconds until quiet", ours=seconds(quiet.cpu_seconds)),
        at_most("P1", f"writes of the idle operator in those {_AT_REST:g} s", writes.total, 0, plain),
    ]


def _videos(
    stack: Stack, crowd: Crowd, name: str, number: int, between: float, *, most: int, what: str
) -> Sequence[Row]:
    names: Sequence[Name] = [(ground.NAMESPACE, f"{name}-{index}") for index in range(number)]
    before, done, user = len(stack.audit()), ground.succeeded(stack), stack.release.user
    cpu, process = Process(stack.operator.pid).cpu_seconds(), Process(stack.operator.pid)
    with progress.step("bench", f"{number} videos {what}: creating", f"{number * between + 1:.0f} s"):
        for _, each in names:
            crowd.create([ground.generation(each)])
            time.sleep(between)
    ground.wait_count(
        f"{number} videos {what}", "10 to 60 s", done + number, lambda: ground.succeeded(stack), timeout=240
    )
    ground.pause("the last settlements", 6.0)
    spent = process.cpu_seconds() - cpu
    writes = count(stack.audit()[before:], user)
    return [*_judged(writes, names, most, what), *_reported(stack, writes, names, what, spent)]


def _judged(writes: Writes, names: Sequence[Name], most: int, what: str) -> Sequence[Row]:
    spread = f"writes to a VideoGeneration {what}, the most of {len(names)} (objects x writes: {writes.spread(names)})"
    return [at_most("P1", spread, writes.most(names), most, plain)]


def _reported(stack: Stack, writes: Writes, names: Sequence[Name], what: str, cpu: float) -> Sequence[Row]:
    events = [len(stack.events(*name)) for name in names]
    per_video = writes.total / len(names)
    return [
        at_most("P1", f"Events about one {what}, the most", max(events), 2, plain),
        Row(metric="P1", what=f"all API writes per video {what} ({writes.listed()})", ours=f"{per_video:.2f}"),
        Row(
            metric="P1",
            what=f"operator's CPU per video {what}, copy of a small file included",
            ours=f"{1000 * cpu / len(names):.0f} ms",
        ),
    ]
