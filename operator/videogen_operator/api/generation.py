"""VideoGeneration: one video, bought once per revision and stored in a bucket."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from .generation_status import (
    Attempt,
    AttemptState,
    Billing,
    ContentCredentials,
    Cost,
    Output,
    PastOutput,
    Resolved,
    Status,
    UsedClass,
)
from .meta import API_VERSION, Key, Model, ObjectMeta, Rule, cel
from .money import Money

__all__ = [
    "KIND",
    "MONEY_LOCK",
    "PAID_FIELDS",
    "PLURAL",
    "RESOLVE_ANNOTATION",
    "Attempt",
    "AttemptState",
    "Billing",
    "ClassRef",
    "ContentCredentials",
    "Cost",
    "Output",
    "PastOutput",
    "Resolved",
    "RetryPolicy",
    "Spec",
    "Status",
    "UsedClass",
    "VideoGeneration",
]

KIND: Final = "VideoGeneration"
PLURAL: Final = "videogenerations"

RESOLVE_ANNOTATION: Final = "videogen.dev/resolve"
"""A person's answer to an unknown outcome: `r1-a1:adopt=<taskID>`, `r1-a1:resubmit` or `r1-a1:abandon`."""

PAID_FIELDS: Final = (
    "classRef",
    "model",
    "tier",
    "aspectRatio",
    "durationSeconds",
    "prompt",
    "negativePrompt",
    "seed",
)
"""The fields of `spec`, by wire name, that decide what the money buys: the one list behind lock, hash and request."""


def _unchanged(field: str) -> str:
    """CEL: the field of `spec` is what it was; unset and set are different."""
    new, old = f"self.spec.{field}", f"oldSelf.spec.{field}"
    return f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"


MONEY_LOCK: Final = Rule(
    rule=(
        "!has(oldSelf.status) || !has(oldSelf.status.submittedRevision)"
        " || self.spec.revision > oldSelf.status.submittedRevision"
        f" || ({' && '.join(_unchanged(field) for field in PAID_FIELDS)})"
    ),
    message=(
        "this revision was already submitted and may be billed; to pay for a new video, "
        "raise spec.revision in the same change"
    ),
    reason="FieldValueForbidden",
    field_path=".spec",
)
NAME_IS_A_FOLDER: Final = Rule(
    rule="size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')",
    message=(
        "metadata.name must be at most 63 characters without a dot: it names a folder in the bucket; use a-z, 0-9 and -"
    ),
)
REVISION_GROWS: Final = Rule(
    rule="self.revision >= oldSelf.revision",
    message="revision can only grow: each revision is one paid video; to get an earlier one, look in status.history",
)


class ClassRef(Model):
    """Which class a request goes through."""

    kind: Literal["VideoGenerationClass"] = "VideoGenerationClass"
    """The kind of the class. There is one."""
    name: Annotated[str, Field(min_length=1, max_length=63)]
    """The name of the class: `kubectl get vgclass` lists them."""


class RetryPolicy(Model):
    """What is done after an attempt that failed and is known to be free: it is sent again, a few times."""

    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How many attempts may reach the gateway, the first one included. Only an attempt that is known not to be
    billed (an internal error, no capacity) is followed by another; a refused prompt never is. Attempts that were
    not sent, or were turned away for rate, key or balance, do not count. Costs nothing: at most one is billed."""


class Spec(Model):
    """The video that is wanted. What decides the content is locked once the revision is submitted; raise `revision`
    to pay for another video. Set model, tier, aspectRatio and durationSeconds in manifests that are kept in Git:
    a changed default of the class would make the same manifest another request, which is refused, not paid again.
    """

    model_config = ConfigDict(json_schema_extra=cel(REVISION_GROWS))

    class_ref: ClassRef | None = None
    """The class: whose gateway, key, prices and bucket are used. Left out: the default class, the one with the
    annotation videogen.dev/is-default-class. Locked once submitted."""
    model: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """The model: a name from the class's `models`, or the upstream id listed there. It alone decides the price
    (`kubectl get vgclass NAME -o yaml` shows it). Left out: the class's default. Locked once submitted."""
    prompt: Annotated[str, Field(min_length=1, max_length=8192)]
    """What is to be seen and heard, in words; wishes for sound and speech belong here too. 1 to 8192 characters; a
    model may take fewer. Never copied to logs, events, status or the bucket. Locked once submitted."""
    negative_prompt: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """What is not to be seen, in words, such as "text, watermark". Locked once submitted."""
    tier: Annotated[str, Field(max_length=32, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")] | None = None
    """The resolution: a name from the class's `tiers`, such as 720p, 1080p or 4k. It does not change the price, but
    how long the video takes (4k: several minutes) and which lengths there are. Left out: the class's default.
    Locked once submitted."""
    aspect_ratio: Annotated[str, Field(max_length=5, pattern=r"^[0-9]{1,2}:[0-9]{1,2}$")] | None = None
    """Width to height, one that the tier lists, such as "16:9" or "9:16". Left out: the class's default. Locked once
    submitted."""
    duration_seconds: Annotated[int, Field(ge=1, le=600)] | None = None
    """The length, one that the tier lists: often 4, 6 or 8, and only 8 in 1080p and 4k. It does not change the price.
    Left out: the class's default. Locked once submitted."""
    seed: Annotated[int, Field(ge=0, le=4294967295)] | None = None
    """0 to 4294967295. Left out: derived from namespace, name, revision and prompt, so that each revision is a new
    take; status.resolved.seed shows it. Set it to keep a draft's look: raise `revision` for the final and leave the
    seed as it is. Locked once submitted."""
    revision: Annotated[int, Field(ge=1, le=2147483647)] = 1
    """Raise it to pay for a new video of this object, with or without other changes. It can only grow. Each revision
    that is submitted costs the model's price once; earlier outputs stay in the bucket and in status.history."""
    suspend: bool = False
    """true keeps an object that is not submitted yet from being submitted, and stops further attempts. What is
    already submitted is polled and stored all the same: it may be billed."""
    max_cost_usd: Money | None = None
    """The most this video may cost, in US dollars, as a decimal string such as "0.30". A class whose price is higher
    is refused, at no cost. It is a guard on the price of one video, not a sum over revisions."""
    retry_policy: RetryPolicy = Field(default_factory=RetryPolicy)


class VideoGeneration(Model):
    """One AI video, bought through a class's gateway, verified, and stored in its bucket as an MP4. Never paid twice:
    the same request applied again, also after a deletion or in a rebuilt cluster, adopts the video it already paid
    for. `kubectl wait --for=condition=Finished` returns when it succeeded or failed.
    """

    model_config = ConfigDict(json_schema_extra=cel(NAME_IS_A_FOLDER, MONEY_LOCK))

    api_version: str = API_VERSION
    kind: str = KIND
    metadata: ObjectMeta
    spec: Spec
    status: Status = Field(default_factory=Status)

    @property
    def key(self) -> Key:
        """Names this object in the cluster."""
        return Key(KIND, self.metadata.namespace, self.metadata.name)
