"""Hostile bytes: whatever is sent, the answer is JSON and the server goes on."""

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simulator_client import raw_exchange
from videogen_simulator import bodies, reading, rules
from videogen_simulator.answers import Refused
from videogen_simulator.clock import ManualClock
from videogen_simulator.server import Simulator

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELD_NAMES = st.sampled_from(
    [*rules.JSON_FIELDS, "generateAudio", "seed", "durationSeconds", "resolution", "aspectRatio", "negativePrompt"]
)
REQUESTS = st.dictionaries(FIELD_NAMES, JSON_VALUES | st.dictionaries(FIELD_NAMES, JSON_VALUES, max_size=4), max_size=6)
KINDS = st.sampled_from(
    [
        "application/json",
        "multipart/form-data; boundary=b",
        'multipart/form-data; boundary="',
        "application/x-www-form-urlencoded",
        "",
    ]
)
PIECES = st.sampled_from(
    [
        b"POST /v1/videos HTTP/1.1\r\n",
        b"GET /v1/videos/%ff%00/content HTTP/1.1\r\n",
        b"GET /_sim/ledger?since=-1 HTTP/1.0\r\n",
        b"Authorization: Bearer sim-key\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: -5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b": nothing\r\n",
        b"\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"zz\r\n",
        b"\x16\x03\x01\x02\x00",
        b"{}",
    ]
)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(clock=ManualClock(), seed="1") as running:
        yield running


def answered_in_json(answers: bytes) -> bool:
    """Whether every answer in the bytes is one of JSON (an interim 100 has no body)."""
    while answers:
        head, found, rest = answers.partition(b"\r\n\r\n")
        assert found
        assert head.startswith(b"HTTP/1.1 ")
        if head.startswith(b"HTTP/1.1 100"):
            answers = rest
            continue
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:])
        length = int(fields["Content-Length"])
        json.loads(rest[:length])
        answers = rest[length:]
    return True


@given(st.lists(PIECES | st.binary(max_size=40), max_size=12).map(b"".join))
@example(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n")
@example(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n")
@example(b"POST /v1/videos HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
@example(b"POST /v1/videos HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n")
@example(b"POST /v1/videos HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_on_a_connection_are_answered_in_json(simulator: Simulator, sent: bytes) -> None:
    assert answered_in_json(raw_exchange(simulator.url, sent))


@given(KINDS, st.binary(max_size=200) | REQUESTS.map(lambda fields: json.dumps(fields).encode()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_is_answered_in_json(simulator: Simulator, kind: str, body: bytes) -> None:
    head = "POST /v1/videos HTTP/1.1\r\nAuthorization: Bearer sim-key\r\n"
    sent = f"{head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    reply = raw_exchange(simulator.url, sent)
    assert answered_in_json(reply)
    assert b"simulator_fault" not in reply


@given(REQUESTS)
def test_any_json_is_an_order_or_is_refused(fields: dict[str, object]) -> None:
    made = None
    with suppress(Refused):
        made = rules.order(bodies.fields("application/json", json.dumps(fields).encode()))
    assert made is None or (made.seconds in rules.LENGTHS and made.size in rules.SIZES)


@given(st.binary(max_size=300), st.sampled_from([b"", b"\r\n", b"--b", b"--b--", b'; name="x"']))
def test_any_form_is_read_or_is_refused(noise: bytes, end: bytes) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + noise + end
    found = None
    with suppress(Refused):
        found = bodies.multipart(b"b", body)
    assert found is None or found.values.get("model") is not None


def test_a_body_in_chunks_is_read(simulator: Simulator) -> None:
    body = b'{"model":"veo-3.1-generate-preview","prompt":"x"}'
    chunks = (
        b"".join(b"%x;note=1\r\n%b\r\n" % (len(part), part) for part in (body[:10], body[10:])) + b"0\r\nT: 1\r\n\r\n"
    )
    head = b"POST /v1/videos HTTP/1.1\r\nAuthorization: Bearer sim-key\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw_exchange(simulator.url, head + chunks).startswith(b"HTTP/1.1 200")


def test_a_body_that_is_too_large_is_refused_with_an_answer(simulator: Simulator) -> None:
    """The answer arrives although the client is still sending."""
    size = reading.LARGEST_BODY + 1
    head = f"POST /v1/videos HTTP/1.1\r\nContent-Length: {size}\r\n\r\n".encode()
    assert raw_exchange(simulator.url, head + bytes(size)).startswith(b"HTTP/1.1 413")
