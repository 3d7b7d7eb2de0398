"""Objects for tests: each builder gives a whole, valid thing, and takes only what a test is about.

`make_generation(prompt="a cat", status=...)`, `make_folder(an_intent(1), a_task(1))`, `make_job(obj, folder)`. Times
are `NOW` on the wall and `TICKS` on the monotonic clock unless a test says otherwise.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

from videogen_operator import admission, conditions
from videogen_operator.api.gateway import OfferedModel, OpenAIVideos, Provider, Tier
from videogen_operator.api.generation import Spec, VideoGeneration
from videogen_operator.api.generation_class import Defaults, Limits, Reservation, VideoGenerationClass
from videogen_operator.api.generation_class import Spec as ClassSpec
from videogen_operator.api.generation_class import Status as ClassStatus
from videogen_operator.api.generation_status import (
    Attempt,
    AttemptState,
    Billing,
    ContentCredentials,
    Output,
    Resolved,
    Status,
)
from videogen_operator.api.meta import ObjectMeta
from videogen_operator.api.storage import S3, Storage
from videogen_operator.conditions import Reason, Standing, Step
from videogen_operator.job import Job, active_revision
from videogen_operator.ledger import Again, Answer, End, Folder, Intent, Request, Resolution, Result, Task
from videogen_operator.ledger_names import AttemptId, FolderId
from videogen_operator.pursuit import Moment, Pace, Pursuit

NOW: Final = datetime(2026, 11, 22, 10, 40, tzinfo=UTC)
TICKS: Final = 50_000.0
PRICE: Final = Decimal("0.30")
PROMPT: Final = "a lighthouse at dawn, waves, slow dolly"
ENDPOINT: Final = "https://gateway.example/v1"
CLASS: Final = "veo"

_METADATA: Final = frozenset(ObjectMeta.model_fields)


def later(seconds: float) -> Moment:
    """A moment after `NOW`, on both clocks."""
    return Moment(wall=NOW + timedelta(seconds=seconds), ticks=TICKS + seconds)


# ---------------------------------------------------------------- objects


def make_generation(*, status: Status | None = None, **changes: Any) -> VideoGeneration:
    """A VideoGeneration; `changes` are fields of `metadata` or of `spec`, by their Python names."""
    metadata = {"name": "dawn", "namespace": "films", "uid": "uid-1", "generation": 1, "creation_timestamp": NOW}
    metadata |= {name: value for name, value in changes.items() if name in _METADATA}
    spec = {"prompt": PROMPT} | {name: value for name, value in changes.items() if name not in _METADATA}
    return VideoGeneration(
        metadata=ObjectMeta.model_validate(metadata), spec=Spec.model_validate(spec), status=status or Status()
    )


def make_tier(name: str = "720p", **changes: Any) -> Tier:
    """A tier; 720p unless named otherwise."""
    fields = {
        "name": name,
        "first_poll_seconds": 40,
        "overdue_after_seconds": 180,
        "durations_seconds": (4, 6, 8),
        "sizes": {"16:9": "1280x720", "9:16": "720x1280"},
    }
    return Tier.model_validate(fields | changes)


def make_class(
    name: str = CLASS,
    *,
    generation: int = 1,
    annotations: Mapping[str, str] | None = None,
    uid: str = "class-uid",
    endpoints: tuple[str, ...] = (ENDPOINT,),
    storage: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    status: ClassStatus | None = None,
    **changes: Any,
) -> VideoGenerationClass:
    """A class with two models and two tiers; `changes` are fields of its `spec`."""
    gateway = OpenAIVideos.model_validate({"endpoints": endpoints, "api_key_secret_ref": {"name": "veo-key"}})
    spec: dict[str, Any] = {
        "provider": Provider(open_ai_videos=gateway),
        "models": (
            OfferedModel(name="fast", api_model="veo-3.1-fast-generate-preview", price_usd=PRICE),
            OfferedModel(
                name="best", api_model="veo-3.1-generate-preview", price_usd=Decimal("1.20"), tiers=("1080p",)
            ),
        ),
        "tiers": (
            make_tier(),
            make_tier("1080p", durations_seconds=(8,), sizes={"16:9": "1920x1080"}, resolution="full-hd"),
        ),
        "defaults": Defaults(model="fast", tier="720p", aspect_ratio="16:9", duration_seconds=4),
        "limits": Limits.model_validate(limits or {}),
        "storage": Storage(s3=S3.model_validate({"bucket": "videos", "prefix": "veo/"} | dict(storage or {}))),
    }
    metadata = ObjectMeta(name=name, uid=uid, generation=generation, annotations=annotations or {})
    return VideoGenerationClass(
        metadata=metadata, spec=ClassSpec.model_validate(spec | changes), status=status or ClassStatus()
    )


def with_reservations(klass: VideoGenerationClass, *entries: Reservation) -> VideoGenerationClass:
    """The class with these entries in its status."""
    return klass.model_copy(update={"status": klass.status.model_copy(update={"reservations": entries})})


def make_reservation(attempt: AttemptId, **changes: Any) -> Reservation:
    """An entry of a class's reservations."""
    fields = {"attempt": attempt.entry, "amount_usd": PRICE, "time": NOW, "writer": "pod-1"}
    return Reservation.model_validate(fields | changes)


# ---------------------------------------------------------------- what was ordered


def folder_id(revision: int = 1) -> FolderId:
    """The folder of `make_generation()`."""
    return FolderId("films", "dawn", revision)


def attempt_id(number: int = 1, revision: int = 1) -> AttemptId:
    """An attempt of `make_generation()`."""
    return folder_id(revision).attempt(number)


def make_offer(obj: VideoGeneration | None = None, klass: VideoGenerationClass | None = None) -> admission.Offer:
    """What the class makes of the object; it must not refuse it."""
    obj = obj or make_generation()
    folder = FolderId(obj.metadata.namespace, obj.metadata.name, obj.spec.revision)
    offered = admission.offer(obj.spec, klass or make_class(), folder, None)
    if isinstance(offered, admission.Refusal):
        raise TypeError(offered.message)
    return offered


@cache
def _plain_offer(revision: int = 1) -> admission.Offer:
    return make_offer(make_generation(revision=revision))


@cache
def _plain_class() -> VideoGenerationClass:
    return make_class()


def make_request(**changes: Any) -> Request:
    """The request of `make_generation()` through `make_class()`."""
    return _plain_offer().request.model_copy(update=changes)


def make_resolved(**changes: Any) -> Resolved:
    """The resolved values of `make_generation()` through `make_class()`."""
    return _plain_offer().resolved.model_copy(update=changes)


REFUSAL: Final = admission.Refusal(reason=Reason.PRICE_ABOVE_MAX, message="too dear")


# ---------------------------------------------------------------- the ledger


def an_intent(number: int = 1, revision: int = 1, **changes: Any) -> Intent:
    """About to send what `make_generation()` asks for, as another process wrote it."""
    offer = _plain_offer(revision)
    fields = {
        "attempt": f"r{revision}-a{number}",
        "ticket": f"ticket-{number}",
        "time": NOW,
        "uid": "uid-1",
        "class_": CLASS,
        "endpoint": ENDPOINT,
        "request": offer.request,
        "resolved": offer.resolved,
    }
    return Intent.model_validate(fields | changes)


def a_closing(number: int = 1, revision: int = 1) -> Intent:
    """An intent that only says that nobody sends this attempt."""
    return Intent(attempt=f"r{revision}-a{number}", ticket=f"closing-{number}", time=NOW, closing=True)


def a_task(number: int = 1, revision: int = 1, **changes: Any) -> Task:
    """The task of an attempt."""
    fields = {"attempt": f"r{revision}-a{number}", "task_id": f"task-{number}", "endpoint": ENDPOINT, "time": NOW}
    return Task.model_validate(fields | changes)


def an_end(number: int = 1, revision: int = 1, **changes: Any) -> End:
    """An attempt that failed and was not billed."""
    fields = {
        "attempt": f"r{revision}-a{number}",
        "state": AttemptState.FAILED,
        "billing": Billing.NOT_BILLED,
        "reason": Reason.GENERATION_FAILED,
        "again": Again.COUNTED,
        "time": NOW,
        "detail": "no capacity",
    }
    return End.model_validate(fields | changes)


def not_sent(number: int = 1, revision: int = 1) -> End:
    """An attempt of which no byte left."""
    return an_end(number, revision, state=AttemptState.NOT_SENT, reason="NotSent", again=Again.FREE, detail="")


def given_up(number: int = 1, state: AttemptState = AttemptState.ABANDONED, **changes: Any) -> End:
    """An attempt that may have been billed and was given up."""
    fields = {"state": state, "billing": Billing.POSSIBLE, "reason": state.value, "again": Again.NEVER}
    return an_end(number, **(fields | changes))


def an_answer(answer: Answer, number: int = 1, revision: int = 1) -> Resolution:
    """A person's answer to an unknown outcome."""
    return Resolution(attempt=f"r{revision}-a{number}", answer=answer, time=NOW)


def an_output(revision: int = 1, **changes: Any) -> Output:
    """A stored video."""
    key = f"veo/films/dawn/r{revision}/dawn.mp4"
    fields = {
        "revision": revision,
        "uri": f"s3://videos/{key}",
        "url": f"https://videos.example/{key}",
        "bucket": "videos",
        "key": key,
        "size_bytes": 1_000_000,
        "sha256": "ab" * 32,
        "duration_seconds": 4,
        "duration_millis": 4000,
        "width_pixels": 1280,
        "height_pixels": 720,
        "content_credentials": ContentCredentials.ABSENT,
        "stored_time": NOW,
    }
    return Output.model_validate(fields | changes)


def a_result(number: int = 1, revision: int = 1, **changes: Any) -> Result:
    """The commit mark of a revision's video."""
    fields = {
        "attempt": f"r{revision}-a{number}",
        "task_id": f"task-{number}",
        "class_": CLASS,
        "cost_usd": PRICE,
        "request": make_request(),
        "resolved": make_resolved(),
        "submit_time": NOW,
        "completion_time": NOW,
        "output": an_output(revision),
    }
    return Result.model_validate(fields | changes)


def make_folder(*documents: Intent | Task | End | Resolution | Result, revision: int = 1) -> Folder:
    """The folder that holds these files; each says itself which attempt it is about."""
    folder = Folder(id=folder_id(revision))
    for document in documents:
        if isinstance(document, Result):
            folder = folder.with_result(document)
        else:
            number = int(document.attempt.rsplit("-a", 1)[1])
            folder = folder.with_file(number, document)
    return folder


# ---------------------------------------------------------------- how an object stands


def make_attempt(number: int = 1, revision: int = 1, **changes: Any) -> Attempt:
    """An item of `status.attempts`: about to be sent."""
    fields = {"id": f"r{revision}-a{number}", "state": AttemptState.INTENT, "intent_time": NOW}
    return Attempt.model_validate(fields | changes)


def make_status(
    step: Step | None = None, reason: Reason = Reason.QUEUED, *, message: str = "", generation: int = 1, **changes: Any
) -> Status:
    """A status that shows a step; `changes` are its other fields."""
    shown: dict[str, Any] = {}
    if step is not None:
        standing = Standing(step=step, reason=reason, message=message)
        shown["conditions"] = conditions.conditions(standing, generation=generation, now=NOW)
        shown["observed_generation"] = generation
    return Status.model_validate({**shown, **changes})


def submitted_status(*attempts: Attempt, step: Step = Step.SUBMITTING, **changes: Any) -> Status:
    """The status of an object whose newest attempt is the last of `attempts`."""
    newest = attempts[-1]
    revision = int(newest.id[1:].split("-")[0])
    fields: dict[str, Any] = {
        "submitted_revision": revision,
        "attempt": newest.id,
        "attempts": attempts,
        "ledger": f"s3://videos/veo/films/dawn/r{revision}/",
        "request_hash": _plain_offer(revision).request.hash,
        "resolved": _plain_offer(revision).resolved,
        "class_": {"name": CLASS, "uid": "class-uid", "generation": 1},
        "start_time": NOW,
        "task_id": newest.task_id,
        "submit_time": newest.submit_time,
    }
    return make_status(step, Reason(changes.pop("reason", step.value)), **(fields | changes))


def a_submitted(number: int = 1, revision: int = 1, **changes: Any) -> Attempt:
    """An item of `status.attempts` with a task."""
    fields = {
        "state": AttemptState.SUBMITTED,
        "task_id": f"task-{number}",
        "endpoint": ENDPOINT,
        "submit_time": NOW,
    }
    return make_attempt(number, revision, **(fields | changes))


# ---------------------------------------------------------------- a decision


def make_job(obj: VideoGeneration | None = None, folder: Folder | None = None, **changes: Any) -> Job:
    """All that a decision rests on: the class is there, the offer is what it makes of the object."""
    obj = obj or make_generation()
    klass = changes.pop("klass", _plain_class())
    fields: dict[str, Any] = {
        "folder": folder,
        "folder_read": TICKS,
        "ledger_uri": f"s3://videos/veo/films/dawn/r{active_revision(obj)}/" if klass else "",
    }
    if klass is not None and "offer" not in changes:
        metadata = obj.metadata
        folder_name = FolderId(metadata.namespace, metadata.name, obj.spec.revision)
        fields["offer"] = admission.offer(obj.spec, klass, folder_name, None)
    return Job(obj=obj, klass=klass, **(fields | changes))


# ---------------------------------------------------------------- a pursuit


def make_pace(**changes: float) -> Pace:
    """The pace of `make_class()`'s 720p with the process's usual seconds."""
    fields = {
        "early": 10.0,
        "first_poll": 40.0,
        "period": 10.0,
        "overdue_after": 180.0,
        "slow": 60.0,
        "content_retry": 4.0,
        "copy_trouble": 30.0,
        "storage_warning": 300.0,
        "abandon_after": 86400.0,
        "give_up_span": 3600.0,
    }
    return Pace(**(fields | changes))


def make_pursuit(**changes: Any) -> Pursuit:
    """The work on `a_task()`, made at `NOW`, due at once."""
    fields: dict[str, Any] = {"attempt": attempt_id(), "task": a_task(), "resolved": make_resolved(), "due": TICKS}
    return Pursuit(**(fields | changes))
