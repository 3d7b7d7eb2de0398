"""All that a decision about one object rests on, and what can be read off the object itself."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from . import ledger_names
from .admission import Offer, Refusal
from .api.generation import RESOLVE_ANNOTATION, VideoGeneration
from .api.generation_class import VideoGenerationClass
from .api.generation_status import Attempt, AttemptState, Resolved
from .api.meta import ConditionStatus
from .api.money import ZERO
from .conditions import Reason, Standing, Step, Type, find, step_shown
from .ledger import Answer, Entry, Folder
from .ledger_names import FolderId
from .pursuit import Pace, Pursuit
from .timings import Timings

OPEN: Final = frozenset({AttemptState.INTENT, AttemptState.SUBMITTED, AttemptState.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that one decision rests on. What is only in memory may be lost at any time, and then is None again."""

    obj: VideoGeneration
    klass: VideoGenerationClass | None
    seconds: Timings = field(default_factory=Timings)
    offer: Offer | Refusal | None = None
    ledger_uri: str = ""  # of the folder of the active revision, by the class as it is now
    folder: Folder | None = None
    folder_read: float = 0.0  # ticks
    folder_stale: bool = False  # the object waited since the folder was read
    unsent: frozenset[str] = frozenset()  # tickets of this process whose POST has not begun
    fence: str | None = None  # ticket of the intent that this object's turns wrote and have not used
    granted: int | None = None  # attempt number whose slot is reserved for this turn
    shut: bool = False  # the class takes no new work now, whatever was granted before
    gave_up: int | None = None  # attempt whose task this process has just given up
    begun: int | None = None  # attempt whose intent this process wrote into the status
    intent_seen: float | None = None  # ticks when a status intent of somebody else was first seen
    doubt_since: float | None = None  # ticks when the unanswered ticket was first seen
    doubt_certain: bool = False  # the lost answer was to our own POST: nobody else will record it
    refused_answer: str = ""  # why the resolve annotation could not be taken
    pursuit: Pursuit | None = None
    pace: Pace | None = None
    waits: Standing | None = None  # the queue passed this object over, and why
    told: frozenset[Reason] = frozenset()  # what this process has warned of by an event

    def with_class(self) -> VideoGenerationClass:
        """The class, of an action that is decided only where there is one."""
        if self.klass is None:
            raise ValueError("an action needs the class")
        return self.klass


def active_folder(obj: VideoGeneration) -> FolderId:
    """The ledger's folder of the revision that is worked on."""
    return FolderId(obj.metadata.namespace, obj.metadata.name, active_revision(obj))


def ordered(job: Job, entry: Entry) -> Resolved | None:
    """What an attempt ordered, by the best record of it."""
    if entry.intent is not None and entry.intent.resolved is not None:
        return entry.intent.resolved
    if job.obj.status.resolved is not None and job.obj.status.submitted_revision == active_revision(job.obj):
        return job.obj.status.resolved
    return job.offer.resolved if isinstance(job.offer, Offer) else None


def price(job: Job, entry: Entry) -> Decimal:
    """What an attempt costs when it is billed, in USD; zero where no record says it."""
    resolved = ordered(job, entry)
    return resolved.price_usd if resolved else ZERO


def newest_attempt(obj: VideoGeneration) -> Attempt | None:
    """The item of `status.attempts` that `status.attempt` names."""
    return next((a for a in obj.status.attempts if a.id == obj.status.attempt), None)


def active_revision(obj: VideoGeneration) -> int:
    """The revision that is worked on: an attempt in the air is finished before a raised revision begins."""
    newest = newest_attempt(obj)
    if newest is not None and newest.state in {AttemptState.INTENT, AttemptState.SUBMITTED}:
        revision, _ = ledger_names.parse_short(newest.id) or (obj.spec.revision, 0)
        return min(revision, obj.spec.revision)
    return obj.spec.revision


def own_number(obj: VideoGeneration, revision: int) -> int | None:
    """The number of `status.attempt` if it belongs to `revision`."""
    parsed = ledger_names.parse_short(obj.status.attempt or "")
    return parsed[1] if parsed and parsed[0] == revision else None


def finished(obj: VideoGeneration) -> bool:
    """Nothing more will happen by itself for the revision that is asked for."""
    ended = find(obj.status.conditions, Type.FINISHED)
    return (
        ended is not None
        and ended.status is ConditionStatus.TRUE
        and obj.status.submitted_revision is not None
        and obj.status.submitted_revision >= obj.spec.revision
    )


def parse_answer(obj: VideoGeneration) -> tuple[str, Answer | None, str] | None:
    """(attempt, answer, task ID) of the resolve annotation; None if there is none or it says nothing we know."""
    attempt, colon, said = obj.metadata.annotations.get(RESOLVE_ANNOTATION, "").strip().partition(":")
    if not colon:
        return None
    word, _, value = said.partition("=")
    if word == "adopt" and value.strip():
        return attempt, None, value.strip()
    return (attempt, Answer(word), "") if word in set(Answer) and not value else None


def late_adoption(obj: VideoGeneration) -> str | None:
    """The task ID that a person names for an attempt that was given up without one; None if there is no such answer."""
    newest, answer = newest_attempt(obj), parse_answer(obj)
    given_up = newest is not None and newest.state is AttemptState.ABANDONED and newest.task_id is None
    if not given_up or newest is None or answer is None or answer[1] is not None or answer[0] != newest.id:
        return None
    return answer[2]


def shows(obj: VideoGeneration, standing: Standing) -> bool:
    """Whether the object's conditions say it already. Waiting is waiting, whatever for: a write would tell nothing."""
    shown = step_shown(obj.status.conditions)
    if shown is not standing.step:
        return False
    if standing.step is Step.QUEUED:
        return True
    ready = find(obj.status.conditions, Type.READY)
    if ready is None or ready.reason != standing.reason:
        return False
    return standing.step is not Step.REFUSED or ready.message == standing.message
