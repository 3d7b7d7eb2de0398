"""Each scenario as a client meets it, over real sockets."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from simulator_client import LONG_AGO_DONE, Caller, only_task, raw_exchange
from videogen_simulator.clock import ManualClock
from videogen_simulator.scenarios import SCENARIOS
from videogen_simulator.server import Simulator


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def simulator(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(clock=clock, seed="1") as running:
        yield running


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Caller]:
    caller = Caller(simulator)
    yield caller
    caller.close()


def tasks_made(simulator: Simulator) -> int:
    return int(simulator.ledger()["counters"]["tasks"])


@pytest.mark.parametrize(
    ("marker", "status", "code"),
    [
        ("refused-parameters", 400, "parse_request_failed"),
        ("content-policy", 400, "content_policy_violation"),
        ("content-policy status=403", 403, "content_policy_violation"),
        ("no-balance", 403, "insufficient_user_quota"),
        ("no-balance status=429", 429, "insufficient_user_quota"),
        ("rate-limited", 429, "fail_to_fetch_task"),
        ("model-gone", 404, "fail_to_fetch_task"),
        ("server-error", 500, "do_request_failed"),
        ("server-error status=503", 503, "do_request_failed"),
    ],
)
def test_a_refused_post_makes_no_task(api: Caller, simulator: Simulator, marker: str, status: int, code: str) -> None:
    reply = api.post(f"[[sim:{marker}]] a cat")
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert tasks_made(simulator) == 0


@pytest.mark.parametrize(("marker", "status"), [("wrong-key", 401), ("no-channel", 503)])
def test_refusals_from_before_the_handlers_have_the_other_shape(api: Caller, marker: str, status: int) -> None:
    reply = api.post(f"[[sim:{marker}]]")
    assert (reply.status_code, reply.json()["error"]["type"]) == (status, "new_api_error")


def test_a_rate_limit_may_say_how_long(api: Caller) -> None:
    assert "retry-after" not in api.post("[[sim:rate-limited]]").headers
    assert api.post("[[sim:rate-limited retry_after=7]]").headers["retry-after"] == "7"


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_lost_answer_leaves_a_task(api: Caller, simulator: Simulator, how: str) -> None:
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        api.post(f"[[sim:answer-lost how={how}]]")
    (post,) = simulator.ledger()["posts"]
    assert (post["outcome"], post["task"]) == (how, only_task(simulator)["id"])


def test_a_lost_request_leaves_none(api: Caller, simulator: Simulator) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        api.post("[[sim:request-lost]]")
    assert tasks_made(simulator) == 0


@pytest.mark.parametrize(
    ("marker", "status", "tasks"),
    [
        ("server-error task=made", 500, 1),
        ("html-error", 502, 1),
        ("html-error status=504 task=none", 504, 0),
        ("answer-without-id", 200, 1),
        ("answer-not-json", 200, 1),
        ("answer-huge size=3MB", 200, 1),
    ],
)
def test_an_answer_may_say_nothing_about_the_task(
    api: Caller, simulator: Simulator, marker: str, status: int, tasks: int
) -> None:
    reply = api.post(f"[[sim:{marker}]]")
    assert (reply.status_code, tasks_made(simulator)) == (status, tasks)
    assert "task_" not in reply.text


@pytest.mark.parametrize(("task", "made_meanwhile"), [("before", 1), ("after", 0)])
def test_a_slow_answer_is_held_open(
    api: Caller, simulator: Simulator, clock: ManualClock, task: str, made_meanwhile: int
) -> None:
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(api.post, f"[[sim:slow-answer seconds=30 task={task}]]")
        assert simulator.wait_held()
        assert tasks_made(simulator) == made_meanwhile
        assert simulator.ledger()["posts"][0]["outcome"] is None
        clock.advance(29)
        assert not reply.done()
        clock.advance(1)
        assert reply.result(10).status_code == 200
    (post,) = simulator.ledger()["posts"]
    assert post["answered_at"] - post["at"] == 30


def test_a_held_answer_can_be_let_go(api: Caller, simulator: Simulator) -> None:
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(api.post, "[[sim:slow-answer seconds=9999]]")
        assert simulator.wait_held()
        simulator.release()
        assert reply.result(10).status_code == 200


def test_a_client_that_hangs_up_does_not_stop_the_task(simulator: Simulator) -> None:
    """The gateways go on with what they were sent."""
    body = json.dumps({"model": "veo-3.1-generate-preview", "prompt": "[[sim:slow-answer task=after]]"}).encode()
    head = b"POST /v1/videos HTTP/1.1\r\nAuthorization: Bearer sim-key\r\nContent-Length: %d\r\n\r\n" % len(body)
    gone = threading.Thread(target=raw_exchange, args=(simulator.url, head + body))
    gone.start()
    assert simulator.wait_held()
    simulator.release()
    gone.join(10)
    assert tasks_made(simulator) == 1


@pytest.mark.parametrize(
    ("marker", "reason"),
    [("failed-policy", "content policy"), ("failed-internal", "INTERNAL"), ("failed-silent", None)],
)
def test_a_task_fails_with_its_reason(api: Caller, clock: ManualClock, marker: str, reason: str | None) -> None:
    task = api.made(f"[[sim:{marker}]]")
    clock.advance(20)
    shown = api.poll(task).json()
    assert shown["status"] == "failed"
    assert (reason or "") in shown.get("error", {}).get("message", "")
    assert ("error" in shown) == bool(reason)
    assert api.content(task).json()["error"]["message"].endswith("current status: FAILURE")


def test_the_next_post_of_the_same_prompt_may_go_well(api: Caller, clock: ManualClock) -> None:
    first, second = api.made("[[sim:failed-once]] a cat"), api.made("[[sim:failed-once]] a cat")
    clock.advance(LONG_AGO_DONE)
    assert [api.poll(task).json()["status"] for task in (first, second)] == ["failed", "completed"]


def test_a_false_failure_is_said_once(api: Caller, clock: ManualClock) -> None:
    task = api.made("[[sim:false-failure after=1]]")
    said = [api.poll(task).json()["status"] for _ in range(3)]
    clock.advance(LONG_AGO_DONE)
    assert [*said, api.poll(task).json()["status"]] == ["queued", "failed", "queued", "completed"]


def test_an_endless_task_can_be_ended_by_hand(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    task = api.made("[[sim:endless]]")
    clock.advance(1e9)
    assert api.poll(task).json()["status"] == "queued"
    assert simulator.complete(task) == 1
    assert api.content(task).status_code == 200
    assert simulator.ledger()["counters"]["billed"] == 0.3


@pytest.mark.parametrize(
    ("marker", "seen"),
    [
        ("poll-error polls=2", [500, 500, 200]),
        ("poll-error polls=0 status=503", [503, 503, 503]),
        ("poll-not-found after=1", [200, 400, 200]),
        ("poll-status says=strange", [200, 200, 200]),
    ],
)
def test_polls_may_go_wrong(api: Caller, marker: str, seen: list[int]) -> None:
    task = api.made(f"[[sim:{marker}]]")
    assert [api.poll(task).status_code for _ in range(3)] == seen


def test_a_poll_may_carry_a_status_that_nobody_knows(api: Caller) -> None:
    assert api.poll(api.made("[[sim:poll-status says=strange]]")).json()["status"] == "strange"


def test_a_poll_may_be_held_open(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    task = api.made("[[sim:poll-slow seconds=60]]")
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(api.poll, task)
        assert simulator.wait_held()
        clock.advance(60)
        assert reply.result(10).status_code == 200


def test_content_may_come_late(api: Caller, clock: ManualClock) -> None:
    task = api.made("[[sim:content-late seconds=60]] [[sim:takes seconds=10]]")
    seen = []
    for step in (10, 59, 1):
        clock.advance(step)
        seen.append(api.content(task).status_code)
    assert seen == [400, 400, 200]


def test_content_may_expire_early(api: Caller, clock: ManualClock) -> None:
    task = api.made("[[sim:content-expired]]")
    clock.advance(LONG_AGO_DONE)
    assert api.content(task).status_code == 404


@pytest.mark.parametrize("part", ["0", "0.01", "0.5", "0.999"])
def test_a_download_is_cut_once(api: Caller, clock: ManualClock, simulator: Simulator, part: str) -> None:
    task = api.made(f"[[sim:content-cut at={part}]]")
    clock.advance(LONG_AGO_DONE)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        api.content(task)
    whole = api.content(task)
    first, second = only_task(simulator)["downloads"]
    assert first["bytes_sent"] == int(len(whole.content) * float(part))
    assert (first["whole"], second["whole"]) == (False, True)


def test_a_cut_without_length_looks_like_success(api: Caller, clock: ManualClock) -> None:
    """The trap: no client library notices."""
    task = api.made("[[sim:content-cut framing=close]]")
    clock.advance(LONG_AGO_DONE)
    short, whole = api.content(task), api.content(task)
    assert short.status_code == 200
    assert len(short.content) == len(whole.content) // 2


def test_a_cut_chunked_body_is_noticed(api: Caller, clock: ManualClock) -> None:
    task = api.made("[[sim:content-cut framing=chunked]]")
    clock.advance(LONG_AGO_DONE)
    with pytest.raises(httpx.RemoteProtocolError):
        api.content(task)


def test_a_whole_chunked_body_is_read(api: Caller, clock: ManualClock) -> None:
    task = api.made("[[sim:content-cut framing=chunked at=1]]")
    clock.advance(LONG_AGO_DONE)
    assert api.content(task).content == api.content(task).content


@pytest.mark.parametrize("off", [-100, 100])
def test_a_content_length_may_be_wrong(api: Caller, clock: ManualClock, off: int) -> None:
    task = api.made(f"[[sim:content-length off={off}]]")
    clock.advance(LONG_AGO_DONE)
    with api.http.stream("GET", f"/v1/videos/{task}/content") as reply:
        declared = int(reply.headers["content-length"])
    assert declared - len(api.content(task).content) == off


def test_a_download_may_be_slow(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    task = api.made("[[sim:content-slow rate=1000]]")
    clock.advance(LONG_AGO_DONE)
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(api.content, task)
        start = clock.now()
        while not reply.done():
            simulator.wait_held(timeout=0.05)
            clock.advance(0.1)
        assert clock.now() - start >= len(reply.result().content) / 1000


@pytest.mark.parametrize(
    ("marker", "kind"), [("content-json", "video/mp4"), ("content-html", "text/html; charset=utf-8")]
)
def test_content_may_be_no_video_under_a_200(api: Caller, clock: ManualClock, marker: str, kind: str) -> None:
    task = api.made(f"[[sim:{marker}]]")
    clock.advance(LONG_AGO_DONE)
    wrong, right = api.content(task), api.content(task)
    assert (wrong.status_code, wrong.headers["content-type"]) == (200, kind)
    assert b"ftyp" not in wrong.content
    assert right.content[4:8] == b"ftyp"


def test_content_may_be_elsewhere(api: Caller, clock: ManualClock) -> None:
    task = api.made("[[sim:content-redirect to=http://127.0.0.1:1/x]]")
    clock.advance(LONG_AGO_DONE)
    reply = api.content(task)
    assert (reply.status_code, reply.headers["location"]) == (302, "http://127.0.0.1:1/x")
    assert api.content(task).status_code == 200


def test_completed_and_billed_without_a_video_for_ever(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    task = api.made("[[sim:content-error]]")
    clock.advance(LONG_AGO_DONE)
    assert [api.content(task).status_code for _ in range(5)] == [502] * 5
    assert simulator.ledger()["counters"]["billed"] == 0.3


@pytest.mark.parametrize("marker", ["clip-short", "clip-small size=720x1280", "clip-bytes size=50KB", "c2pa"])
def test_the_clip_may_differ_from_what_was_asked(api: Caller, clock: ManualClock, marker: str) -> None:
    plain, odd = api.made(), api.made(f"[[sim:{marker}]]")
    clock.advance(LONG_AGO_DONE)
    assert len(api.content(plain).content) != len(api.content(odd).content)


def test_a_misspelt_marker_is_refused(api: Caller, simulator: Simulator) -> None:
    reply = api.post("[[sim:answer-lots]]")
    assert (reply.status_code, reply.json()["code"]) == (400, "simulator_unknown_scenario")
    assert tasks_made(simulator) == 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_after_every_scenario_the_server_goes_on(
    api: Caller, clock: ManualClock, simulator: Simulator, name: str
) -> None:
    """Whatever a scenario does to a POST, its polls and its content: nothing is left held, and others are served."""
    with ThreadPoolExecutor(1) as pool:
        user = pool.submit(used, simulator, f"[[sim:{name}]]")
        while not user.done():
            simulator.wait_held(timeout=0.02)
            simulator.release()
        user.result()
    assert api.made("a plain cat")
    assert simulator.ledger()["held"] == 0


def used(simulator: Simulator, prompt: str) -> None:
    """Submit, poll and download; a broken connection is one of the answers."""
    own = Caller(simulator)
    with suppress(httpx.HTTPError):
        own.post(prompt)
    simulator.complete()
    tasks = [str(task["id"]) for task in simulator.ledger()["tasks"]] or ["task_none"]
    with suppress(httpx.HTTPError):
        own.poll(tasks[0])
    with suppress(httpx.HTTPError):
        own.content(tasks[0])
    own.close()
