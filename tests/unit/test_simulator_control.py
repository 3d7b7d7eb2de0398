"""The control endpoints and the settings behind them."""

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from simulator_client import Caller
from videogen_simulator import settings
from videogen_simulator.clock import ManualClock
from videogen_simulator.server import Simulator
from videogen_simulator.settings import Settings, SettingsError


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(clock=ManualClock(), seed="1") as running:
        yield running


@pytest.fixture
def api(simulator: Simulator) -> Iterator[Caller]:
    caller = Caller(simulator)
    yield caller
    caller.close()


def set_to(api: Caller, **changes: object) -> httpx.Response:
    return api.http.post("/_sim/settings", json=changes)


def test_a_scenario_is_armed_for_the_next_posts_and_taken_back(api: Caller) -> None:
    reply = api.http.post("/_sim/scenario", json={"name": "rate-limited", "posts": 2})
    assert reply.json() == {"armed": [{"name": "rate-limited", "posts": 2}]}
    assert [api.post().status_code for _ in range(3)] == [429, 429, 200]
    api.http.post("/_sim/scenario", json={"name": "server-error", "parameters": {"status": 503}, "posts": "all"})
    assert [api.post().status_code for _ in range(3)] == [503, 503, 503]
    assert api.http.delete("/_sim/scenario").json() == {"armed": []}
    assert api.post().status_code == 200


def test_a_scenario_meets_a_task_that_exists(api: Caller, simulator: Simulator) -> None:
    task = api.made()
    assert api.http.post("/_sim/scenario", json={"name": "content-error", "task": task}).status_code == 200
    simulator.complete()
    assert api.content(task).status_code == 502


def test_the_life_of_a_task_can_be_changed_while_it_runs(api: Caller, simulator: Simulator) -> None:
    task = api.made()
    simulator.arm("takes", task=task, seconds=0)
    assert api.poll(task).json()["status"] == "completed"
    with pytest.raises(KeyError):
        simulator.arm("takes", task="task_none")


@pytest.mark.parametrize("name", ["clip-short", "clip-small", "clip-bytes", "c2pa"])
def test_the_clip_of_a_task_that_exists_can_be_changed(api: Caller, simulator: Simulator, name: str) -> None:
    task = api.made(metadata={"resolution": "1080p"})
    simulator.complete()
    before = api.content(task).content
    simulator.arm(name, task=task)
    after = api.content(task).content
    assert after != before
    assert simulator.ledger(task=task)["tasks"][0]["content_sha256"] == hashlib.sha256(after).hexdigest()


@pytest.mark.parametrize("name", ["rate-limited", "answer-lost", "slow-answer", "server-error"])
def test_a_scenario_of_the_post_is_not_for_a_task_that_exists(api: Caller, name: str) -> None:
    """A rehearsal that cannot happen is refused, as a misspelt one is."""
    reply = api.http.post("/_sim/scenario", json={"name": name, "task": api.made()})
    assert reply.status_code == 400
    assert "changes the answer to a POST" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "there is no scenario ''"),
        ({"name": 3}, "name must be a string"),
        ({"name": "none", "posts": 0}, "posts must be a number"),
        ({"name": "none", "posts": True}, "posts must be a number"),
        ({"name": "none", "parameters": "x"}, "parameters must be an object"),
        ({"name": "none", "count": 1}, "unknown field 'count'"),
        ({"name": "none", "task": "task_none"}, "there is no such task"),
        ([], "must be a JSON object"),
    ],
)
def test_a_wrong_arming_is_refused(api: Caller, body: object, says: str) -> None:
    reply = api.http.post("/_sim/scenario", json=body)
    assert reply.status_code == 400
    assert says in reply.json()["error"]["message"]


def test_settings_change_while_it_runs(api: Caller) -> None:
    reply = set_to(api, time_scale=60, max_open=3, models={"other": 0.05}, balances={"default": 5})
    shown = reply.json()
    assert (shown["time_scale"], shown["max_open"], shown["models"]["other"]) == (60, 3, 0.05)
    assert shown["balances"] == {"default": 5}
    assert api.made(model="other")
    assert set_to(api, models={"other": None}, balances={"default": None}).json()["balances"] == {"default": None}
    assert api.post(model="other").status_code == 503


def test_a_key_is_replaced_while_it_runs(api: Caller, simulator: Simulator) -> None:
    assert set_to(api, keys={"sim-key": None, "new": "default"}).status_code == 200
    assert api.post().status_code == 401
    fresh = Caller(simulator, "new")
    assert fresh.post().status_code == 200
    fresh.close()


def test_settings_never_show_the_keys(api: Caller) -> None:
    assert "sim-key" not in api.http.get("/_sim/settings").text


@pytest.mark.parametrize(("outage", "status"), [(503, 503), ("504", 504)])
def test_an_outage_answers_everything_with_its_status(api: Caller, outage: object, status: int) -> None:
    task = api.made()
    set_to(api, outage=outage)
    assert {api.post().status_code, api.poll(task).status_code, api.content(task).status_code} == {status}
    set_to(api, outage=None)
    assert api.poll(task).status_code == 200


def test_an_outage_can_close_connections(api: Caller, simulator: Simulator) -> None:
    set_to(api, outage="close")
    with pytest.raises(httpx.RemoteProtocolError):
        api.post()
    assert simulator.ledger()["counters"]["posts_by_outcome"] == {"close": 1}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"speed": 2}, "unknown setting 'speed'; there are: c2pa, content_delay,"),
        ({"time_scale": 0}, "time_scale: must be above 0"),
        ({"time_scale": "fast"}, "time_scale: 'fast' is not a number"),
        ({"time_scale": True}, "time_scale: True is not a number from 0 up"),
        ({"retention": -1}, "retention: -1 is not a number from 0 up"),
        ({"max_open": 1.5}, "max_open: 1.5 is not a whole number"),
        ({"pad_bytes": "4 PB"}, "pad_bytes: '4 PB' is not a size such as 4MB"),
        ({"pad_bytes": "3GB"}, "pad_bytes: at most 2147483648 bytes"),
        ({"models": {"m": "cheap"}}, "models m: 'cheap' is not a price"),
        ({"models": ["m"]}, "models: needs an object"),
        ({"durations": {"720p": "90-60"}}, "durations 720p: 90 is above 60"),
        ({"durations": {"720p": "soon"}}, "durations 720p: 'soon' is not a number"),
        ({"durations": {"720p": None}}, "durations: needs 720p, 1080p, 4k and no other"),
        ({"keys": {"k": "two words"}}, "keys k: 'two words' is not a word"),
        ({"outage": 200}, "outage: 200 is not close, a status from 400 to 599, or null"),
        ({"c2pa": "yes"}, "c2pa: 'yes' is not true or false"),
        ({"balances": {"a": "x"}}, "balances a: 'x' is not a price"),
    ],
)
def test_a_wrong_setting_is_refused_and_nothing_changes(api: Caller, changes: dict[str, object], says: str) -> None:
    before = api.http.get("/_sim/settings").json()
    reply = set_to(api, c2pa=True, **changes) if "c2pa" not in changes else set_to(api, **changes)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith(says)
    assert api.http.get("/_sim/settings").json() == before


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("4MB", 4_000_000), ("4 mb", 4_000_000), ("1MiB", 2**20), ("1.5KB", 1500), (7, 7), ("auto", -1)],
)
def test_sizes_are_read(text: object, size: int) -> None:
    assert settings.size("x", text) == size


def test_changing_gives_a_new_value_and_keeps_the_old() -> None:
    old = Settings()
    new = settings.changed(old, {"durations": {"720p": [1, 2]}})
    assert (old.durations["720p"], new.durations["720p"], new.durations["4k"]) == ((60, 90), (1, 2), (300, 360))
    with pytest.raises(SettingsError):
        settings.changed(old, {"nothing": 1})


def test_the_ledger_is_read_over_http(api: Caller, simulator: Simulator) -> None:
    task = api.made()
    record = api.http.get("/_sim/ledger").json()
    assert record == simulator.ledger()
    assert set(record) == {"now", "next", "counters", "posts", "tasks", "strays", "balances", "held"}
    later = api.http.get("/_sim/ledger", params={"since": record["next"]}).json()
    assert (later["posts"], later["tasks"]) == ([], [])
    assert [one["id"] for one in api.http.get("/_sim/ledger", params={"task": task}).json()["tasks"]] == [task]
    assert api.http.get("/_sim/ledger", params={"since": "yesterday"}).status_code == 400


def test_all_open_tasks_are_ended_by_hand(api: Caller) -> None:
    tasks = [api.made("[[sim:endless]]") for _ in range(3)]
    assert api.http.post("/_sim/complete", json={"task": tasks[0]}).json() == {"completed": 1}
    assert api.http.post("/_sim/complete").json() == {"completed": 2}
    assert {api.poll(task).json()["status"] for task in tasks} == {"completed"}


def test_the_table_of_scenarios_is_shown(api: Caller) -> None:
    table = api.http.get("/_sim/scenarios").json()
    assert table["slow-answer"]["takes"] == {"seconds": 10.0, "task": ["before", "after"]}


def test_an_unknown_control_address_names_those_that_exist(api: Caller) -> None:
    reply = api.http.get("/_sim/nothing")
    assert reply.status_code == 404
    assert "GET /_sim/ledger" in reply.json()["error"]["message"]


def test_the_control_endpoints_need_their_key_but_health_does_not() -> None:
    with Simulator(control_key="secret") as running, httpx.Client(base_url=running.url, trust_env=False) as client:
        codes = [client.get(f"/_sim/{name}").status_code for name in ("health", "ledger", "settings")]
        allowed = client.get("/_sim/ledger", headers={"Authorization": "Bearer secret"})
        wrong = client.get("/_sim/ledger", headers={"Authorization": "Bearer sim-key"})
    assert (codes, allowed.status_code, wrong.status_code) == ([200, 401, 401], 200, 401)


def test_health_tells_how_busy_it_is(api: Caller) -> None:
    api.made()
    assert api.http.get("/_sim/health").json() == {"status": "ok", "posts": 1, "tasks": 1, "open": 1}
