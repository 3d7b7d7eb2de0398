"""VideoGenerationClass: a gateway account, its prices and the bucket, as one object of the administrator.

Everything about a gateway is data here: models, tiers, lengths and prices change without a new version of the operator.
"""

from typing import Annotated, Final

from pydantic import ConfigDict, Field

from .fields import AspectRatio, Name, Seconds, SecretKeyRef, SecretRef, TierName
from .gateway import OfferedModel, OpenAIVideos, Provider, ServerErrors, Tier
from .meta import API_VERSION, Condition, Key, Model, ObjectMeta, Rule, Time, cel, list_map
from .money import Money
from .namespaces import AllowedNamespaces, From, LabelSelector, Requirement
from .storage import S3, S3Credentials, Storage

__all__ = [
    "IS_DEFAULT_ANNOTATION",
    "KIND",
    "MAX_RESERVATIONS",
    "PLURAL",
    "S3",
    "AllowedNamespaces",
    "Defaults",
    "From",
    "LabelSelector",
    "Limits",
    "OfferedModel",
    "OpenAIVideos",
    "Provider",
    "Requirement",
    "Reservation",
    "S3Credentials",
    "SecretKeyRef",
    "SecretRef",
    "ServerErrors",
    "Spec",
    "Status",
    "Storage",
    "Tier",
    "VideoGenerationClass",
]

KIND: Final = "VideoGenerationClass"
PLURAL: Final = "videogenerationclasses"

IS_DEFAULT_ANNOTATION: Final = "videogen.dev/is-default-class"
MAX_RESERVATIONS: Final = 2000

NAME_IS_IN_THE_LEDGER: Final = Rule(
    rule="size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')",
    message="metadata.name must be at most 63 characters without a dot; use a-z, 0-9 and -",
)


class Defaults(Model):
    """What an object that leaves a field out gets. Changing one makes such objects, if they are created anew, another
    request than before: it is then refused rather than paid again.
    """

    model: Name
    """A name in `models`."""
    tier: TierName
    """A name in `tiers`."""
    aspect_ratio: AspectRatio
    """An aspect ratio of that tier."""
    duration_seconds: Seconds
    """A length of that tier."""


class Limits(Model):
    """How much may be under way at once. These bound what an accident can cost."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            Rule(
                rule="self.submitConcurrency <= self.maxInFlight",
                message="submitConcurrency must not be more than maxInFlight",
            )
        )
    )

    submit_concurrency: Annotated[int, Field(ge=1, le=32)] = 2
    """How many orders may be waiting for their answer at once, 1 to 32. It is also the largest number of orders
    whose outcome one crash can leave unknown, each of which may be billed."""
    max_in_flight: Annotated[int, Field(ge=1, le=500)] = 10
    """How many tasks may be open at the gateway at once, 1 to 500; the others queue, in order. Stay below the
    account's own limit, and divide it between classes that share an account."""
    slot_seconds: Annotated[int, Field(ge=1, le=604800)] = 3600
    """How long a task counts against maxInFlight at most. An older one is still checked and stored, and its money
    still counted."""
    max_output_bytes: Annotated[int, Field(ge=1024, le=5368709120)] = 2147483648
    """The largest video that is copied, in bytes, 1 KiB to 5 GiB (the most that one PUT takes). A larger one waits
    until this is raised; it is paid for and not given up."""


_ONE_MODEL_A_NAME: Final = Rule(
    rule=(
        "self.models.all(m, self.models.filter(n, n.name == m.name || n.name == m.apiModel"
        " || n.apiModel == m.name || n.apiModel == m.apiModel).size() == 1)"
    ),
    message="each name and each apiModel must identify one model",
    field_path=".models",
)
_MODELS_NAME_TIERS: Final = Rule(
    rule="self.models.all(m, !has(m.tiers) || m.tiers.all(name, self.tiers.exists(t, t.name == name)))",
    message="models[].tiers must be names in tiers",
    field_path=".models",
)
_DEFAULT_MODEL: Final = Rule(
    rule=("self.models.exists(m, m.name == self.defaults.model && (!has(m.tiers) || self.defaults.tier in m.tiers))"),
    message="defaults.model must be a name in models, of a model that makes defaults.tier",
    field_path=".defaults.model",
)
_DEFAULT_TIER: Final = Rule(
    rule=(
        "self.tiers.exists(t, t.name == self.defaults.tier"
        " && self.defaults.durationSeconds in t.durationsSeconds && self.defaults.aspectRatio in t.sizes)"
    ),
    message="defaults must name a tier with that aspectRatio and durationSeconds",
    field_path=".defaults",
)
_ABANDONED_AFTER_OVERDUE: Final = Rule(
    rule="self.tiers.all(t, t.overdueAfterSeconds <= self.abandonAfterSeconds)",
    message="abandonAfterSeconds must be at least the overdueAfterSeconds of every tier",
    field_path=".abandonAfterSeconds",
)


class Spec(Model):
    """A gateway account with its prices, and the bucket that videos go to. Who may write classes spends the money."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            _ONE_MODEL_A_NAME, _MODELS_NAME_TIERS, _DEFAULT_MODEL, _DEFAULT_TIER, _ABANDONED_AFTER_OVERDUE
        )
    )

    allowed_namespaces: AllowedNamespaces = Field(default_factory=AllowedNamespaces)
    provider: Provider
    models: Annotated[tuple[OfferedModel, ...], Field(min_length=1, max_length=32, json_schema_extra=list_map("name"))]
    """The models that are offered, with their prices."""
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=16, json_schema_extra=list_map("name"))]
    """The resolutions that are offered, with their lengths and times."""
    defaults: Defaults
    abandon_after_seconds: Annotated[int, Field(ge=1, le=2592000)] = 86400
    """When, after the order, a task that cannot be brought to an end may be given up (default a day, at most 30). It
    also takes three clear answers of the gateway over an hour; an outage gives up nothing. What was given up may have
    been billed and is shown so; it is never ordered again by itself."""
    limits: Limits = Field(default_factory=Limits)
    storage: Storage

    def find_model(self, name: str) -> OfferedModel | None:
        """The model that a user means: by its name or by its upstream id."""
        return next((model for model in self.models if name in (model.name, model.api_model)), None)

    def find_tier(self, name: str) -> Tier | None:
        """The tier of that name."""
        return next((tier for tier in self.tiers if tier.name == name), None)


class Reservation(Model):
    """A slot and its price, held by one attempt from before its order until its end is recorded."""

    attempt: Annotated[str, Field(max_length=160)]
    """<namespace>/<name>/r<revision>/a<number>."""
    amount_usd: Money
    """The price, in US dollars."""
    time: Time
    """When it was reserved (UTC)."""
    writer: Annotated[str, Field(max_length=128)]
    """The process that reserved it."""


class Status(Model):
    """What is under way. Written by the operator only."""

    observed_generation: int = -1
    """The metadata.generation that this status is about. -1: the operator has not seen the class yet."""
    initialized_time: Time | None = None
    """When the reservations were first rebuilt from the ledger in the bucket (UTC). Nothing is spent before."""
    in_flight: Annotated[int, Field(ge=0)] | None = None
    """How many attempts hold a slot, as of the last change of the reservations."""
    queued: Annotated[int, Field(ge=0)] | None = None
    """How many objects wait for a slot, as of the last change of the reservations."""
    reservations: Annotated[
        tuple[Reservation, ...], Field(max_length=MAX_RESERVATIONS, json_schema_extra=list_map("attempt"))
    ] = ()
    """The attempts that hold a slot or money. Do not edit: this is what keeps spending within the limits."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16, json_schema_extra=list_map("type"))] = ()
    """Ready (new work may start), CredentialsValid, StorageReady, SpendingOpen, ModelsAvailable."""


class VideoGenerationClass(Model):
    """A gateway account with its key, models and prices, and the bucket that its videos go to. Users name it in
    spec.classRef; the annotation videogen.dev/is-default-class: "true" makes it the one that is used without.
    """

    model_config = ConfigDict(json_schema_extra=cel(NAME_IS_IN_THE_LEDGER))

    api_version: str = API_VERSION
    kind: str = KIND
    metadata: ObjectMeta
    spec: Spec
    status: Status = Field(default_factory=Status)

    @property
    def key(self) -> Key:
        """Names this class in the cluster."""
        return Key(KIND, "", self.metadata.name)

    @property
    def is_default(self) -> bool:
        """Whether objects without a classRef use it."""
        return self.metadata.annotations.get(IS_DEFAULT_ANNOTATION) == "true"
