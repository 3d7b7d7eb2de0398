"""The body of the POST that costs money: a table of styles, because gateways read different fields.

Only what `VideoRequest` holds reaches the wire. `generateAudio` is never among it: the channel of record
(APIYI, VEO 3.1 Official) passes it on and Google refuses it with INVALID_ARGUMENT.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    """What one submission buys, in the upstream's own words."""

    api_model: str  # the upstream's model ID
    prompt: str
    negative_prompt: str | None
    resolution: str  # such as "720p"
    aspect_ratio: str  # such as "16:9"
    duration_seconds: int
    seed: int | None


class RequestStyle(StrEnum):
    """Which fields a gateway understands; a value of the class."""

    METADATA = "Metadata"


def body(style: RequestStyle, request: VideoRequest) -> bytes:
    """The JSON body, byte for byte the same for equal requests.

    A lone surrogate, which no API server stores, becomes a question mark rather than an error.
    """
    text = json.dumps(_BUILDERS[style](request), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _metadata(request: VideoRequest) -> dict[str, Any]:
    """Right under every reading of the contract of record, whose pages disagree about the length.

    The overview names `duration`, the text-to-video page `seconds`, both as strings (a number in either is
    refused while decoding); `metadata.durationSeconds`, a number, comes before both where it is read. So all
    three are sent, and are equal. What a gateway does not know it ignores.
    """
    seconds = str(request.duration_seconds)
    optional = {"negativePrompt": request.negative_prompt or None, "seed": request.seed}
    return {
        "model": request.api_model,
        "prompt": request.prompt,
        "duration": seconds,
        "seconds": seconds,
        "metadata": {
            "durationSeconds": request.duration_seconds,
            "resolution": request.resolution,
            "aspectRatio": request.aspect_ratio,
            **{name: value for name, value in optional.items() if value is not None},
        },
    }


_BUILDERS: Final[Mapping[RequestStyle, Callable[[VideoRequest], dict[str, Any]]]] = {
    RequestStyle.METADATA: _metadata,
}
