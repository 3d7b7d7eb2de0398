"""The channel's parameter rules, as tables: what a body becomes, or how it is refused."""

import base64
import json
from typing import Any

import pytest

from videogen_simulator import bodies, rules
from videogen_simulator.answers import Refused

PNG = b"\x89PNG\r\n\x1a\n picture"
MODEL = "veo-3.1-fast-generate-preview"


def order_of(**fields: object) -> rules.Order:
    body = json.dumps({"model": MODEL, "prompt": "a cat", **fields}).encode()
    return rules.order(bodies.fields("application/json", body))


def form_order(parts: dict[str, str], files: tuple[tuple[str, bytes], ...] = ()) -> rules.Order:
    return rules.order(bodies.fields("multipart/form-data; boundary=b", multipart(parts, files)))


def multipart(parts: dict[str, str], files: tuple[tuple[str, bytes], ...] = ()) -> bytes:
    head = 'Content-Disposition: form-data; name="{}"'
    whole = [f"--b\r\n{head.format(name)}\r\n\r\n{value}\r\n".encode() for name, value in parts.items()]
    for name, content in files:
        whole.append(f'--b\r\n{head.format(name)}; filename="f"\r\n\r\n'.encode() + content + b"\r\n")
    return b"".join([*whole, b"--b--\r\n"])


def refusal_of(**fields: object) -> tuple[int, dict[str, Any]]:
    with pytest.raises(Refused) as refused:
        order_of(**fields)
    answer = refused.value.answer
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 8),
        ({"seconds": "4"}, 4),
        ({"duration": "6", "seconds": "4"}, 6),
        ({"metadata": {"durationSeconds": 4}, "duration": "6", "seconds": "8"}, 4),
        ({"metadata": {"durationSeconds": 4.0}}, 4),
        ({"metadata": {}, "duration": "", "seconds": "6"}, 6),
        ({"metadata": {"durationSeconds": None}, "seconds": "6"}, 6),
    ],
)
def test_length_follows_the_channels_precedence_in_json(fields: dict[str, Any], seconds: int) -> None:
    assert order_of(**fields).seconds == seconds


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [({}, 8), ({"seconds": "4"}, 4), ({"seconds": "6", "durationSeconds": "6"}, 6), ({"duration": "4"}, 8)],
)
def test_length_of_a_form_is_its_seconds(parts: dict[str, str], seconds: int) -> None:
    """A form's `duration` is swallowed, as new-api does."""
    assert form_order({"model": MODEL, "prompt": "a cat", **parts}).seconds == seconds


@pytest.mark.parametrize("name", ["duration", "seconds"])
def test_a_number_for_the_length_is_refused_as_documented(name: str) -> None:
    status, body = refusal_of(**{name: 8})
    assert (status, body["code"]) == (400, "parse_request_failed")
    assert "cannot unmarshal number into Go struct field" in body["message"]
    assert "duration of type string" in body["message"]


@pytest.mark.parametrize(
    ("fields", "picture"),
    [
        ({}, ("720p", "16:9", "1280x720")),
        ({"size": "1080x1920"}, ("1080p", "9:16", "1080x1920")),
        ({"size": "3840x2160", "metadata": {"resolution": "720p"}}, ("720p", "16:9", "1280x720")),
        ({"size": "1280x720", "metadata": {"aspectRatio": "9:16"}}, ("720p", "9:16", "720x1280")),
        ({"metadata": {"resolution": "4k", "aspectRatio": "9:16"}}, ("4k", "9:16", "2160x3840")),
    ],
)
def test_resolution_and_aspect_follow_the_channels_precedence(
    fields: dict[str, Any], picture: tuple[str, str, str]
) -> None:
    made = order_of(**fields)
    assert (made.resolution, made.aspect_ratio, made.size) == picture


def test_resolution_and_aspect_of_a_form_are_flat_fields() -> None:
    made = form_order({"model": MODEL, "prompt": "x", "resolution": "1080p", "aspectRatio": "9:16", "seed": "7"})
    assert (made.size, made.seed, made.encoding) == ("1080x1920", 7, "multipart")


def test_metadata_in_a_form_is_not_read() -> None:
    made = form_order({"model": MODEL, "prompt": "x", "metadata": '{"resolution":"4k"}'})
    assert (made.resolution, made.ignored) == ("720p", ("metadata",))


@pytest.mark.parametrize("resolution", ["1080p", "4k"])
@pytest.mark.parametrize("seconds", ["4", "6"])
def test_above_720p_only_eight_seconds_are_taken(resolution: str, seconds: str) -> None:
    status, body = refusal_of(seconds=seconds, metadata={"resolution": resolution})
    assert (status, body["code"]) == (400, "fail_to_fetch_task")
    assert json.loads(body["message"])["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "fields",
    [
        {"generateAudio": True},
        {"metadata": {"generateAudio": False}},
        {"seconds": "5"},
        {"duration": "eight"},
        {"metadata": {"durationSeconds": True}},
        {"metadata": {"durationSeconds": 1e300}},
        {"metadata": {"durationSeconds": [8]}},
        {"metadata": {"resolution": "2k"}},
        {"metadata": {"resolution": 720}},
        {"metadata": {"aspectRatio": "1:1"}},
        {"metadata": {"seed": 1.5}},
        {"metadata": {"seed": 2**64}},
        {"metadata": {"negativePrompt": 2024}},
    ],
)
def test_the_provider_refuses_what_it_does_not_take(fields: dict[str, Any]) -> None:
    status, body = refusal_of(**fields)
    assert status == 400
    assert json.loads(body["message"])["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": ""}, 400, "missing_model"),
        ({"model": None}, 400, "missing_model"),
        ({"model": 3}, 400, "parse_request_failed"),
        ({"prompt": "  "}, 400, "invalid_request"),
        ({"prompt": ["a"]}, 400, "parse_request_failed"),
        ({"size": "100x100"}, 400, "invalid_size"),
        ({"metadata": "{}"}, 400, "parse_request_failed"),
        ({"metadata": {"durationSeconds": "8"}}, 500, "build_request_failed"),
        ({"input_reference": "https://example.org/cat.png"}, 400, "invalid_request"),
        ({"image": "not base64!"}, 400, "invalid_request"),
        ({"images": [{"url": "x"}]}, 400, "invalid_request"),
    ],
)
def test_the_gateway_refuses_with_its_own_codes(fields: dict[str, Any], status: int, code: str) -> None:
    got, body = refusal_of(**fields)
    assert (got, body["code"]) == (status, code)


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("application/json", b"{", "invalid_json"),
        ("application/json", b"[]", "invalid_json"),
        ("application/json", b"\xff\xfe", "invalid_json"),
        ("application/json", b'{"model": NaN}', "invalid_json"),
        ("application/json", b"[" * 100_000, "invalid_json"),
        ("", b"", "invalid_json"),
        ("multipart/form-data", b"--b--", "invalid_multipart_form"),
        ("multipart/form-data; boundary=b", b"no boundary here", "invalid_multipart_form"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nno name\r\n--b--", "invalid_multipart_form"),
        ("application/x-www-form-urlencoded", b"model=\xff", "invalid_request"),
    ],
)
def test_bodies_that_cannot_be_read_are_refused(kind: str, body: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        bodies.fields(kind, body)
    assert refused.value.answer.code == code


def test_an_image_comes_as_a_file_and_more_than_one_are_dropped() -> None:
    parts = {"model": MODEL, "prompt": "x"}
    made = form_order(parts, (("input_reference", PNG), ("input_reference", b"other")))
    assert (made.image_sha256 is not None, made.images_dropped) == (True, 1)


@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("name", ["input_reference", "image"])
def test_an_image_comes_as_base64(name: str, head: str) -> None:
    made = order_of(**{name: head + base64.b64encode(PNG).decode()})
    assert made.image_sha256 == form_order({"model": MODEL, "prompt": "x"}, ((name, PNG),)).image_sha256


def test_a_file_that_is_no_picture_is_refused() -> None:
    with pytest.raises(Refused):
        form_order({"model": MODEL, "prompt": "x"}, (("input_reference", b"GIF89a"),))


def test_a_form_may_be_sent_without_a_file() -> None:
    """LiteLLM always sends multipart."""
    assert form_order({"model": MODEL, "prompt": "x"}).image_sha256 is None


def test_a_file_keeps_its_bytes() -> None:
    content = PNG + b"\r\n--bb\r\n\r\n\n\r" + bytes(range(256))
    (found,) = bodies.fields(
        "multipart/form-data; boundary=xyz",
        multipart({}, (("f", content),)).replace(b"--b\r\n", b"--xyz\r\n", 1)[: -len(b"--b--\r\n")] + b"--xyz--\r\n",
    ).files
    assert found == ("f", content)


def test_names_without_effect_are_noted() -> None:
    made = order_of(seed=1, n=2, metadata={"fps": 30, "seed": 5})
    assert (made.seed, made.ignored) == (5, ("metadata.fps", "n", "seed"))


def test_the_prompt_is_kept_as_a_digest_only() -> None:
    made = order_of(prompt="a secret garden", metadata={"negativePrompt": "secret weeds"})
    assert "secret" not in repr(made)
    assert (made.prompt_sha256, made.negative_prompt_sha256) == (
        rules.digest("a secret garden"),
        rules.digest("secret weeds"),
    )
