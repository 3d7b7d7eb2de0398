"""A part is away for a while: nothing is sent twice, nothing paid is lost, the process stays, all goes on by itself.

These tests stop servers and take away CRDs and rights, so they have a stack of their own. One outage of the API server
is longer than 54 s in real time: there kopf's default retries end the watch.
"""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from integration.disturbance import (
    QUICK,
    SHORTEST_SUBMIT,
    Order,
    assert_one_of_each,
    changed,
    class_condition,
    order,
    until,
    until_class_ready,
    until_phase,
)
from integration.harness import BUCKET, TIME_SCALE, Site, condition, make_site
from podrunner.pod import Pod
from podrunner.release import install
from stack import Stack
from videogen_operator.__main__ import POST_IN_THE_AIR

LONG = 70.0
SHORT = 5.0
CONVERGES_WITHIN = 30.0
CRD = "videogenerations.videogen.dev"
SETTINGS = {**QUICK, "intentFreshSeconds": 10}


@pytest.fixture(scope="module")
def world() -> Iterator[Stack]:
    """Servers that may be stopped."""
    with Stack(settings=SETTINGS, simulator=("--time-scale", str(TIME_SCALE))) as whole:
        whole.s3.make_bucket(BUCKET)
        yield whole


@pytest.fixture(scope="module")
def one_pod(world: Stack) -> Pod:
    return world.pod().start().wait_ready()


@pytest.fixture
def pod(one_pod: Pod) -> Pod:
    """The operator: one process for all outages, unless a test ends it."""
    if one_pod.exit_code() is not None:
        one_pod.start()
    return one_pod.wait_ready()


@pytest.fixture(scope="module")
def place(world: Stack, one_pod: Pod) -> Site:
    if one_pod.exit_code() is not None:  # a test that needs no place may have come first, and ended it
        one_pod.start().wait_ready()
    site = make_site(world, SHORTEST_SUBMIT)
    until_class_ready(site)
    return site


@contextmanager
def no_api_server(world: Stack) -> Iterator[None]:
    world.plane.stop_apiserver()
    try:
        yield
    finally:
        world.plane.start_apiserver()


@contextmanager
def no_bucket(world: Stack) -> Iterator[None]:
    world.s3.stop()
    try:
        yield
    finally:
        world.s3.start()


@contextmanager
def no_gateway(world: Stack, outage: str) -> Iterator[None]:
    world.simulator.change(outage=outage)
    try:
        yield
    finally:
        world.simulator.change(outage=None)


def last(seconds: float) -> None:
    """Let an outage last: its length is what is tested."""
    threading.Event().wait(seconds)


def why_not_ready(pod: Pod) -> str:
    """What /readyz complains about; empty when it is ready."""
    try:
        with urllib.request.urlopen(f"{pod.url}/readyz", timeout=10):  # noqa: S310 - an address of this machine
            return ""
    except urllib.error.HTTPError as refused:
        with refused:
            return " ".join(json.load(refused).values())


def ask(site: Site, name: str, markers: str = "") -> Order:
    """An order. The API server refuses all of them until its admission policy has found the classes.

    That takes it up to half a minute after its own start and after a CRD was made anew: it looks for the policy's
    paramKind no more often, and the policy fails closed.
    """
    until(lambda: _is_taken(site, name), "the API server's admission policy is ready")
    return order(site, name, markers)


def _is_taken(site: Site, name: str) -> bool:
    path = f"/apis/videogen.dev/v1alpha1/namespaces/{site.namespace}/videogenerations?dryRun=All"
    return bool(site.stack.plane.client.post(path, site.manifest(name)))


# ------------------------------------------------------------ the API server


@dataclass(frozen=True, kw_only=True)
class LongOutage:
    """What an outage of the API server left behind that began right before the answer to a POST."""

    files: Sequence[str]  # of the order, in the bucket, at the end of the outage
    converged: float  # seconds from the end of the outage to the stored video
    same_process: bool
    posts: int
    tasks: int
    videos: Sequence[str]


@pytest.fixture(scope="module")
def long_outage(world: Stack, place: Site, one_pod: Pod) -> LongOutage:
    """70 s without API server."""
    if one_pod.exit_code() is not None:
        one_pod.start()
    process = one_pod.wait_ready().pid
    one = ask(place, "answered-in-the-dark", "[[sim:slow-answer seconds=25]]")
    until(one.posts, "the POST")
    with no_api_server(world):
        world.simulator.release()
        until(lambda: "a1.task.json" in one.files(), "the task in the ledger", 20)
        last(LONG)
        files = one.files()
    back = time.monotonic()
    until_phase([one], "Succeeded", timeout=CONVERGES_WITHIN * 3)
    converged = time.monotonic() - back
    alive = one_pod.exit_code() is None and one_pod.is_live() and one_pod.pid == process
    return LongOutage(
        files=files,
        converged=converged,
        same_process=alive,
        posts=len(one.posts()),
        tasks=len(one.tasks()),
        videos=[file for file in one.files() if file.endswith(".mp4")],
    )


def test_the_process_survives_70_s_without_api_server(long_outage: LongOutage) -> None:
    assert long_outage.same_process


def test_the_task_id_is_durable_while_the_api_server_is_away(long_outage: LongOutage) -> None:
    assert "a1.task.json" in long_outage.files


def test_after_the_outage_it_is_stored_within_30_s(long_outage: LongOutage) -> None:
    assert long_outage.converged < CONVERGES_WITHIN


def test_the_outage_makes_no_second_post_and_loses_no_video(long_outage: LongOutage) -> None:
    assert (long_outage.posts, long_outage.tasks) == (1, 1)
    assert long_outage.videos == ["answered-in-the-dark.mp4"]


def test_the_watch_is_back_after_the_outage(long_outage: LongOutage, pod: Pod, place: Site) -> None:
    """An object that is made afterwards is seen."""
    one = ask(place, "after-the-dark")
    until_phase([one], "Succeeded")
    assert_one_of_each(one)


def test_a_short_outage_while_generating_and_storing_is_only_a_delay(world: Stack, pod: Pod, place: Site) -> None:
    generating = ask(place, "generating", "[[sim:endless]]")
    storing = ask(place, "storing", "[[sim:content-late seconds=300]]")
    until_phase([generating], "Generating")
    until(lambda: storing.tasks() and storing.tasks()[0]["downloads"], "a refused download")
    with no_api_server(world):
        world.simulator.complete(generating.tasks()[0]["id"])
        last(SHORT)
    until_phase([generating, storing], "Succeeded")
    assert_one_of_each(generating)
    assert_one_of_each(storing)


# ------------------------------------------------------------ the bucket


def test_without_the_bucket_nothing_is_sent(world: Stack, pod: Pod, place: Site) -> None:
    """A video is never bought that could not be stored. It says so, and goes on when the bucket is back."""
    with no_bucket(world):
        one = ask(place, "no-bucket")
        until(
            lambda: condition(place.read(one.name) or {}, "Ready").get("reason") == "LedgerUnavailable", "it says why"
        )
        assert one.posts() == []
    until_phase([one], "Succeeded")
    assert_one_of_each(one)


def test_without_the_bucket_the_class_says_so(world: Stack, pod: Pod, place: Site) -> None:
    with no_bucket(world):
        until(lambda: class_condition(place, "StorageReady").get("status") == "False", "StorageReady=False", 90)
    until_class_ready(place)


def test_a_bucket_lost_in_the_middle_of_a_copy_costs_no_second_download(world: Stack, pod: Pod, place: Site) -> None:
    one = ask(place, "half-copied", "[[sim:content-slow rate=4000]]")
    until(lambda: one.tasks() and one.tasks()[0]["downloads"], "the download")
    with no_bucket(world):
        until(lambda: one.tasks()[0]["downloads"][0]["whole"], "the end of the download")
        last(SHORT)
    until_phase([one], "Succeeded")
    assert_one_of_each(one)
    assert len([d for d in one.tasks()[0]["downloads"] if d["http"] == "200"]) == 1


# ------------------------------------------------------------ both


def test_a_task_id_that_no_record_took_is_told_at_the_end_and_brings_the_task_back(
    world: Stack, pod: Pod, place: Site
) -> None:
    """The answer to an order comes, and then the end of the process, while API server and bucket are away."""
    pod.kill()
    with Pod(world.plane, changed(world.release, VIDEOGEN_DRAIN_SECONDS="3")) as ending:
        ending.start().wait_ready()
        one = ask(place, "told-at-the-end", "[[sim:slow-answer seconds=25]]")
        until(one.posts, "the POST")
        with no_api_server(world), no_bucket(world):
            world.simulator.release()
            until(lambda: "task created" in ending.logs(), "the answer")
            ending.signal_stop()
            code = ending.wait_end(30)
            told = [line for line in map(json.loads, ending.logs().splitlines()) if "annotation" in line]
    (task,) = one.tasks()
    assert code == POST_IN_THE_AIR
    assert [(line["severity"], line["object"]) for line in told] == [("CRITICAL", one.key)]
    assert one.files() == ["a1.intent.json"]
    pod.start().wait_ready()
    until_phase([one], "Held")
    one.answer(told[0]["annotation"].removeprefix("videogen.dev/resolve="))
    until_phase([one], "Succeeded")
    assert one.status["taskID"] == task["id"]
    assert_one_of_each(one)


# ------------------------------------------------------------ the gateway


@pytest.mark.parametrize("outage", ["503", "close"])
def test_a_gateway_that_is_away_loses_no_task(world: Stack, pod: Pod, place: Site, outage: str) -> None:
    one = ask(place, f"gateway-{outage}", "[[sim:endless]]")
    until_phase([one], "Generating")
    with no_gateway(world, outage):
        world.simulator.complete(one.tasks()[0]["id"])
        last(SHORT)
        assert one.phase == "Generating"
    until_phase([one], "Succeeded")
    assert_one_of_each(one)


# ------------------------------------------------------------ rights and CRDs


@contextmanager
def no_rights(world: Stack) -> Iterator[None]:
    """The operator's ClusterRoleBindings are taken away."""
    listed = json.loads(world.plane.kubectl("get", "clusterrolebindings", "--output", "json").stdout)["items"]
    mine = [one for one in listed if one["metadata"]["name"].startswith("videogen")]
    assert mine
    for binding in mine:
        world.plane.kubectl("delete", "clusterrolebinding", binding["metadata"]["name"])
        del binding["metadata"]["resourceVersion"], binding["metadata"]["uid"]
    try:
        yield
    finally:
        world.apply(*mine)


def test_without_its_rights_nothing_is_sent_and_with_them_it_goes_on(world: Stack, pod: Pod, place: Site) -> None:
    with no_rights(world):
        one = ask(place, "no-rights")
        until(lambda: "403" in pod.logs(), "the refusal in the log")
        assert one.posts() == []
        assert pod.exit_code() is None
    until_phase([one], "Succeeded")
    assert_one_of_each(one)


def test_without_the_right_to_watch_readiness_says_why(world: Stack, pod: Pod) -> None:
    """The API server is started anew in between, since a watch that runs is not ended by a right that is taken away."""
    with no_rights(world):
        world.plane.restart_apiserver()
        until(lambda: "403" in why_not_ready(pod), "readiness names the refusal")
    until(lambda: why_not_ready(pod) == "", "ready again", 90)


def remove_crd(world: Stack) -> None:
    """With all objects of the kind; it is gone when this returns."""
    world.plane.kubectl("delete", "crd", CRD, "--timeout=60s")


def restore_crd(world: Stack) -> None:
    install(world.plane, {"settings": {"httpHost": "127.0.0.1", **SETTINGS}})


def test_a_crd_that_goes_and_comes_back(world: Stack, pod: Pod, place: Site) -> None:
    """The process stays, readiness says why, and the same manifest adopts what is in the ledger."""
    before = ask(place, "outlives-its-crd")
    until_phase([before], "Succeeded")
    remove_crd(world)
    try:
        until(lambda: why_not_ready(pod) != "", "readiness sees it", 120)
        assert pod.exit_code() is None
    finally:
        restore_crd(world)
    until(lambda: why_not_ready(pod) == "", "ready again", 90)
    again = ask(place, "outlives-its-crd")
    until_phase([again], "Succeeded")
    assert_one_of_each(again)


def test_started_without_crds_it_is_live_waits_and_says_why(world: Stack, pod: Pod) -> None:
    pod.kill()
    remove_crd(world)
    try:
        pod.start()
        until(lambda: "CRDs" in why_not_ready(pod), "readiness names the CRDs")
        assert pod.is_live()
    finally:
        restore_crd(world)
    pod.wait_ready()


def test_stopped_while_it_waits_for_crds_it_ends_with_code_0(world: Stack, pod: Pod) -> None:
    pod.kill()
    remove_crd(world)
    try:
        pod.start()
        until(lambda: "CRDs" in why_not_ready(pod), "it waits")
        assert pod.terminate(15) == 0
    finally:
        restore_crd(world)
