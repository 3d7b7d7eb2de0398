"""The status writes of an object: JSON patches that apply only while what they rest on still holds.

A `test` of a missing field equals null as long as its parent exists, which the schema's default of `status`
guarantees; `"value": null` is always sent, because servers up to 1.34 close the connection on a `test` without a
value. Tests are on meaning (attempt, task ID), not on resourceVersion, so that another writer's labels do not make us
lose. Each function is pure: object as read, facts, and the time in; operations out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from . import conditions as conditions_
from . import costs, ledger, ledger_names
from .admission import Offer
from .api.generation import VideoGeneration
from .api.generation_class import VideoGenerationClass
from .api.generation_status import Attempt, AttemptState, Billing, PastOutput, Resolved, UsedClass
from .api.meta import to_wire
from .api.money import ZERO
from .conditions import Standing

Operation = Mapping[str, Any]
MOST_ATTEMPTS: Final = 10
MOST_HISTORY: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Operations for `/status`, and the top-level fields that must be in the answer (an older CRD prunes silently)."""

    operations: Sequence[Operation]
    fields: frozenset[str]


def _test(path: str, value: object) -> Operation:
    return {"op": "test", "path": path, "value": value}


def _build(
    obj: VideoGeneration,
    *,
    tests: Sequence[str],
    changes: Mapping[str, Any],
    attempt: Attempt | None = None,
) -> Write:
    """`tests` are names of status fields, or `generation`, that must still be as `obj` has them; uid is always tested.

    In `changes` None removes a field that is there.
    """
    present = obj.status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    if obj.status.cost is not None:
        present["cost"] = obj.status.cost.wire()  # as it is stored, with its zeros
    operations: list[Operation] = [_test("/metadata/uid", obj.metadata.uid)]
    for name in tests:
        if name == "generation":
            operations.append(_test("/metadata/generation", obj.metadata.generation))
        else:
            operations.append(_test(f"/status/{name}", present.get(name)))
    for name, value in changes.items():
        if value is not None:
            operations.append({"op": "add", "path": f"/status/{name}", "value": value})
        elif name in present:
            operations.append({"op": "remove", "path": f"/status/{name}"})
    if attempt is not None:
        operations += _attempt_operations(obj, attempt)
    fields = {name for name, value in changes.items() if value is not None} | ({"attempts"} if attempt else set())
    return Write(operations=operations, fields=frozenset(fields))


_WORTH: Final[Mapping[Billing | None, int]] = {Billing.NOT_BILLED: 0, Billing.BILLED: 1, Billing.POSSIBLE: 2}
"""What is dropped first: what cost nothing; then what is settled, whose sum stays; open and doubtful items last."""


def _attempt_operations(obj: VideoGeneration, attempt: Attempt) -> list[Operation]:
    """Replace the item of that id, or append it: the newest must be in the list, so a full one drops its least item."""
    items = obj.status.attempts
    value = attempt.wire()
    if not items:
        return [{"op": "add", "path": "/status/attempts", "value": [value]}]
    for index, item in enumerate(items):
        if item.id == attempt.id:
            path = f"/status/attempts/{index}"
            return [_test(f"{path}/id", item.id), {"op": "replace", "path": path, "value": value}]
    operations: list[Operation] = []
    if len(items) >= MOST_ATTEMPTS:
        least = min(range(len(items)), key=lambda i: _WORTH.get(items[i].billing, len(_WORTH)))
        path = f"/status/attempts/{least}"
        operations += [_test(f"{path}/id", items[least].id), {"op": "remove", "path": path}]
    return [*operations, {"op": "add", "path": "/status/attempts/-", "value": value}]


def _shown(obj: VideoGeneration, standing: Standing, now: datetime) -> dict[str, Any]:
    """What every write sets: generation, conditions and the phase derived from them."""
    generation = obj.metadata.generation
    listed = conditions_.conditions(standing, generation=generation, now=now, before=obj.status.conditions)
    return {
        "observedGeneration": generation,
        "phase": conditions_.phase(listed),
        "conditions": [condition.wire() for condition in listed],
    }


# ---------------------------------------------------------------- the writes


def show(obj: VideoGeneration, standing: Standing, now: datetime, *, price: Decimal | None = None) -> Write:
    """A write that changes no fact: what a person must see."""
    changes = _shown(obj, standing, now)
    if obj.status.start_time is None:
        changes["startTime"] = to_wire(now)
    if price is not None and obj.status.submitted_revision != obj.spec.revision:
        changes["cost"] = costs.before_the_end(obj, estimated=price).wire()
    return _build(obj, tests=("submittedRevision", "attempt"), changes=changes)


def storing(obj: VideoGeneration, attempt: ledger_names.AttemptId, standing: Standing, now: datetime) -> Write:
    """A copy that takes long: the task is completed, so from now on it is shown as billed."""
    price = obj.status.resolved.price_usd if obj.status.resolved else ZERO
    item = costs.item_of(obj, attempt).model_copy(update={"billing": Billing.BILLED, "cost_usd": price})
    changes = {**_shown(obj, standing, now), "cost": costs.with_item(obj, item).wire()}
    return _build(obj, tests=("attempt", "taskID", "cost"), changes=changes, attempt=item)


def observe(obj: VideoGeneration) -> Write:
    """A new generation that changes nothing: without this write kstatus would show InProgress for ever."""
    generation = obj.metadata.generation
    listed = [c.model_copy(update={"observed_generation": generation}).wire() for c in obj.status.conditions]
    changes = {"observedGeneration": generation, "conditions": listed or None}
    return _build(obj, tests=("submittedRevision", "attempt"), changes=changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What a submission (or an adoption, which is one) fixes in the status: from here the paid fields are locked."""

    klass: VideoGenerationClass
    ledger_uri: str
    request_hash: str
    resolved: Resolved | None


def pins(offer: Offer, klass: VideoGenerationClass, ledger_uri: str) -> Pins:
    """The pins of a new submission."""
    return Pins(klass=klass, ledger_uri=ledger_uri, request_hash=offer.request.hash, resolved=offer.resolved)


def _pinned(obj: VideoGeneration, pins: Pins, attempt: ledger_names.AttemptId) -> dict[str, Any]:
    metadata = pins.klass.metadata
    used = UsedClass(name=metadata.name, uid=metadata.uid, generation=metadata.generation)
    changes: dict[str, Any] = {
        "attempt": attempt.short,
        "submittedRevision": attempt.folder.revision,
        "ledger": pins.ledger_uri,
        "requestHash": pins.request_hash,
        "class": used.wire(),
        "resolved": pins.resolved.wire() if pins.resolved else None,
    }
    if obj.status.output is not None and obj.status.output.revision < attempt.folder.revision:
        changes |= {"history": _history(obj), "output": None}
    return changes


def _history(obj: VideoGeneration) -> list[dict[str, Any]]:
    """The output moves to the history when a new revision begins; the file stays where it is."""
    output = obj.status.output
    if output is None:
        return [item.wire() for item in obj.status.history]
    paid = [a for a in obj.status.attempts if a.billing is Billing.BILLED and a.id.startswith(f"r{output.revision}-")]
    cost = paid[-1].cost_usd if paid else None
    past = PastOutput(
        revision=output.revision,
        uri=output.uri,
        url=output.url,
        sha256=output.sha256,
        size_bytes=output.size_bytes,
        cost_usd=cost,
        stored_time=output.stored_time,
    )
    older = [item for item in obj.status.history if item.revision != past.revision]
    return [item.wire() for item in (past, *older)][:MOST_HISTORY]


def intent(
    obj: VideoGeneration, attempt: ledger_names.AttemptId, pins: Pins, standing: Standing, now: datetime
) -> Write:
    """Write 1: about to send. Tests the generation, so that an edit in between is never locked in unseen."""
    first = obj.status.submitted_revision != attempt.folder.revision
    changes = {
        **_shown(obj, standing, now),
        **_pinned(obj, pins, attempt),
        "taskID": None,
        "submitTime": None,
        "completionTime": None,
        "cost": costs.before_the_end(obj, estimated=pins.resolved.price_usd if pins.resolved else ZERO).wire(),
    }
    if first or obj.status.start_time is None:
        changes["startTime"] = to_wire(now)
    item = Attempt(id=attempt.short, state=AttemptState.INTENT, intent_time=now)
    tests = ("generation", "submittedRevision", "attempt", "taskID", "cost")
    return _build(obj, tests=tests, changes=changes, attempt=item)


def task(
    obj: VideoGeneration,
    attempt: ledger_names.AttemptId,
    task_: ledger.Task,
    standing: Standing,
    now: datetime,
    adoption: Pins | None = None,
) -> Write:
    """Write 2, the task ID; with `adoption` instead of writes 1 and 2."""
    changes = {**_shown(obj, standing, now), "taskID": task_.task_id, "submitTime": to_wire(task_.time)}
    tests: tuple[str, ...] = ("attempt", "taskID", "cost")
    if adoption is not None:
        changes |= _pinned(obj, adoption, attempt)
        changes["completionTime"] = None
        tests = ("generation", "submittedRevision", "attempt", "taskID", "cost")
        if obj.status.start_time is None:
            changes["startTime"] = to_wire(now)
    item = costs.item_of(obj, attempt).model_copy(
        update={
            "state": AttemptState.SUBMITTED,
            "billing": None,
            "cost_usd": None,
            "reason": None,
            "message": None,
            "finish_time": None,
            "task_id": task_.task_id,
            "endpoint": task_.endpoint,
            "submit_time": task_.time,
        }
    )
    price = adoption.resolved.price_usd if adoption is not None and adoption.resolved else None
    changes["cost"] = costs.in_the_air(obj, item, price).wire()
    return _build(obj, tests=tests, changes=changes, attempt=item)


def doubt(
    obj: VideoGeneration,
    attempt: ledger_names.AttemptId,
    standing: Standing,
    now: datetime,
    *,
    price: Decimal,
    held: bool,
    endpoint: str = "",
    detail: str = "",
    adoption: Pins | None = None,
) -> Write:
    """An intent without an answer; `held` counts its price as possible spend."""
    changes = _shown(obj, standing, now)
    tests: tuple[str, ...] = ("attempt", "taskID", "cost")
    if adoption is not None:
        changes |= {**_pinned(obj, adoption, attempt), "taskID": None}
        tests = ("generation", "submittedRevision", "attempt", "taskID", "cost")
        if obj.status.start_time is None:
            changes["startTime"] = to_wire(now)
    item = costs.item_of(obj, attempt)
    item = item.model_copy(update={"endpoint": endpoint or item.endpoint, "message": detail or item.message})
    if held:
        reason = conditions_.Reason.SUBMISSION_OUTCOME_UNKNOWN.value
        item = item.model_copy(
            update={
                "state": AttemptState.UNKNOWN,
                "billing": Billing.POSSIBLE,
                "cost_usd": price,
                "reason": reason,
            }
        )
        changes["cost"] = costs.with_item(obj, item).wire()
    return _build(obj, tests=tests, changes=changes, attempt=item)


def end(
    obj: VideoGeneration,
    attempt: ledger_names.AttemptId,
    end_: ledger.End,
    standing: Standing,
    now: datetime,
    *,
    price: Decimal,
    adoption: Pins | None = None,
) -> Write:
    """An attempt that ended without the revision's video."""
    item = costs.ended(costs.item_of(obj, attempt), end_, price)
    changes = {**_shown(obj, standing, now), "cost": costs.with_item(obj, item).wire()}
    tests: tuple[str, ...] = ("attempt", "taskID", "cost")
    if adoption is not None:
        changes |= _pinned(obj, adoption, attempt)
        tests = ("generation", "submittedRevision", "attempt", "taskID", "cost")
    if standing.step is conditions_.Step.FAILED:
        changes["completionTime"] = to_wire(end_.time)
    return _build(obj, tests=tests, changes=changes, attempt=item)


def result(
    obj: VideoGeneration,
    attempt: ledger_names.AttemptId,
    result_: ledger.Result,
    standing: Standing,
    now: datetime,
    adoption: Pins | None = None,
) -> Write:
    """Write 3: output, cost and all conditions at once; with `adoption` the only write."""
    item = costs.completed(costs.item_of(obj, attempt), result_)
    output = result_.output.wire()
    changes = {**_shown(obj, standing, now), "cost": costs.with_item(obj, item).wire()}
    tests: tuple[str, ...] = ("attempt", "taskID", "cost")
    if adoption is not None:
        changes |= _pinned(obj, adoption, attempt)
        changes["taskID"] = result_.task_id
        tests = ("generation", "submittedRevision", "attempt", "taskID", "cost")
        if obj.status.start_time is None:
            changes["startTime"] = to_wire(now)
    changes |= {"output": output, "completionTime": to_wire(result_.output.stored_time)}
    return _build(obj, tests=tests, changes=changes, attempt=item)


def fact(obj: VideoGeneration, item: Attempt) -> Write:
    """A fact of an older attempt: it touches only its own item, and the sums."""
    return _build(obj, tests=("attempt", "cost"), changes={"cost": costs.with_item(obj, item).wire()}, attempt=item)


# ---------------------------------------------------------------- sums


def missing(write: Write, stored: Mapping[str, Any]) -> list[str]:
    """Fields that were sent and are not in the object as stored: the CRD is older than this operator."""
    status = stored.get("status") or {}
    return sorted(name for name in write.fields if name not in status)
