"""What all kinds share: names, keys, times, conditions and the base of the models.

The models are the source of the CRDs (`hack/generate_crds.py`): attribute docstrings become the
descriptions that `kubectl explain` shows, constraints become the bounds that the API server enforces.
At run time they read leniently (unknown fields are dropped), because stored objects outlive a schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.config import JsonDict

GROUP: Final = "videogen.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

_WORDS_IN_CAPITALS: Final = frozenset({"usd", "id", "url", "ai"})


@dataclass(frozen=True, slots=True)
class Key:
    """Names one object in the cluster; `namespace` is empty for a cluster-scoped kind."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """namespace/name, as logs and events print it."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def wire_name(attribute: str) -> str:
    """The JSON name of a Python attribute: `max_cost_usd` is `maxCostUSD`, `class_` is `class`."""
    first, *rest = attribute.rstrip("_").split("_")
    return first + "".join(word.upper() if word in _WORDS_IN_CAPITALS else word.capitalize() for word in rest)


def to_wire(time: datetime) -> str:
    """RFC 3339 in UTC, whole seconds: what a date-time field of Kubernetes holds."""
    return time.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _whole_seconds(time: datetime) -> datetime:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0)


Time = Annotated[datetime, AfterValidator(_whole_seconds), PlainSerializer(to_wire, return_type=str)]
"""A moment in UTC, cut to whole seconds on the way in, a date-time string on the wire."""


class Model(BaseModel):
    """Base of everything the API server stores: frozen, camelCase on the wire, lenient when read."""

    model_config = ConfigDict(
        frozen=True,
        hide_input_in_errors=True,  # the input may hold a prompt, and errors are logged
        extra="ignore",
        alias_generator=wire_name,
        populate_by_name=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )

    def wire(self) -> dict[str, Any]:
        """The JSON form: camelCase, times and money as strings, nothing that is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One CEL rule of a schema and what its refusal tells the user to do."""

    rule: str
    message: str
    reason: str = ""
    field_path: str = ""

    def schema(self) -> JsonDict:
        """The entry in `x-kubernetes-validations`."""
        entry: JsonDict = {"rule": self.rule, "message": self.message}
        if self.reason:
            entry["reason"] = self.reason
        if self.field_path:
            entry["fieldPath"] = self.field_path
        return entry


def cel(*rules: Rule) -> JsonDict:
    """Schema text that makes the API server enforce the rules; for `json_schema_extra`."""
    return {"x-kubernetes-validations": [rule.schema() for rule in rules]}


def list_map(key: str) -> JsonDict:
    """Schema text of a list whose items are told apart by one of their fields."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


LIST_SET: Final[JsonDict] = {"x-kubernetes-list-type": "set"}


def _text(limit: int) -> PlainSerializer:
    """Cuts a text to what the schema takes: a long message must never make a status write fail."""
    return PlainSerializer(lambda text: text if len(text) <= limit else text[: limit - 3] + "...", return_type=str)


Message = Annotated[str, _text(4096), Field(json_schema_extra={"maxLength": 4096})]
ShortMessage = Annotated[str, _text(1024), Field(json_schema_extra={"maxLength": 1024})]
Reason = Annotated[str, Field(json_schema_extra={"maxLength": 128})]

Labels: TypeAlias = Mapping[str, str]


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One statement about the object, in the form all Kubernetes tools read."""

    type: Annotated[str, Field(max_length=64)]
    """What the statement is about, such as Ready. The page of the kind lists all types."""
    status: ConditionStatus
    """True, False or Unknown. Unknown means that work on it is going on."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The metadata.generation that the statement was made for."""
    last_transition_time: Time
    """When `status` last changed (UTC)."""
    reason: Reason
    """One word for programs. The page of the kind lists all reasons."""
    message: Message = ""
    """For people: what happened, what it cost, what to do next. Never holds a prompt or a key."""


class ObjectMeta(Model):
    """The part of an object's metadata that the operator reads. It never writes any of it."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    annotations: Labels = Field(default_factory=dict)
    labels: Labels = Field(default_factory=dict)
