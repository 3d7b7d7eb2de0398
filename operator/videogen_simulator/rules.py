"""The channel's rules for the parameters of a video: fields become an order, or are refused.

The channel's overview page decides (strings for lengths, the two orders of precedence, eight seconds
above 720p); where it is silent the rules are those of new-api's source, the gateway family it belongs to.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from . import images
from .answers import Answer, Refused, invalid_argument, task_error
from .bodies import Fields, Json, go_kind

LENGTHS = (4, 6, 8)
DEFAULT_SECONDS = 8
SIZES = {
    "1280x720": ("720p", "16:9"),
    "720x1280": ("720p", "9:16"),
    "1920x1080": ("1080p", "16:9"),
    "1080x1920": ("1080p", "9:16"),
    "3840x2160": ("4k", "16:9"),
    "2160x3840": ("4k", "9:16"),
}
PIXELS = {tier_and_aspect: size for size, tier_and_aspect in SIZES.items()}
TIERS = ("720p", "1080p", "4k")
ASPECTS = ("16:9", "9:16")
TEXT_FIELDS = ("model", "prompt", "size", "seconds", "duration")
JSON_FIELDS = frozenset({*TEXT_FIELDS, "metadata", *images.JSON_FIELDS})
METADATA_FIELDS = frozenset(
    {"durationSeconds", "resolution", "aspectRatio", "negativePrompt", "seed", "personGeneration"}
)
FORM_FIELDS = METADATA_FIELDS | {"model", "prompt", "size", "seconds", *images.FILE_FIELDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request as the gateway understood it: what would be made, and what was left out of account."""

    model: str
    prompt_sha256: str
    seconds: int
    resolution: str
    aspect_ratio: str
    size: str
    seed: int | None
    negative_prompt_sha256: str | None
    image_sha256: str | None
    images_dropped: int
    encoding: str
    ignored: tuple[str, ...]


def order(request: Fields) -> Order:
    """The order that the fields amount to. Raises `Refused` with the gateway's answer."""
    texts = text_fields(request)
    extras = extra_fields(request)
    refuse_audio_switch(request.values, extras)
    resolution, aspect = picture(texts["size"], extras)
    seconds = length(request, texts, extras)
    if resolution != "720p" and seconds != DEFAULT_SECONDS:
        raise Refused(invalid_argument(f"durationSeconds must be 8 for resolution {resolution}, got {seconds}."))
    image, dropped = images.first_image(request)
    negative = text_of(extras, "negativePrompt")
    return Order(
        model=texts["model"],
        prompt_sha256=digest(texts["prompt"]),
        seconds=seconds,
        resolution=resolution,
        aspect_ratio=aspect,
        size=PIXELS[resolution, aspect],
        seed=seed(extras),
        negative_prompt_sha256=digest(negative) if negative else None,
        image_sha256=hashlib.sha256(image).hexdigest() if image else None,
        images_dropped=dropped,
        encoding=request.encoding,
        ignored=ignored(request, extras),
    )


def text_fields(request: Fields) -> dict[str, str]:
    """The fields that are text in the gateway's struct, absent ones empty; model and prompt are required."""
    texts = {}
    for name in TEXT_FIELDS:
        value = request.values.get(name)
        if value is not None and not isinstance(value, str):
            raise Refused(unmarshal_error(value, "duration" if name == "seconds" else name, "string"))
        texts[name] = value or ""
    if not texts["model"]:
        raise Refused(task_error(400, "missing_model", "model field is required"))
    if not texts["prompt"].strip():
        raise Refused(task_error(400, "invalid_request", "prompt is required"))
    return texts


def unmarshal_error(value: Json, name: str, wanted: str) -> Answer:
    """The documented refusal of a wrong type. The channel's pages show it naming `duration` for `seconds` too."""
    text = f"json: cannot unmarshal {go_kind(value)} into Go struct field TaskSubmitReq.{name} of type {wanted}"
    return task_error(400, "parse_request_failed", text)


def extra_fields(request: Fields) -> Mapping[str, Json]:
    """`metadata` of a JSON body; a form has these fields flat, and its own `metadata` is not read."""
    if request.encoding != "json":
        return {name: value for name, value in request.values.items() if name in METADATA_FIELDS and value != ""}
    metadata = request.values.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise Refused(unmarshal_error(metadata, "metadata", "map[string]interface {}"))
    return {name: value for name, value in metadata.items() if value is not None}


def refuse_audio_switch(values: Mapping[str, Json], extras: Mapping[str, Json]) -> None:
    """`generateAudio` is refused wherever it stands: sound is always made."""
    if "generateAudio" in values or "generateAudio" in extras:
        raise Refused(invalid_argument("`generateAudio` isn't supported by this model."))


def picture(size: str, extras: Mapping[str, Json]) -> tuple[str, str]:
    """Resolution and aspect: the named ones first, then those of `size`, then 720p and 16:9."""
    if size and size not in SIZES:
        raise Refused(task_error(400, "invalid_size", f"size {size[:40]} is not supported"))
    tier, aspect = SIZES[size] if size else (TIERS[0], ASPECTS[0])
    return choice(extras, "resolution", TIERS, tier), choice(extras, "aspectRatio", ASPECTS, aspect)


def choice(extras: Mapping[str, Json], name: str, allowed: tuple[str, ...], default: str) -> str:
    """A named value out of the allowed ones."""
    value = text_of(extras, name) or default
    if value not in allowed:
        raise Refused(invalid_argument(f"{name} must be one of {', '.join(allowed)}."))
    return value


def length(request: Fields, texts: Mapping[str, str], extras: Mapping[str, Json]) -> int:
    """Seconds: metadata.durationSeconds, duration, seconds, 8 in JSON; by `seconds` in a form."""
    if request.encoding == "json":
        named = extras.get("durationSeconds")
        if isinstance(named, str):
            raise Refused(task_error(500, "build_request_failed", "durationSeconds: cannot unmarshal string"))
        value = named if named is not None else texts["duration"] or texts["seconds"]
    else:
        value = texts["seconds"] or extras.get("durationSeconds", "")
    return DEFAULT_SECONDS if value == "" else allowed_length(value)


def allowed_length(value: Json) -> int:
    """Four, six or eight, as a number or as text."""
    for seconds in LENGTHS:
        if value == str(seconds) or (not isinstance(value, bool) and value == seconds):
            return seconds
    raise Refused(invalid_argument("durationSeconds must be one of 4, 6, 8."))


def seed(extras: Mapping[str, Json]) -> int | None:
    """The seed, an integer; in a form its digits."""
    value = extras.get("seed")
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:  # noqa: PLR2004 -- 64 bits
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    raise Refused(invalid_argument("seed must be an integer."))


def text_of(extras: Mapping[str, Json], name: str) -> str:
    """A text among the extras, empty if absent."""
    value = extras.get(name, "")
    if not isinstance(value, str):
        raise Refused(invalid_argument(f"{name} must be a string."))
    return value


def ignored(request: Fields, extras: Mapping[str, Json]) -> tuple[str, ...]:
    """The names of what was sent and has no effect, for the ledger."""
    known = JSON_FIELDS if request.encoding == "json" else FORM_FIELDS
    top = [name for name in request.values if name not in known]
    inner = [f"metadata.{name}" for name in extras if name not in METADATA_FIELDS]
    return tuple(sorted(name[:100] for name in top + inner))


def digest(text: str) -> str:
    """SHA-256 of a text; the text itself is kept nowhere."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
