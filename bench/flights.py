"""P4: the memory of tasks that are open at the gateway, and of objects that wait for a slot."""

from collections.abc import Sequence

from bench import ground
from bench.crowd import Crowd
from bench.process import Process
from bench.table import Row, at_most, kilobytes, megabytes
from stack import Stack

FEW = 100
MANY = 500
QUEUED = 1000
_GOAL = 8000
_QUEUED_GOAL = 2000
_SETTLED = 15.0
_LIMITS = {"maxInFlight": 500, "submitConcurrency": 32}  # 500 is the most that a class may have
_SELDOM = 60  # seconds between polls: so many tasks at the default pace would only load the simulator


def run() -> Sequence[Row]:
    """The slope between 100 and 500 endless tasks of one class, then 1,000 objects behind them, in one process."""
    with ground.ground(_LIMITS, gateway={"pollPeriodSeconds": _SELDOM}, first_poll=_SELDOM) as stack:
        pod = ground.trimmable(stack.pod()).start().wait_ready()
        stack.operator = pod
        process = Process(pod.pid)
        ground.wait_class(stack)
        with Crowd(stack.plane) as crowd:
            raw, after = _memory(stack, crowd, process, 0, FEW)
            more_raw, more_after = _memory(stack, crowd, process, FEW, MANY)
            queued_after = _queue(stack, crowd, process)
    slope = (more_after - after) / (MANY - FEW)
    untrimmed = (more_raw - raw) / (MANY - FEW)
    what = f"RSS an object in flight, slope between {FEW} and {MANY} endless tasks, after malloc_trim"
    return [
        at_most("P4", what, slope, _GOAL, kilobytes),
        Row(metric="P4", what="the same before malloc_trim", ours=kilobytes(untrimmed)),
        Row(metric="P4", what=f"RSS with {MANY} tasks in flight, before malloc_trim", ours=megabytes(more_raw)),
        at_most(
            "P4",
            f"RSS an object that waits for a slot, slope of {QUEUED}, after malloc_trim",
            (queued_after - more_after) / QUEUED,
            _QUEUED_GOAL,
            kilobytes,
        ),
    ]


def _queue(stack: Stack, crowd: Crowd, process: Process) -> int:
    crowd.create(ground.generation(f"queued-{index}") for index in range(QUEUED))
    ground.wait_count(
        f"{QUEUED} objects that wait",
        "20 to 120 s",
        QUEUED,
        lambda: ground.in_phase(stack, "Queued"),
        timeout=400,
        every=5.0,
    )
    ground.pause("settling", _SETTLED)
    return ground.trimmed(process)


def _memory(stack: Stack, crowd: Crowd, process: Process, there: int, wanted: int) -> tuple[int, int]:
    prompt = "[[sim:endless state=in_progress]] a quiet harbour at dawn"
    crowd.create(ground.generation(f"flight-{index}", prompt) for index in range(there, wanted))
    ground.wait_count(f"{wanted} tasks in flight", "10 to 120 s", wanted, lambda: _recorded(stack), timeout=400)
    ground.pause("early polls and settling", _SETTLED)
    return process.rss(), ground.trimmed(process)


def _recorded(stack: Stack) -> int:
    return int(stack.simulator.control("GET", "/health")["open"])
