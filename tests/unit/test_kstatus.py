"""What generic tools make of our conditions: the rules of kstatus, as coded in kubernetes-sigs/cli-utils.

pkg/kstatus/status/core.go and generic.go: a deletion timestamp is Terminating; another observed generation is
InProgress; then Reconciling True is InProgress and Stalled True is Failed, whichever comes first in the list; then
Ready True is Current, False or Unknown is InProgress; with none of these the object counts as Current.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from builders import NOW, make_generation, make_status
from videogen_operator import writes
from videogen_operator.conditions import Reason, Standing, Step, Type

Json = Mapping[str, Any]

WANTED = {
    Step.PENDING: "InProgress",
    Step.REFUSED: "Failed",
    Step.QUEUED: "InProgress",
    Step.SUSPENDED: "InProgress",
    Step.SUBMITTING: "InProgress",
    Step.HELD: "Failed",
    Step.GENERATING: "InProgress",
    Step.STORING: "InProgress",
    Step.SUCCEEDED: "Current",
    Step.OUTPUT_MISSING: "Failed",
    Step.FAILED: "Failed",
}


def kstatus(obj: Json) -> str:
    metadata, status = obj["metadata"], obj.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if "observedGeneration" in status and status["observedGeneration"] != metadata["generation"]:
        return "InProgress"
    for condition in status.get("conditions") or ():
        if condition["type"] == "Reconciling" and condition["status"] == "True":
            return "InProgress"
        if condition["type"] == "Stalled" and condition["status"] == "True":
            return "Failed"
    for condition in status.get("conditions") or ():
        if condition["type"] == "Ready":
            return "Current" if condition["status"] == "True" else "InProgress"
    return "Current"


def test_every_step_is_judged() -> None:
    assert set(WANTED) == set(Step)


@pytest.mark.parametrize("reason", [Reason.QUEUED, Reason.CLASS_NOT_FOUND, Reason.ABANDONED])
@pytest.mark.parametrize(("step", "wanted"), WANTED.items())
def test_kstatus_sees_each_step_as_meant(step: Step, wanted: str, reason: Reason) -> None:
    assert kstatus(make_generation(status=make_status(step, reason)).wire()) == wanted


@pytest.mark.parametrize("at", [Type.SUBMITTED, Type.GENERATED, Type.STORED])
def test_a_failure_is_failed_wherever_it_happened(at: Type) -> None:
    standing = Standing(step=Step.FAILED, reason=Reason.ABANDONED, at=at)
    changes = {op["path"]: op.get("value") for op in writes.show(make_generation(), standing, NOW).operations}
    status = {
        "conditions": changes["/status/conditions"],
        "observedGeneration": changes["/status/observedGeneration"],
    }
    assert kstatus({**make_generation().wire(), "status": status}) == "Failed"


@pytest.mark.parametrize("step", Step)
def test_a_new_generation_is_in_progress_until_it_was_seen(step: Step) -> None:
    obj = make_generation(status=make_status(step, Reason.QUEUED), generation=2)
    assert kstatus(obj.wire()) == "InProgress"


@pytest.mark.parametrize(("step", "wanted"), WANTED.items())
def test_a_new_generation_that_was_seen_is_as_before(step: Step, wanted: str) -> None:
    obj = make_generation(status=make_status(step, Reason.QUEUED), generation=2)
    write = {op["path"]: op["value"] for op in writes.observe(obj).operations if op["op"] == "add"}
    status = {name.removeprefix("/status/"): value for name, value in write.items()}
    assert kstatus({**obj.wire(), "status": status}) == wanted


def test_an_object_that_nobody_has_seen_is_in_progress() -> None:
    """The schema's default of the status says -1; without it kstatus would call it Current."""
    assert kstatus(make_generation().wire()) == "InProgress"


@pytest.mark.parametrize("step", Step)
def test_deletion_outweighs_everything(step: Step) -> None:
    obj = make_generation(status=make_status(step, Reason.QUEUED), deletion_timestamp=NOW)
    assert kstatus(obj.wire()) == "Terminating"


@pytest.mark.parametrize("step", Step)
def test_working_is_never_shown_as_ready_false(step: Step) -> None:
    """Most health scripts take Ready=False for broken, which stops a sync (argo-cd#6130)."""
    status = make_status(step, Reason.QUEUED)
    ready = next(c for c in status.conditions if c.type == Type.READY)
    assert (ready.status == "False") is (WANTED[step] == "Failed")
