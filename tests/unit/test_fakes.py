"""The places where crash tests break in, and the lives that a test can write for a task."""

import io

import pytest

from contracts.video_api import BODY
from fakes import Crash, Effect, FakeKube, FakeStores, FakeVideoApi, Hooks, Life
from videogen_operator.answers import (
    Failed,
    NotSent,
    Rejected,
    Unknown,
    read_poll,
    read_submit,
)
from videogen_operator.errors import StoreReason, StoreTrouble
from videogen_operator.ports import Created, Kind, StoreAddress
from videogen_operator.redaction import Secret

KEY = Secret("key")


def crash(_: Effect) -> None:
    raise Crash


def test_a_crash_before_an_effect_leaves_nothing_behind() -> None:
    stores = FakeStores(Hooks(before=crash))
    with pytest.raises(Crash):
        stores.open(StoreAddress(bucket="videos"), None).create("k", b"")
    assert stores.buckets["videos"] == {}
    assert stores.hooks.log == []


def test_a_crash_after_an_effect_loses_only_the_reply() -> None:
    stores = FakeStores(Hooks(after=crash))
    with pytest.raises(Crash):
        stores.open(StoreAddress(bucket="videos"), None).create("k", b"")
    assert list(stores.buckets["videos"]) == ["k"]
    assert [str(effect) for effect in stores.hooks.log] == ["store.create k"]


def test_trouble_of_a_store_can_come_before_or_after_the_write() -> None:
    def trouble(_: Effect) -> None:
        raise StoreTrouble(StoreReason.UNAVAILABLE, "m")

    stores = FakeStores(Hooks(after=trouble))
    store = stores.open(StoreAddress(bucket="videos"), None)
    with pytest.raises(StoreTrouble):
        store.create("k", b"one")
    stores.hooks.after = lambda _: None
    assert store.create("k", b"one") is Created.EXISTS


def test_every_call_of_every_port_is_an_effect() -> None:
    hooks = Hooks()
    kube, api = FakeKube(hooks), FakeVideoApi(hooks=hooks)
    store = FakeStores(hooks).open(StoreAddress(bucket="videos"), None)
    kube.read(Kind.CLASS, "", "x")
    kube.patch_status(Kind.CLASS, "", "x", [])
    kube.names(Kind.CLASS)
    kube.secret("x")
    kube.namespace_labels("x")
    kube.event("x", {})
    api.submit("e", KEY, BODY, timeout=1)
    api.poll("e", KEY, "t")
    api.download("e", KEY, "t", io.BytesIO(), limit=1)
    api.probe("e", KEY)
    store.keys("")
    store.read("k")
    store.create("k", b"")
    store.head("k")
    store.create_video("v", io.BytesIO(), size=0, sha256=EMPTY, metadata={})
    store.probe(thorough=True)
    assert len({effect.name for effect in hooks.log}) == len(hooks.log) == 16


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("life", "answer", "posts", "tasks"),
    [
        (Life.not_sent(), NotSent, 0, 0),
        (Life.lost(), Unknown, 1, 1),
        (Life.lost(made=False), Unknown, 1, 0),
        (Life.rejected(429, retry_after="7"), Rejected, 1, 0),
    ],
)
def test_a_life_decides_what_the_post_answers_and_makes(life: Life, answer: type, posts: int, tasks: int) -> None:
    api = FakeVideoApi(lives=[life])
    said = read_submit(api.submit("e", KEY, BODY, timeout=1), server_errors_not_billed=False)
    assert isinstance(said, answer)
    assert (len(api.posts), len(api.tasks)) == (posts, tasks)


def test_the_last_word_of_a_life_stays() -> None:
    api = FakeVideoApi(lives=[Life(polls=("queued", "failed"))])
    api.submit("e", KEY, BODY, timeout=1)
    said = [read_poll(api.poll("e", KEY, "task_0001")) for _ in range(4)]
    assert [isinstance(one, Failed) for one in said] == [False, True, True, True]


def test_tasks_belong_to_the_account_of_their_key() -> None:
    api = FakeVideoApi(accounts={"one": "a", "same": "a", "other": "b"})
    api.submit("e", Secret("one"), BODY, timeout=1)
    statuses = [getattr(api.poll("e", Secret(key), "task_0001"), "status", 0) for key in ("same", "other", "none")]
    assert statuses == [200, 400, 401]


def test_the_most_open_tasks_are_counted() -> None:
    api = FakeVideoApi(lives=[Life(polls=("completed",)), Life(), Life()])
    api.submit("e", KEY, BODY, timeout=1)
    api.poll("e", KEY, "task_0001")
    for _ in range(2):
        api.submit("e", KEY, BODY, timeout=1)
    assert api.max_open == 2
