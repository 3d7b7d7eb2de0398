"""P10: the memory that ten copies at once take."""

import time
from collections.abc import Sequence

from bench import ground
from bench.crowd import Crowd, Object
from bench.process import Process
from bench.table import MIB, Row, at_most, mebibytes
from stack import Stack

COPIES = 10
_GOAL = 40 * MIB
_LIMITS = {"maxInFlight": COPIES, "submitConcurrency": COPIES, "maxOutputBytes": 450_000_000}


def run(sizes: Sequence[int]) -> Sequence[Row]:
    """Ten copies of each size in MB at once, one size after another, in one process."""
    with ground.ground(_LIMITS, settings={"copyWorkers": COPIES}, gateway={"pollPeriodSeconds": 1}) as stack:
        process = Process(stack.start_operator().pid)
        ground.wait_class(stack)
        with Crowd(stack.plane) as crowd:
            _copy(stack, crowd, process, "first", 1)  # so that clients and connections exist
            return [row for size in sizes for row in _copy(stack, crowd, process, f"mb-{size}", size)]


def _copy(stack: Stack, crowd: Crowd, process: Process, name: str, megabytes: int) -> Sequence[Row]:
    done = ground.succeeded(stack)
    prompt = f"[[sim:clip-bytes size={megabytes}MB]] [[sim:endless state=in_progress]] a quiet harbour at dawn"
    crowd.create(ground.generation(f"{name}-{index}", prompt) for index in range(COPIES))
    ground.wait_count(f"{COPIES} tasks of {megabytes} MB", "3 s", COPIES, lambda: _open(stack), timeout=60)
    time.sleep(2)
    before, cpu = process.forget_peak(), process.cpu_seconds()
    stack.simulator.complete()
    ground.wait_count(
        f"{COPIES} copies of {megabytes} MB at once",
        f"{5 + megabytes // 3:.0f} s",
        done + COPIES,
        lambda: ground.succeeded(stack),
        timeout=600,
    )
    growth = process.peak() - before
    spent = (process.cpu_seconds() - cpu) * (1 << 30) / (COPIES * megabytes * 1_000_000)
    what = f"RSS growth of {COPIES} copies of {megabytes} MB, {_overlap(stack, name)} downloads at once at most"
    judged = at_most("P10", what, growth, _GOAL, mebibytes)
    return [judged, Row(metric="P10", what="CPU of those copies, polls included", ours=f"{spent:.1f} s/GiB")]


def _open(stack: Stack) -> int:
    return int(stack.simulator.control("GET", "/health")["open"])


def _overlap(stack: Stack, name: str) -> int:
    """The most downloads that ran at one moment, as the simulator saw them."""
    tasks = {one.get("status", {}).get("taskID") for one in stack.list(ground.NAMESPACE) if _named(one, name)}
    spans = [
        (load["at"], load["ended_at"])
        for task in stack.simulator.ledger()["tasks"]
        if task["id"] in tasks
        for load in task["downloads"]
    ]
    return max((sum(begun <= at < ended for begun, ended in spans) for at, _ in spans), default=0)


def _named(found: Object, name: str) -> bool:
    return str(found["metadata"]["name"]).startswith(f"{name}-")
