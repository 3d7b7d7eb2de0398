"""Keys and prompts appear nowhere: not in the log at its most talkative, not in a status, an event or the ledger."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

import class_manifests
from integration.harness import Site, condition, make_site
from integration.lifecycle import another_operator
from podrunner.pod import Pod
from stack import Stack

KEY = "sk-canary-7f3a91c2d4e5b6"
PROMPT = 'Canary "Zerzura" señal/+?=& at the well of 1835'
NEGATIVE = 'Canary "Ubar" lost & found/+? in the sand'
ENDINGS = {  # by name: what the prompt asks of the simulator, and where the object comes to rest
    "stored": ("", "Succeeded"),
    "refused": ("content-policy", "Failed"),
    "malformed": ("refused-parameters", "Failed"),
    "failed": ("failed-policy", "Failed"),
    "lost": ("answer-lost", "Held"),
    "garbled": ("answer-not-json", "Held"),
    "unpaid": ("no-balance", "Queued"),
}


def forms(value: str) -> Iterator[bytes]:
    """A value as it may be written: as it is, in JSON, in a URL, and in Base64 at each of its three offsets."""
    plain = value.encode()
    yield from (plain, json.dumps(value)[1:-1].encode(), json.dumps(value, ensure_ascii=False)[1:-1].encode())
    yield from (quote(value).encode(), quote(value, safe="").encode(), quote_plus(value).encode())
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + plain)
        whole = encoded[4 if offset else 0 : len(encoded) - 4]  # the rest depends on what stands beside it
        yield from (whole, whole.replace(b"+", b"-").replace(b"/", b"_"))


def found_in(places: Mapping[str, bytes], value: str) -> list[str]:
    """The places where a value stands in any form."""
    return sorted({place for place, content in places.items() for form in forms(value) if form in content})


@pytest.fixture
def talkative(stack: Stack, operator: Pod) -> Iterator[Pod]:
    """In place of the session's operator, one that logs all it can."""
    with another_operator(stack, operator, VIDEOGEN_LOG_LEVEL="debug") as pod:
        yield pod


def live_all_lives(stack: Stack) -> Site:
    """Every ending, with the secrets in key and prompts."""
    site = make_site(stack)
    stack.simulator.add_key(KEY, site.class_name)
    secret = class_manifests.secret(stack.release.namespace, f"{site.class_name}-key", {"token": KEY})
    stack.apply(secret)
    for name, (scenario, phase) in ENDINGS.items():
        marker = f" [[sim:{scenario}]]" if scenario else ""
        site.order(name, prompt=PROMPT + marker, negativePrompt=NEGATIVE)
        site.wait_phase(phase, name=name)
    stack.apply(class_manifests.secret(stack.release.namespace, f"{site.class_name}-key", {"token": f"{KEY}-wrong"}))
    stack.wait_class(site.class_name, lambda seen: condition(seen, "CredentialsValid").get("status") == "False")
    return site


def places_of(site: Site, log: Path) -> dict[str, bytes]:
    """Everything that the operator wrote, by where it is."""
    stack = site.stack
    statuses = {f"status of {one['metadata']['name']}": one["status"] for one in stack.list(site.namespace)}
    events = {f"events of {name}": stack.events(site.namespace, name) for name in ENDINGS}
    klass = stack.read_class(site.class_name)
    assert klass is not None
    told = {**statuses, **events, "status of the class": klass["status"]}
    return {
        "log": log.read_bytes(),
        "simulator": json.dumps(stack.simulator.ledger(account=site.class_name)).encode(),
        **{where: json.dumps(what, ensure_ascii=False).encode() for where, what in told.items()},
        **{key: stack.bytes_of(site.bucket, key) for key in site.keys()},  # noqa: SIM118 - no mapping
    }


def test_no_key_and_no_prompt_is_written_anywhere(stack: Stack, talkative: Pod) -> None:
    """Also where the gateway refused, failed, fell silent or did not know the key."""
    site = live_all_lives(stack)
    places = places_of(site, talkative.log_path)
    assert "DEBUG" in talkative.logs()
    assert {value: found_in(places, value) for value in (KEY, PROMPT, NEGATIVE, stack.s3.secret_key)} == {
        KEY: [],
        PROMPT: [],
        NEGATIVE: [],
        stack.s3.secret_key: [],
    }


@pytest.mark.parametrize("offset", range(3))
def test_the_search_finds_a_value_inside_base64(offset: int) -> None:
    """The search above is worth something only if it would find them."""
    haystack = base64.b64encode(b"x" * offset + PROMPT.encode() + b"the rest")
    assert found_in({"here": haystack}, PROMPT) == ["here"]


def test_the_search_finds_a_value_in_json_and_in_a_url() -> None:
    places = {"json": json.dumps({"a": PROMPT}).encode(), "url": f"/?q={quote_plus(PROMPT)}".encode()}
    assert found_in(places, PROMPT) == ["json", "url"]
