"""P4 and P6: restarts with thousands of finished objects."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import ground
from bench.crowd import Crowd, Object, likenesses
from bench.process import Process, Quiet
from bench.table import MB, Row, at_most, kilobytes, megabytes, plain, seconds
from bench.writes import Writes, count
from provision import progress
from stack import Stack

FEW = 2_000
MANY = 10_000
_SETTLED = 5.0
_LIMITS = {"maxInFlight": 10}


@dataclass(frozen=True, kw_only=True, slots=True)
class Restart:
    """What one start of the operator took, with all objects there."""

    ready: float
    quiet: Quiet
    peak: int
    rss: int
    rss_trimmed: int
    writes: Writes


def run() -> Sequence[Row]:
    """Restarts with 1, 2,000 and 10,000 finished objects; all but the first are likenesses of a real one."""
    with ground.ground(_LIMITS) as stack:
        original = _one_video(stack)
        empty = _restart(stack, "1 finished object")
        few = _restart_with(stack, original, 1, FEW)
        many = _restart_with(stack, original, FEW, MANY)
    return [*_memory_rows(few, many), *_restart_rows(empty, many)]


def _one_video(stack: Stack) -> Object:
    stack.start_operator()
    ground.wait_class(stack)
    name = "original"
    stack.apply(ground.generation(name))
    found = stack.wait(ground.NAMESPACE, name, lambda one: ground.condition(one, "Finished"), timeout=60)
    time.sleep(_SETTLED)  # the settlement of its reservation is written a little later
    stack.operator.terminate()
    return found


def _restart_with(stack: Stack, original: Object, there: int, wanted: int) -> Restart:
    made = [there]

    def note(done: int) -> None:
        made[0] = there + done

    names = [f"likeness-{index:05}" for index in range(there, wanted)]
    what = f"making {wanted} finished objects"
    with (
        progress.step("bench", what, f"{(wanted - there) / 120:.0f} s", lambda: f"{made[0]}"),
        Crowd(stack.plane) as crowd,
    ):
        crowd.create(likenesses(original, names), note)
    return _restart(stack, f"{wanted} finished objects")


def _restart(stack: Stack, what: str) -> Restart:
    pod = ground.trimmable(stack.pod())
    before, began = len(stack.audit()), time.monotonic()
    process = Process(pod.start().pid)
    with progress.step("bench", f"restart with {what}", "5 to 20 s"):
        pod.wait_ready()
        ready = time.monotonic() - began
        quiet = process.until_quiet(began)
        time.sleep(_SETTLED)
    rss, peak = process.rss(), process.peak()
    found = Restart(
        ready=ready,
        quiet=quiet,
        peak=peak,
        rss=rss,
        rss_trimmed=ground.trimmed(process),
        writes=count(stack.audit()[before:], stack.release.user),
    )
    pod.terminate()
    return found


def _memory_rows(few: Restart, many: Restart) -> Sequence[Row]:
    slope = (many.rss_trimmed - few.rss_trimmed) / (MANY - FEW)
    untrimmed = (many.rss - few.rss) / (MANY - FEW)
    what = f"RSS a finished object, slope between {FEW} and {MANY} at restarts, after malloc_trim"
    return [
        at_most("P4", what, slope, 2000, kilobytes),
        Row(metric="P4", what="the same before malloc_trim", ours=kilobytes(untrimmed)),
    ]


def _restart_rows(empty: Restart, many: Restart) -> Sequence[Row]:
    what = f"restart with {MANY} finished objects"
    peak = f"{what}: peak RSS above the RSS with one object ({megabytes(empty.rss)})"
    without = f"{what}: CPU seconds beyond a start with one object ({seconds(empty.quiet.cpu_seconds)})"
    return [
        at_most("P6", f"{what}: ready after", many.ready, 4, seconds),
        Row(metric="P6", what=f"{what}: quiet after", ours=seconds(many.quiet.after)),
        at_most("P6", f"{what}: CPU seconds until quiet", many.quiet.cpu_seconds, 3, seconds),
        Row(metric="P6", what=without, ours=seconds(many.quiet.cpu_seconds - empty.quiet.cpu_seconds)),
        at_most("P6", peak, many.peak - empty.rss, 60 * MB, megabytes),
        at_most("P6", f"{what}: writes to VideoGenerations", many.writes.to_objects, 0, plain),
        at_most("P6", f"{what}: all writes ({many.writes.listed()})", many.writes.total, 0, plain),
    ]
