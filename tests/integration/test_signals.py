"""How the process ends and what it says meanwhile: SIGTERM, exit codes, wrong settings, probes."""

import dataclasses
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from integration.disturbance import (
    Order,
    Rig,
    assert_one_of_each,
    changed,
    order,
    until,
    until_class_ready,
    until_phase,
)
from integration.harness import Site
from podrunner.pod import Pod, PodError
from stack import Stack

SOON = 15.0  # seconds for an end with nothing in the air, on a busy machine
ONE_AT_A_TIME = {"limits": {"maxInFlight": 10, "submitConcurrency": 1}}


@pytest.fixture(scope="module")
def rig(stack: Stack) -> Iterator[Rig]:
    with Rig(stack) as rig:
        yield rig


@pytest.fixture(scope="module")
def one_pod(rig: Rig) -> Pod:
    return rig.pod()


@pytest.fixture
def pod(one_pod: Pod) -> Iterator[Pod]:
    """The operator, running and ready; ended after the test."""
    yield one_pod.start().wait_ready()
    if one_pod.exit_code() is None:
        one_pod.kill()


@pytest.fixture(scope="module")
def ready_site(rig: Rig, one_pod: Pod) -> Site:
    """A class that was probed before, shared by the tests of this file; each has orders of its own."""
    site = rig.site(ONE_AT_A_TIME)
    one_pod.start()
    until_class_ready(site)
    one_pod.kill()
    return site


def page(pod: Pod, path: str) -> tuple[int, dict[str, str]]:
    """A page of the operator's own server."""
    try:
        with urllib.request.urlopen(f"{pod.url}{path}", timeout=10) as answer:  # noqa: S310 - an address of this machine
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def temporary_files(pod: Pod) -> list[str]:
    return [str(path) for path in (pod.folder / "volumes").rglob("*") if path.is_file()]


# ------------------------------------------------------------ SIGTERM with a POST in the air


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stopped:
    """A SIGTERM while one POST was held open by the gateway and two more orders waited for their turn."""

    in_the_air: Order
    waiting: list[Order]
    later_posts: list[float]  # times of POSTs between the signal and the end
    code: int
    stored_documents: list[str]
    status: dict[str, Any]


@pytest.fixture(scope="module")
def stopped(rig: Rig, ready_site: Site, one_pod: Pod) -> Stopped:
    one_pod.start().wait_ready()
    first = order(ready_site, "in-the-air", "[[sim:slow-answer seconds=25]]")
    until(first.posts, "the POST")
    others = [order(ready_site, f"waiting-{number}") for number in range(2)]
    until_phase(others, "Queued", "Submitting")
    signalled = time.time()
    one_pod.signal_stop()
    with pytest.raises(PodError, match="still runs"):
        one_pod.wait_end(2.0)
    rig.stack.simulator.release()
    code = one_pod.wait_end(SOON)
    return Stopped(
        in_the_air=first,
        waiting=others,
        later_posts=[post["at"] for post in ready_site.posts() if post["at"] > signalled],
        code=code,
        stored_documents=list(first.files()),
        status=first.status,
    )


def test_it_waits_for_the_answer_and_ends_with_code_0(stopped: Stopped) -> None:
    assert stopped.code == 0


def test_no_post_is_made_after_the_signal(stopped: Stopped) -> None:
    """By the gateway's clock, which is this machine's."""
    assert stopped.later_posts == []


def test_the_answer_in_the_air_is_recorded_in_the_ledger_before_the_end(stopped: Stopped) -> None:
    assert "a1.task.json" in stopped.stored_documents


def test_the_answer_in_the_air_is_recorded_in_the_status_before_the_end(stopped: Stopped) -> None:
    (task,) = stopped.in_the_air.tasks()
    assert stopped.status["taskID"] == task["id"]


def test_the_next_start_goes_on_where_it_stopped(stopped: Stopped, pod: Pod) -> None:
    orders = [stopped.in_the_air, *stopped.waiting]
    until_phase(orders, "Succeeded")
    for one in orders:
        assert_one_of_each(one)


# ------------------------------------------------------------ SIGTERM at other times


def test_stopped_while_a_task_is_polled_it_ends_soon_and_loses_nothing(pod: Pod, ready_site: Site) -> None:
    one = order(ready_site, "polled", "[[sim:endless]]")
    until_phase([one], "Generating")
    assert pod.terminate(SOON) == 0
    ready_site.stack.simulator.complete(one.tasks()[0]["id"])
    pod.start()
    until_phase([one], "Succeeded")
    assert_one_of_each(one)


def test_stopped_while_a_video_is_copied_it_leaves_no_temporary_file(pod: Pod, ready_site: Site) -> None:
    """The first download runs at 500 bytes a second; the next start downloads anew."""
    one = order(ready_site, "copied", "[[sim:content-slow rate=500]]")
    until(lambda: one.tasks() and one.tasks()[0]["downloads"], "the download")
    assert temporary_files(pod) != []
    assert pod.terminate(SOON) == 0
    assert temporary_files(pod) == []
    pod.start()
    until_phase([one], "Succeeded")
    assert_one_of_each(one)


def test_killed_while_a_video_is_copied_the_next_start_cleans_up(pod: Pod, ready_site: Site) -> None:
    one = order(ready_site, "killed-copy", "[[sim:content-slow rate=500]]")
    until(lambda: one.tasks() and one.tasks()[0]["downloads"], "the download")
    pod.kill()
    left = [path for path in temporary_files(pod) if path.endswith(".mp4")]
    assert left != []
    pod.start()
    until_phase([one], "Succeeded")
    assert not set(left) & set(temporary_files(pod))
    assert_one_of_each(one)


def test_two_signals_are_one(pod: Pod) -> None:
    pod.signal_stop()
    pod.signal_stop()
    assert pod.wait_end(SOON) == 0


# ------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("VIDEOGEN_WORKERS", "many", "VIDEOGEN_WORKERS='many': must be a whole number"),
        ("VIDEOGEN_WALK_SECONDS", "-1", "VIDEOGEN_WALK_SECONDS='-1': must be a number"),
        ("VIDEOGEN_LOG_LEVEL", "loud", "VIDEOGEN_LOG_LEVEL='loud': must be"),
        ("VIDEOGEN_WORKRES", "8", "VIDEOGEN_WORKRES is no setting; did you mean VIDEOGEN_WORKERS?"),
    ],
)
def test_a_wrong_setting_ends_the_process_with_code_2_and_its_name(rig: Rig, name: str, value: str, words: str) -> None:
    with Pod(rig.stack.plane, changed(rig.release, **{name: value})) as pod:
        assert pod.start().wait_end(SOON) == 2
        assert words in pod.logs()


def test_a_missing_setting_ends_the_process_with_code_2_and_its_name(rig: Rig) -> None:
    with Pod(rig.stack.plane, rig.release) as pod:
        del pod.environment["VIDEOGEN_NAMESPACE"]
        assert pod.start().wait_end(SOON) == 2
        assert "VIDEOGEN_NAMESPACE is not set" in pod.logs()


# ------------------------------------------------------------ probes


def test_a_running_operator_is_live_and_ready(pod: Pod) -> None:
    assert page(pod, "/livez") == page(pod, "/readyz") == (200, {"status": "ok"})


def test_other_pages_are_not_there(pod: Pod) -> None:
    assert page(pod, "/metrics")[0] == 404
