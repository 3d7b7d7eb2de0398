"""The channel over real sockets: accounts, money, room, time and content."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from types import MappingProxyType

import httpx
import pytest

from simulator_client import FAST, LONG_AGO_DONE, STANDARD, Caller, only_task, raw_exchange
from videogen_simulator.clock import ManualClock
from videogen_simulator.server import Simulator
from videogen_simulator.settings import Settings

KEYS = MappingProxyType({"k1": "a", "k2": "a", "other": "b"})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def simulator(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(Settings(keys=KEYS), clock=clock, seed="1") as running:
        yield running


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Caller]:
    caller = Caller(simulator, "k1")
    yield caller
    caller.close()


@pytest.fixture
def other(simulator: Simulator) -> Iterator[Caller]:
    caller = Caller(simulator, "other")
    yield caller
    caller.close()


def test_a_task_goes_from_queued_to_a_clip(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    task = api.made("[[sim:takes seconds=100]]")
    seen = []
    for step in (0, 50, 50):
        clock.advance(step)
        seen.append((api.poll(task).json()["status"], api.poll(task).json()["progress"]))
    assert seen == [("queued", 0), ("in_progress", 50), ("completed", 100)]
    assert api.content(task).status_code == 400
    clock.advance(4)
    reply = api.content(task)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "video/mp4")
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert only_task(simulator)["content_sha256"] == hashlib.sha256(reply.content).hexdigest()


def test_content_is_refused_before_completion_and_after_retention(api: Caller, clock: ManualClock) -> None:
    task = api.made("[[sim:takes seconds=100]]")
    clock.advance(50)
    early = api.content(task)
    clock.advance(172_851)
    late = api.content(task)
    assert (early.status_code, late.status_code) == (400, 404)
    assert early.json()["error"]["message"].endswith("current status: IN_PROGRESS")
    assert api.poll(task).json()["status"] == "completed"


def test_range_is_not_supported(api: Caller, clock: ManualClock) -> None:
    task = api.made()
    clock.advance(LONG_AGO_DONE)
    reply = api.http.get(f"/v1/videos/{task}/content", headers={"Range": "bytes=10-20"})
    assert reply.status_code == 200
    assert len(reply.content) == len(api.content(task).content)


@pytest.mark.parametrize("header", [None, "Bearer wrong", "k1", "Basic k1", "Bearer"])
def test_a_wrong_key_is_401_everywhere(simulator: Simulator, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    with httpx.Client(base_url=simulator.url, headers=headers, trust_env=False) as client:
        replies = [
            client.post("/v1/videos", json={"model": FAST, "prompt": "x"}),
            client.get("/v1/videos/task_x"),
            client.get("/v1/videos/task_x/content"),
        ]
    assert [reply.status_code for reply in replies] == [401, 401, 401]
    assert simulator.ledger()["counters"]["tasks"] == 0


def test_two_keys_of_an_account_see_the_same_tasks(api: Caller, simulator: Simulator) -> None:
    task = api.made()
    second = Caller(simulator, "k2")
    assert second.poll(task).json()["id"] == task
    second.close()


def test_another_account_sees_no_task(api: Caller, other: Caller, simulator: Simulator) -> None:
    task = api.made()
    poll, content = other.poll(task), other.content(task)
    assert (poll.status_code, poll.json()["code"]) == (400, "task_not_exist")
    assert content.status_code == 404
    assert [(stray["account"], stray["http"]) for stray in simulator.ledger()["strays"]] == [("b", "400"), ("b", "404")]


def test_a_key_can_move_to_another_account_and_back(api: Caller, simulator: Simulator) -> None:
    task = api.made()
    seen = []
    for account in ("b", "a"):
        simulator.change(keys={"k1": account})
        seen.append(api.poll(task).status_code)
    assert seen == [400, 200]


def test_only_completed_tasks_are_billed(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    api.made()
    api.made(model=STANDARD)
    api.made("[[sim:failed-policy]]")
    api.made("[[sim:endless]]")
    assert simulator.ledger()["counters"]["billed"] == 0
    clock.advance(LONG_AGO_DONE)
    assert simulator.ledger()["counters"]["billed"] == 1.5
    assert [task["billed"] for task in simulator.ledger()["tasks"]] == [0.3, 1.2, 0, 0]


def test_a_task_is_billed_though_nobody_asks_for_it(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    """Submitting is what costs; a lost answer costs as much."""
    with suppress(httpx.RemoteProtocolError):
        api.post("[[sim:answer-lost]]")
    clock.advance(LONG_AGO_DONE)
    assert simulator.ledger()["counters"]["billed"] == 0.3


def test_the_balance_is_checked_at_the_post_with_open_tasks_counted(api: Caller, simulator: Simulator) -> None:
    simulator.set_balance("a", Decimal("0.70"))
    assert [api.post().status_code for _ in range(3)] == [200, 200, 403]
    assert api.post().json()["code"] == "insufficient_user_quota"


def test_a_failed_task_gives_its_reserve_back(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    simulator.set_balance("a", Decimal("0.30"))
    api.made("[[sim:failed-policy]]")
    clock.advance(8)
    api.made()
    clock.advance(LONG_AGO_DONE)
    assert simulator.ledger()["balances"] == {"a": 0.0, "b": None}


def test_open_tasks_are_limited_per_account(
    api: Caller, other: Caller, clock: ManualClock, simulator: Simulator
) -> None:
    simulator.change(max_open=2)
    assert [api.post().status_code for _ in range(3)] == [200, 200, 429]
    assert other.post().status_code == 200
    clock.advance(LONG_AGO_DONE)
    assert api.post().status_code == 200
    assert simulator.ledger()["counters"]["max_open"] == 3


def test_an_unknown_model_has_no_channel(api: Caller) -> None:
    reply = api.post(model="veo-9")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "model_not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/videos"), ("DELETE", "/v1/videos/x"), ("GET", "/"), ("GET", "/v1/videos/"), ("PUT", "/v1/videos")],
)
def test_other_addresses_are_unknown(api: Caller, method: str, path: str) -> None:
    reply = api.http.request(method, path)
    assert reply.status_code == 404
    assert reply.json()["error"]["message"] == f"Invalid URL ({method} {path})"


def test_a_trailing_slash_is_redirected(api: Caller) -> None:
    reply = api.http.post("/v1/videos/", json={})
    assert (reply.status_code, reply.headers["location"]) == (307, "/v1/videos")


def test_head_has_no_body_and_the_connection_goes_on(simulator: Simulator) -> None:
    reply = raw_exchange(simulator.url, b"HEAD /v1/videos HTTP/1.1\r\n\r\nGET /_sim/health HTTP/1.1\r\n\r\n")
    first, second = reply.split(b"\r\n\r\n")[0], reply.split(b"\r\n\r\n")[1]
    assert first.startswith(b"HTTP/1.1 404")
    assert second.startswith(b"HTTP/1.1 200")


def test_a_connection_is_kept_and_its_requests_are_counted(api: Caller, simulator: Simulator) -> None:
    api.made()
    api.made()
    posts = simulator.ledger()["posts"]
    assert [post["request_on_connection"] for post in posts] == [1, 2]
    assert len({post["connection"] for post in posts}) == 1


def test_the_ledger_notes_what_was_sent_and_never_the_prompt(api: Caller, simulator: Simulator) -> None:
    api.http.headers["x-litellm-num-retries"] = "0"
    api.made("a very secret garden", seconds="4", metadata={"seed": 3})
    record = simulator.ledger()
    assert "secret" not in str(record)
    assert "k1" not in str(record)
    assert record["posts"][0]["headers"]["x-litellm-num-retries"] == "0"
    assert record["posts"][0]["prompt_sha256"] == hashlib.sha256(b"a very secret garden").hexdigest()
    assert (only_task(simulator)["request"]["seconds"], only_task(simulator)["request"]["seed"]) == (4, 3)


def test_the_ledger_notes_each_poll_and_byte(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    task = api.made("[[sim:takes seconds=10]]")
    start = clock.now()
    api.poll(task)
    clock.advance(14)
    api.poll(task)
    size = len(api.content(task).content)
    record = only_task(simulator)
    assert [(poll["at"] - start, poll["status"]) for poll in record["polls"]] == [(0, "queued"), (14, "completed")]
    assert [(one["bytes_sent"], one["whole"]) for one in record["downloads"]] == [(size, True)]
    assert record["completed_at"] - start == 10


def test_the_ledger_tells_what_is_new(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    first = api.made("[[sim:takes seconds=10]]")
    second = api.made("[[sim:takes seconds=99]]")
    mark = simulator.ledger()["next"]
    assert simulator.ledger(since=mark)["tasks"] == []
    clock.advance(10)
    assert [task["id"] for task in simulator.ledger(since=mark)["tasks"]] == [first]
    assert [task["id"] for task in simulator.ledger(task=second)["tasks"]] == [second]


def test_the_ledger_of_one_task_knows_its_content_before_anyone_fetched_it(
    api: Caller, clock: ManualClock, simulator: Simulator
) -> None:
    task = api.made()
    (record,) = simulator.ledger(task=task)["tasks"]
    clock.advance(LONG_AGO_DONE)
    assert hashlib.sha256(api.content(task).content).hexdigest() == record["content_sha256"]


def test_clips_are_padded_and_marked_as_set(clock: ManualClock) -> None:
    with Simulator(Settings(pad_bytes=4_000_000, c2pa=True), clock=clock) as running:
        api = Caller(running)
        task = api.made()
        clock.advance(LONG_AGO_DONE)
        content = api.content(task).content
        api.close()
    assert len(content) == 4_000_000
    assert b"c2pa" in content


def test_typical_sizes_go_by_tier(api: Caller, clock: ManualClock, simulator: Simulator) -> None:
    simulator.change(pad_bytes="auto")
    tasks = [api.made(metadata={"resolution": tier}) for tier in ("720p", "1080p", "4k")]
    clock.advance(LONG_AGO_DONE)
    sizes = [int(api.http.get(f"/v1/videos/{task}/content").headers["content-length"]) for task in tasks]
    assert sizes == [4_000_000, 10_000_000, 40_000_000]


def test_many_clients_at_once_never_pass_the_limit(simulator: Simulator) -> None:
    """Sixty POSTs from twelve threads: ten tasks, fifty refusals."""
    simulator.change(max_open=10)

    def five_posts(_: int) -> list[int]:
        api = Caller(simulator, "k1")
        codes = [api.post().status_code for _ in range(5)]
        api.close()
        return codes

    with ThreadPoolExecutor(12) as pool:
        codes = [code for some in pool.map(five_posts, range(12)) for code in some]
    counters = simulator.ledger()["counters"]
    assert (codes.count(200), codes.count(429)) == (10, 50)
    assert (counters["posts"], counters["max_open"]) == (60, 10)
    assert counters["posts_by_outcome"] == {"200": 10, "429": 50}


def test_closing_ends_a_held_answer_at_once(clock: ManualClock) -> None:
    running = Simulator(Settings(), clock=clock)
    api = Caller(running)
    ended = threading.Event()

    def wait_for_it() -> None:
        with suppress(httpx.HTTPError):
            api.post("[[sim:slow-answer seconds=1000]]")
        ended.set()

    threading.Thread(target=wait_for_it, daemon=True).start()
    assert running.wait_held()
    running.close()
    assert ended.wait(5)
    api.close()


def test_on_the_real_clock_a_task_ends_by_itself() -> None:
    """At this scale the longest task takes less than a millisecond."""
    with Simulator(Settings(time_scale=1e6)) as running:
        api = Caller(running)
        task = api.made(metadata={"resolution": "4k"})
        while (status := api.poll(task).json()["status"]) != "completed":
            assert status in {"queued", "in_progress"}
        while (reply := api.content(task)).status_code == 400:
            assert reply.json()["error"]
        api.close()
    assert reply.status_code == 200


def test_the_port_is_free_again_after_closing(clock: ManualClock) -> None:
    first = Simulator(clock=clock)
    port = int(first.url.rpartition(":")[2])
    first.close()
    with Simulator(port=port, clock=clock) as second:
        assert second.url == first.url
