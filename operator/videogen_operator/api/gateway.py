"""A gateway: where it is, what it offers at which price, and how long that takes."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from .fields import URL, Name, Pixels, Seconds, SecretKeyRef, TierName
from .meta import LIST_SET, Model, Rule, cel
from .money import Money


class ServerErrors(StrEnum):
    """What the gateway's own 500 or 503 to a submission means for the bill."""

    NOT_BILLED = "NotBilled"
    POSSIBLE = "Possible"


class OpenAIVideos(Model):
    """A gateway that speaks POST /videos, GET /videos/{id} and GET /videos/{id}/content."""

    endpoints: Annotated[
        tuple[Annotated[str, Field(max_length=256, pattern=rf"^{URL}$")], ...],
        Field(min_length=1, max_length=8, json_schema_extra=LIST_SET),
    ]
    """Base URLs up to and with the version, such as https://api.apiyi.com/v1: one account behind all of them. The
    second and later ones are tried only when no connection was made, never after an answer was lost: that would be
    a second order. No trailing slash, user or query. The key is sent to these hosts and no others."""
    api_key_secret_ref: SecretKeyRef
    """Where the API key is: a Secret in the operator's namespace."""
    server_errors: ServerErrors = ServerErrors.POSSIBLE
    """What the gateway's own JSON error with 500 or 503 means when a video is ordered. NotBilled: its terms say that
    it is free, so the order is sent again, a few times. Possible: it may be billed, so the object is Held for a
    person."""
    submit_timeout_seconds: Annotated[int, Field(ge=30, le=600)] = 120
    """How long the answer to an order is waited for, 30 to 600 s. An order whose answer did not come may be billed and
    is Held, so too short costs money: some gateways answer after a minute. Above 120 s raise the chart's
    terminationGracePeriodSeconds too, to 30 s more than this."""
    poll_period_seconds: Annotated[int, Field(ge=1, le=600)] = 10
    """The time between two status checks of a task, 1 to 600 s. Polls are free; gateways ask for 5 to 10 s."""


class Provider(Model):
    """The gateway that makes the videos."""

    type: Literal["OpenAIVideos"] = "OpenAIVideos"
    """The protocol. There is one; APIYI, new-api, LiteLLM and vLLM-Omni speak it."""
    open_ai_videos: OpenAIVideos


class OfferedModel(Model):
    """A model and its price."""

    name: Name
    """What users write in spec.model."""
    api_model: Annotated[str, Field(min_length=1, max_length=128)]
    """The gateway's id of the model. Users may write it in spec.model too."""
    price_usd: Money
    """The price of one video in US dollars, as a decimal string such as "0.30": what is reserved before an order,
    shown as cost, and compared with maxCostUSD. The gateway's bill is what counts: keep it up to date."""
    tiers: Annotated[tuple[TierName, ...], Field(min_length=1, max_length=16, json_schema_extra=LIST_SET)] | None = None
    """The tiers that this model can make. Left out: all of the class."""

    def makes(self, tier: str) -> bool:
        """Whether the model can make the tier."""
        return self.tiers is None or tier in self.tiers


class Tier(Model):
    """A resolution, the lengths it is made in and how long that takes."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            Rule(
                rule="self.firstPollSeconds < self.overdueAfterSeconds",
                message="overdueAfterSeconds must be more than firstPollSeconds",
            ),
            Rule(
                rule="self.sizes.all(aspect, aspect.matches('^[0-9]{1,2}:[0-9]{1,2}$'))",
                message='sizes must be keyed by aspect ratio, such as "16:9": 1920x1080',
                field_path=".sizes",
            ),
        )
    )

    name: TierName
    """What users write in spec.tier."""
    resolution: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    """The gateway's word for the resolution. Left out: the name."""
    first_poll_seconds: Annotated[int, Field(ge=0, le=86400)]
    """When, after the order, the first regular status check is made: about the shortest time that such a video takes.
    (One early check comes at 10 s, since refusals come early.)"""
    overdue_after_seconds: Annotated[int, Field(ge=1, le=604800)]
    """When, after the order, a video is late. It is then flagged and checked once a minute; it is never ordered again
    and never given up for that."""
    durations_seconds: Annotated[tuple[Seconds, ...], Field(min_length=1, max_length=32, json_schema_extra=LIST_SET)]
    """The lengths that the gateway makes in this resolution, in seconds. Ordering another one can be billed for a
    video of the wrong length, so it is refused."""
    sizes: Annotated[Mapping[str, Pixels], Field(min_length=1, max_length=16)]
    """The aspect ratios that are made, each with its pixels: "16:9": 1920x1080. The stored file is checked against
    them."""

    @property
    def wire_resolution(self) -> str:
        """The gateway's word for the resolution."""
        return self.resolution or self.name

    def pixels(self, aspect_ratio: str) -> tuple[int, int]:
        """Width and height of an aspect ratio that is in `sizes` (KeyError otherwise)."""
        width, height = self.sizes[aspect_ratio].split("x")
        return int(width), int(height)
