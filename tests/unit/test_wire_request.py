"""The bytes of the paid POST, held to files that a reviewer reads."""

import json
import os
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videogen_operator.wire_request import RequestStyle, VideoRequest, body

GOLDEN = Path(__file__).parent.parent / "golden" / "wire"
MODELS = {"fast": "veo-3.1-fast-generate-preview", "standard": "veo-3.1-generate-preview"}
LENGTHS = {"720p": (4, 6, 8), "1080p": (8,), "4k": (8,)}
ORDERED = [
    (model, tier, aspect, seconds)
    for model, (tier, lengths), aspect in product(MODELS, LENGTHS.items(), ("16:9", "9:16"))
    for seconds in lengths
]


def request(**changes: object) -> VideoRequest:
    values: dict[str, object] = {
        "api_model": MODELS["fast"],
        "prompt": "Coastal lighthouse at dusk, slow push-in; waves, “low wind”, 海鸥",
        "negative_prompt": "text, watermark",
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "duration_seconds": 8,
        "seed": 20260521,
    }
    return VideoRequest(**{**values, **changes})  # type: ignore[arg-type]


def sent(**changes: object) -> dict[str, object]:
    parsed: dict[str, object] = json.loads(body(RequestStyle.METADATA, request(**changes)))
    return parsed


@pytest.mark.parametrize(("model", "tier", "aspect", "seconds"), ORDERED)
def test_the_bytes_of_every_tier_model_and_aspect_are_those_committed(
    model: str, tier: str, aspect: str, seconds: int
) -> None:
    """Rewrite the files with REWRITE_GOLDEN=1 in the environment, and read the difference."""
    file = GOLDEN / f"metadata-{model}-{tier}-{aspect.replace(':', 'x')}-{seconds}s.json"
    made = body(
        RequestStyle.METADATA,
        request(api_model=MODELS[model], resolution=tier, aspect_ratio=aspect, duration_seconds=seconds),
    )
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        file.write_bytes(made)
    assert made == file.read_bytes()


def test_no_golden_file_is_left_over() -> None:
    assert len(list(GOLDEN.glob("*.json"))) == len(ORDERED)


def test_the_length_is_a_string_on_top_and_a_number_in_the_metadata() -> None:
    made = sent(duration_seconds=6)
    assert (made["duration"], made["seconds"]) == ("6", "6")
    assert made["metadata"] == {
        "durationSeconds": 6,
        "resolution": "720p",
        "aspectRatio": "16:9",
        "negativePrompt": "text, watermark",
        "seed": 20260521,
    }


def test_what_the_user_did_not_set_is_not_sent() -> None:
    metadata = sent(negative_prompt=None, seed=None)["metadata"]
    assert set(metadata) == {"durationSeconds", "resolution", "aspectRatio"}  # type: ignore[call-overload]


def test_a_seed_of_zero_is_a_seed() -> None:
    assert '"seed":0' in body(RequestStyle.METADATA, request(seed=0)).decode()


@given(prompt=st.text(), negative=st.none() | st.text(), seed=st.none() | st.integers(0, 2**32 - 1))
def test_any_text_survives_and_nothing_else_is_sent(prompt: str, negative: str | None, seed: int | None) -> None:
    made = sent(prompt=prompt, negative_prompt=negative, seed=seed)
    assert made["prompt"] == prompt.encode("utf-8", "replace").decode()
    assert set(made) == {"model", "prompt", "duration", "seconds", "metadata"}


def test_a_lone_surrogate_does_not_stop_the_request() -> None:
    assert sent(prompt="a\ud800b")["prompt"] == "a?b"
