"""What the obvious operator does to orders and to the API server, beside this one: numbers of docs/decisions/0001.

It is kopf's handlers that submit the job and requeue status checks on timers, in `submit` and `check` below. Both
run on a real API server against the simulator: undisturbed, then killed while POSTs are in the air. The evidence is
the audit log and the simulator's record.

python hack/obvious_way.py               # print one table
python hack/obvious_way.py --operator    # be that operator (the experiment starts it)
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import kopf
import yaml

from class_manifests import rehearsal_class
from podrunner.release import ROOT
from provision.keeper import Keeper
from servers.control_plane import ControlPlane
from simulator_process import SimulatorProcess
from stack import Stack

_KIND = ("videogen.dev", "v1alpha1", "videogenerations")
_OBJECTS = 30
_KILLS = 5
_INTERVAL = 0.5  # seconds between checks: 10 s at the simulator's time scale
_SIMULATOR = ("--time-scale", "20", "--max-open", "100")
_LOOK_AGAIN = 0.05
_WITHIN = 300.0


def operate(base: str) -> None:
    """The obvious operator: some twenty lines, as everyone would write them."""
    http = httpx.Client(base_url=base, headers={"Authorization": "Bearer sim-key"}, timeout=30)

    @kopf.on.create(*_KIND)
    def submit(spec: kopf.Spec, patch: kopf.Patch, **_: Any) -> None:
        order = {"model": "veo-3.1-fast-generate-preview", "prompt": spec["prompt"], "seconds": "8"}
        answer = http.post("/videos", json=order)
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise kopf.TemporaryError("too many tasks", delay=1)
        patch.status["taskID"] = answer.raise_for_status().json()["id"]
        patch.status["phase"] = "Generating"

    @kopf.timer(*_KIND, interval=_INTERVAL, when=lambda status, **_: status.get("phase") == "Generating")
    def check(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
        if http.get(f"/videos/{status['taskID']}").raise_for_status().json()["status"] == "completed":
            patch.status["phase"] = "Succeeded"

    kopf.run(clusterwide=True, standalone=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run on fresh servers: SIGKILL `kills` times while POSTs are in the air."""

    kills: int
    answer_after: float  # seconds until the gateway answers a POST


def obvious(run: Run) -> "Row":
    """The obvious operator."""
    with ExitStack() as exits:
        plane = exits.enter_context(ControlPlane())
        simulator = exits.enter_context(SimulatorProcess(*_SIMULATOR))
        keeper = exits.enter_context(Keeper("videogen-obvious"))
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")

        def start() -> None:
            command = [sys.executable, __file__, "--operator", simulator.base_url]
            env = {**plane.environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
            keeper.start("operator", command, env=env)

        plane.kubectl("apply", "-f", "-", input=_manifests(run))
        start()
        _kill(run, simulator, lambda: keeper.stop("operator", grace=0), start)
        return _finished("the obvious one", run, plane, simulator)


def ours(run: Run) -> "Row":
    """This operator, as the chart starts it."""
    with Stack(settings={"unknownGraceSeconds": 1, "earlyPollSeconds": 1}, simulator=_SIMULATOR) as stack:
        stack.s3.make_bucket("videos")
        limits = {"maxInFlight": _OBJECTS * 2, "submitConcurrency": 2}
        gateway = {"openAIVideos": {"submitTimeoutSeconds": 30}}
        parts = stack.class_parts("veo", bucket="videos")
        stack.apply(rehearsal_class("veo", parts, {"limits": limits, "provider": gateway}))
        stack.start_operator()
        stack.apply(_manifests(run))

        def start() -> None:
            stack.operator.start().wait_ready()

        _kill(run, stack.simulator, stack.operator.kill, start)
        return _finished("this one", run, stack.plane, stack.simulator)


Row = Mapping[str, object]


def _kill(run: Run, simulator: SimulatorProcess, kill: Callable[[], object], start: Callable[[], None]) -> None:
    """Kill and start anew, each time when some more POSTs were begun."""
    for number in range(run.kills):
        begun = (number + 1) * _OBJECTS // (run.kills + 1)
        _wait(lambda at_least=begun: _posts(simulator) >= at_least)  # type: ignore[misc]
        kill()
        start()


def _manifests(run: Run) -> str:
    marker = f" [[sim:slow-answer seconds={run.answer_after}]]" if run.answer_after else ""
    objects = [
        {
            "apiVersion": "videogen.dev/v1alpha1",
            "kind": "VideoGeneration",
            "metadata": {"name": f"video-{number}", "namespace": "default"},
            "spec": {"classRef": {"name": "veo"}, "prompt": f"a cat, take {number}{marker}", "tier": "1080p"},
        }
        for number in range(_OBJECTS)
    ]
    return yaml.safe_dump_all(objects)


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + _WITHIN
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"not there after {_WITHIN:g} s")
        time.sleep(_LOOK_AGAIN)


def _posts(simulator: SimulatorProcess) -> int:
    return len(simulator.ledger()["posts"])


def _phases(plane: ControlPlane) -> Counter[str]:
    listed = json.loads(plane.client.get(f"/apis/{_KIND[0]}/{_KIND[1]}/{_KIND[2]}"))
    return Counter(item.get("status", {}).get("phase", "") for item in listed["items"])


def _finished(who: str, run: Run, plane: ControlPlane, simulator: SimulatorProcess) -> Row:
    _wait(lambda: _phases(plane)["Succeeded"] + _phases(plane)["Held"] == _OBJECTS)
    writes = Counter(
        event["objectRef"]["name"]
        for event in plane.audit_events()
        if event["verb"] in {"patch", "update"} and event["objectRef"].get("resource") == _KIND[2]
    )
    tasks = Counter(task["request"]["prompt_sha256"] for task in simulator.ledger()["tasks"])
    return {
        "operator": who,
        "objects": _OBJECTS,
        "SIGKILLs": run.kills,
        "videos ordered": sum(tasks.values()),
        "objects ordered twice or more": sum(1 for count in tasks.values() if count > 1),
        "objects held for a person": _phases(plane)["Held"],
        "writes to an object": f"{min(writes.values())} to {max(writes.values())}",
    }


def main() -> int:
    """Both operators, undisturbed and killed; one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operator", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.operator:
        operate(given.operator)
        return 0
    runs = Run(kills=0, answer_after=0.0), Run(kills=_KILLS, answer_after=1.0)
    rows = [operator(run) for run in runs for operator in (obvious, ours)]
    names = list(rows[0])
    print("| " + " | ".join(names) + " |")
    print("| " + " | ".join("---" for _ in names) + " |")
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in names) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
