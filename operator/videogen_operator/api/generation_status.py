"""What a VideoGeneration shows: attempts, cost, output and conditions."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .meta import Condition, Model, Reason, ShortMessage, Time, list_map
from .money import ZERO, Money

AttemptID = Annotated[str, Field(max_length=32, pattern=r"^r[0-9]{1,10}-a[0-9]{1,5}$")]
TaskID = Annotated[str, Field(max_length=1024)]
Uri = Annotated[str, Field(max_length=2048)]
Sha256 = Annotated[str, Field(max_length=64)]


class AttemptState(StrEnum):
    """Where one submission stands."""

    INTENT = "Intent"
    NOT_SENT = "NotSent"
    REJECTED = "Rejected"
    UNKNOWN = "Unknown"
    SUBMITTED = "Submitted"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    TASK_LOST = "TaskLost"
    ABANDONED = "Abandoned"


class Billing(StrEnum):
    """What an attempt cost, as far as can be known."""

    NOT_BILLED = "NotBilled"
    BILLED = "Billed"
    POSSIBLE = "Possible"


class ContentCredentials(StrEnum):
    """Whether the file carries C2PA credentials."""

    PRESENT = "Present"
    ABSENT = "Absent"


class UsedClass(Model):
    """The class as it was when the revision was submitted."""

    name: Annotated[str, Field(max_length=63)]
    """Its name."""
    uid: Annotated[str, Field(max_length=64)]
    """Its UID: a class that is deleted and made again has another one."""
    generation: int
    """Its metadata.generation: which version of the class's spec was used."""


class Resolved(Model):
    """What was ordered, after the class's defaults. Later changes of the class do not alter it."""

    api_model: Annotated[str, Field(max_length=128)]
    """The upstream id of the model, as sent to the gateway."""
    tier: Annotated[str, Field(max_length=32)]
    """The tier of the class."""
    resolution: Annotated[str, Field(max_length=32)]
    """The tier's word on the wire."""
    aspect_ratio: Annotated[str, Field(max_length=5)]
    """Width to height."""
    duration_seconds: int
    """The length that was ordered."""
    seed: int
    """The seed that was sent, given or derived."""
    width_pixels: int
    """The width that the stored file is checked against."""
    height_pixels: int
    """The height that the stored file is checked against."""
    price_usd: Money
    """The price at the moment of the intent, in US dollars."""


class Attempt(Model):
    """One submission to the gateway: at most one POST was sent for it."""

    id: AttemptID
    """r<revision>-a<number>, such as r1-a1."""
    state: AttemptState
    """Intent: about to be sent. NotSent, Rejected: ended, no task was made. Unknown: sent, and no clear answer came
    back. Submitted: the gateway made a task. Completed, Failed, Canceled: the task's end. TaskLost, Abandoned: given
    up after the class's abandonAfterSeconds."""
    billing: Billing | None = None
    """Billed: costUSD was charged. NotBilled: it cost nothing. Possible: it may have been charged, look at the
    gateway's console. Unset while it is open."""
    task_id: TaskID | None = None
    """The gateway's name of the task."""
    endpoint: Annotated[str, Field(max_length=256)] | None = None
    """The endpoint that took the task; it is the one that is polled."""
    intent_time: Time | None = None
    """When it was recorded that this attempt would be sent (UTC)."""
    submit_time: Time | None = None
    """When the gateway's answer came (UTC)."""
    finish_time: Time | None = None
    """When the attempt ended (UTC)."""
    cost_usd: Money | None = None
    """What it cost, or may have cost, in US dollars."""
    reason: Reason | None = None
    """Why it ended as it did, one word."""
    message: ShortMessage | None = None
    """Why it ended as it did, the gateway's words included where they help. Never holds a prompt or a key."""


class Cost(Model):
    """What the requests of this object cost in all, over all revisions and attempts, in US dollars."""

    estimated_usd: Money = ZERO
    """What will have been paid when the present revision is done."""
    billed_usd: Money = ZERO
    """What was charged. Adopting a video that was paid for earlier shows its price without a new charge."""
    possible_usd: Money = ZERO
    """What may have been charged: attempts with an unknown outcome, and tasks that were given up."""


class Output(Model):
    """The stored video. All of it was measured on the bytes in the bucket, nothing is taken from an answer."""

    revision: int
    """The revision that it is the video of."""
    uri: Uri
    """Where it lies: s3://bucket/key."""
    url: Uri
    """Where it can be fetched: under the class's publicBaseURL, or the object's plain address at the store, which
    asks for credentials unless the bucket is public. Never a signed URL."""
    bucket: Annotated[str, Field(max_length=63)]
    """The bucket."""
    key: Annotated[str, Field(max_length=1024)]
    """The key in the bucket."""
    content_type: Annotated[str, Field(max_length=64)] = "video/mp4"
    """The media type it was stored with."""
    size_bytes: int
    """Its size in bytes."""
    sha256: Sha256
    """SHA-256 of its bytes, in hexadecimal."""
    duration_seconds: int
    """Its measured length, rounded to seconds."""
    duration_millis: int
    """Its measured length in milliseconds."""
    width_pixels: int
    """Its measured width."""
    height_pixels: int
    """Its measured height."""
    content_credentials: ContentCredentials
    """Present if the file carries C2PA content credentials; the bytes are never altered, so they stay valid."""
    stored_time: Time
    """When it was stored (UTC)."""


class PastOutput(Model):
    """The video of an earlier revision. It stays in the bucket until someone removes it there."""

    revision: int
    """The revision."""
    uri: Uri
    """Where it lies: s3://bucket/key."""
    url: Uri
    """Where it can be fetched."""
    sha256: Sha256
    """SHA-256 of its bytes, in hexadecimal."""
    size_bytes: int
    """Its size in bytes."""
    cost_usd: Money | None = None
    """What it cost, in US dollars."""
    stored_time: Time
    """When it was stored (UTC)."""


class Status(Model):
    """What became of it. Written by the operator only; programs should read the conditions and `output`."""

    observed_generation: int = -1
    """The metadata.generation that this status is about. -1: the operator has not seen the object yet."""
    phase: Annotated[str, Field(max_length=32)] | None = None
    """One word for people: Pending, Queued, Suspended, Submitting, Generating, Storing, Held, Succeeded or Failed.
    New words may be added; programs should read the conditions."""
    task_id: TaskID | None = None
    """The gateway's name of the newest attempt's task (its task_id)."""
    submitted_revision: Annotated[int, Field(ge=1)] | None = None
    """The newest revision whose submission was begun. From then on the fields that decide the content are locked."""
    attempt: AttemptID | None = None
    """The newest attempt, such as r1-a1; its record is in `attempts`."""
    ledger: Uri | None = None
    """The folder in the bucket that records what was bought for this revision, pinned when it was submitted."""
    request_hash: Annotated[str, Field(max_length=71)] | None = None
    """sha256: and the digest of the request in its canonical form. Equal hashes mean equal requests."""
    class_: UsedClass | None = None
    """The class as it was when the revision was submitted."""
    resolved: Resolved | None = None
    """What was ordered, after the class's defaults."""
    start_time: Time | None = None
    """When the operator first worked on the revision (UTC)."""
    submit_time: Time | None = None
    """When the gateway gave the task's id (UTC)."""
    completion_time: Time | None = None
    """When the revision was done, well or badly (UTC)."""
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=10, json_schema_extra=list_map("id"))] = ()
    """The submissions, oldest first. Ten are kept, the newest always; of a full list those that cost nothing go
    first, and the bucket keeps all."""
    cost: Cost | None = None
    """What this object's requests cost in all, in US dollars."""
    output: Output | None = None
    """The stored video of the newest revision that has one; `output.revision` says which."""
    history: Annotated[tuple[PastOutput, ...], Field(max_length=10, json_schema_extra=list_map("revision"))] = ()
    """The videos of earlier revisions, newest first, ten at most."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16, json_schema_extra=list_map("type"))] = ()
    """The state in the form that tools read: Ready (the video can be used), Accepted, Submitted, Generated, Stored,
    Succeeded, Finished (nothing more will happen by itself), Reconciling, Stalled."""
