"""The life of a task, a pure function of what was ordered, a seed and the time.

Lengths are drawn in simulated seconds; `life` divides them by the time scale, in this one place,
so that every other moment in the simulator is wall time.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum

from .effects import Effect, Failure
from .rules import Order
from .settings import Settings

ID_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 32
QUEUED_SHARE = 0.1  # of the whole time; no document says how long a task waits
FOR_EVER = float("inf")


class Status(Enum):
    """The states that the channel documents for a task; the value is the word on the wire."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


# No other values occur.
PROGRESS = {Status.QUEUED: 0, Status.IN_PROGRESS: 50, Status.COMPLETED: 100, Status.FAILED: 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """The moments of a task, seconds since the epoch."""

    created: float
    started: float
    ends: float
    content_from: float
    expires: float
    failure: Failure | None

    def status(self, now: float) -> Status:
        """What the task is at a moment."""
        if now < self.started:
            return Status.QUEUED
        if now < self.ends:
            return Status.IN_PROGRESS
        return Status.FAILED if self.failure else Status.COMPLETED

    def is_open(self, now: float) -> bool:
        """Whether it is still at work."""
        return now < self.ends


def task_id(seed: str, number: int) -> str:
    """`task_` and 32 characters, as new-api's newer builds make them."""
    value = int.from_bytes(hashlib.sha256(f"id {seed} {number}".encode()).digest(), "big")
    letters = []
    for _ in range(ID_LENGTH):
        value, letter = divmod(value, len(ID_LETTERS))
        letters.append(ID_LETTERS[letter])
    return "task_" + "".join(letters)


def life(order: Order, effect: Effect, settings: Settings, name: str, created: float) -> Life:
    """The life of the task `name` that was created at a moment."""
    whole = drawn(settings.durations[order.resolution], name) if effect.duration is None else effect.duration
    delay = settings.content_delay if effect.content_delay is None else effect.content_delay
    kept = settings.retention if effect.retention is None else effect.retention
    started = created + whole * QUEUED_SHARE / settings.time_scale
    ends = created + whole / settings.time_scale
    if effect.endless:
        started = FOR_EVER if effect.endless == Status.QUEUED.value else started
        ends = FOR_EVER
    return Life(
        created=created,
        started=started,
        ends=ends,
        content_from=ends + delay / settings.time_scale,
        expires=ends + kept / settings.time_scale,
        failure=effect.failure,
    )


def drawn(ends: tuple[float, float], name: str) -> float:
    """A length between two ends, evenly, by the task's name alone."""
    part = int.from_bytes(hashlib.sha256(f"length {name}".encode()).digest()[:6], "big") / 2**48
    return ends[0] + (ends[1] - ends[0]) * part


def ended_now(life_: Life, now: float) -> Life:
    """The same task, ended at this moment: its content is there at once, and is kept as long as it would have been."""
    return Life(
        created=life_.created,
        started=min(life_.started, now),
        ends=now,
        content_from=now,
        expires=FOR_EVER if life_.ends == FOR_EVER else life_.expires - life_.ends + now,
        failure=life_.failure,
    )


def wire_object(name: str, order: Order, at: Life, now: float) -> dict[str, object]:
    """The task as submit and poll show it."""
    status = at.status(now)
    shown: dict[str, object] = {
        "id": name,
        "task_id": name,
        "object": "video",
        "model": order.model,
        "status": status.value,
        "progress": PROGRESS[status],
        "created_at": int(at.created),
    }
    if status is Status.COMPLETED:
        shown["completed_at"] = int(at.ends)
    if status is Status.FAILED and at.failure and at.failure.message:
        shown["error"] = {"message": at.failure.message, "code": at.failure.code}
    return shown
