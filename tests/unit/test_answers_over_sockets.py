"""The whole way from bytes on a socket to a meaning, for each failure that the simulator can rehearse."""

import io
from collections.abc import Iterator, Mapping

import pytest

from contracts.video_api import BODY
from videogen_operator import mp4
from videogen_operator.adapters.video_api import HttpVideoApi, Pace
from videogen_operator.answers import (
    Accepted,
    Completed,
    Failed,
    FailureKind,
    NoSuchTask,
    NotReady,
    Refused,
    Rejected,
    Rejection,
    SubmitAnswer,
    Unknown,
    Working,
    looks_like_error_page,
    read_content,
    read_poll,
    read_submit,
)
from videogen_operator.ports import Answer, Downloaded, NoAnswer
from videogen_operator.redaction import Secret
from videogen_simulator import markers
from videogen_simulator.server import Simulator
from videogen_simulator.settings import Settings

KEY = Secret("sim-key")
SIMULATED = Settings(time_scale=1, content_delay=0.000001, max_open=1000)


@pytest.fixture(scope="module")
def api() -> Iterator[HttpVideoApi]:
    api = HttpVideoApi(trust_env=False, pace=Pace(answer=5, first_byte=5, grace=0.3, bytes_per_second=1_000_000))
    yield api
    api.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with Simulator(SIMULATED) as running:
        yield running


@pytest.fixture
def simulator(shared: Simulator) -> Iterator[Simulator]:
    yield shared
    shared.disarm()
    shared.complete()


def arm(simulator: Simulator, scenario: str, parameters: Mapping[str, object]) -> None:
    """For the next POST; `task` is a parameter of some scenarios."""
    simulator.gateway.rehearsal.arm(markers.chosen(scenario, parameters), 1)


def submit(api: HttpVideoApi, simulator: Simulator, *, timeout: float = 5, not_billed: bool = False) -> SubmitAnswer:
    exchange = api.submit(f"{simulator.url}/v1", KEY, BODY, timeout=timeout)
    return read_submit(exchange, server_errors_not_billed=not_billed, hidden=["Coastal lighthouse at dusk"])


def made(api: HttpVideoApi, simulator: Simulator) -> str:
    said = submit(api, simulator)
    assert isinstance(said, Accepted), said
    return said.task_id


@pytest.mark.parametrize(
    ("scenario", "parameters", "kind"),
    [
        ("refused-parameters", {}, Rejection.REQUEST),
        ("content-policy", {"status": 400}, Rejection.CONTENT_POLICY),
        ("content-policy", {"status": 403}, Rejection.CONTENT_POLICY),
        ("wrong-key", {}, Rejection.CREDENTIALS),
        ("no-balance", {"status": 403}, Rejection.INSUFFICIENT_BALANCE),
        ("no-balance", {"status": 429}, Rejection.INSUFFICIENT_BALANCE),
        ("rate-limited", {}, Rejection.RATE_LIMITED),
        ("model-gone", {}, Rejection.MODEL_UNAVAILABLE),
        ("no-channel", {}, Rejection.MODEL_UNAVAILABLE),
    ],
)
def test_a_refused_post(
    api: HttpVideoApi, simulator: Simulator, scenario: str, parameters: dict[str, object], kind: Rejection
) -> None:
    arm(simulator, scenario, parameters)
    said = submit(api, simulator)
    assert isinstance(said, Rejected), said
    assert said.kind is kind


def test_the_wish_of_a_rate_limit_is_read(api: HttpVideoApi, simulator: Simulator) -> None:
    simulator.arm("rate-limited", retry_after=7)
    said = submit(api, simulator)
    assert isinstance(said, Rejected)
    assert said.retry_after == 7


@pytest.mark.parametrize(
    ("scenario", "parameters"),
    [
        ("server-error", {"task": "none"}),
        ("server-error", {"task": "made"}),
        ("server-error", {"status": 503}),
        ("html-error", {}),
        ("answer-lost", {"how": "close"}),
        ("answer-lost", {"how": "reset"}),
        ("request-lost", {"how": "close"}),
        ("answer-without-id", {}),
        ("answer-not-json", {}),
        ("answer-huge", {}),
    ],
)
def test_a_post_whose_outcome_is_unknown(
    api: HttpVideoApi, simulator: Simulator, scenario: str, parameters: dict[str, object]
) -> None:
    arm(simulator, scenario, parameters)
    assert isinstance(submit(api, simulator), Unknown)


def test_an_answer_that_comes_too_late_is_unknown(api: HttpVideoApi, simulator: Simulator) -> None:
    simulator.arm("slow-answer", seconds=30)
    assert isinstance(submit(api, simulator, timeout=0.3), Unknown)
    simulator.release()


@pytest.mark.parametrize(("status", "answer"), [(500, Rejected), (503, Rejected), (502, Unknown), (504, Unknown)])
def test_the_gateways_own_5xx_is_free_where_its_terms_say_so(
    api: HttpVideoApi, simulator: Simulator, status: int, answer: type
) -> None:
    simulator.arm("server-error", status=status)
    assert isinstance(submit(api, simulator, not_billed=True), answer)


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("failed-policy", FailureKind.POLICY),
        ("failed-internal", FailureKind.CAPACITY),
        ("failed-silent", FailureKind.NO_REASON),
        ("false-failure", FailureKind.NO_REASON),
    ],
)
def test_a_poll_that_says_failed(api: HttpVideoApi, simulator: Simulator, scenario: str, kind: FailureKind) -> None:
    simulator.arm(scenario)
    task_id = made(api, simulator)
    simulator.complete(task_id)
    said = read_poll(api.poll(f"{simulator.url}/v1", KEY, task_id))
    assert isinstance(said, Failed), said
    assert said.kind is kind


@pytest.mark.parametrize(
    ("scenario", "parameters", "answer"),
    [
        ("none", {}, Working),
        ("endless", {"state": "in_progress"}, Working),
        ("poll-status", {"says": "reviewing"}, Working),
        ("poll-status", {"says": "SUCCESS"}, Completed),
        ("poll-error", {"status": 500}, Refused),
        ("poll-error", {"status": 429}, Refused),
        ("poll-not-found", {}, NoSuchTask),
    ],
)
def test_other_polls(
    api: HttpVideoApi, simulator: Simulator, scenario: str, parameters: dict[str, object], answer: type
) -> None:
    arm(simulator, scenario, parameters)
    said = read_poll(api.poll(f"{simulator.url}/v1", KEY, made(api, simulator)))
    assert isinstance(said, answer), said


def fetched(
    api: HttpVideoApi, simulator: Simulator, scenario: str, **parameters: object
) -> tuple[Downloaded | Answer | NoAnswer, io.BytesIO]:
    arm(simulator, scenario, parameters)
    task_id = made(api, simulator)
    simulator.complete(task_id)
    file = io.BytesIO()
    outcome = api.download(f"{simulator.url}/v1", KEY, task_id, file, limit=50_000_000)
    assert isinstance(outcome, Downloaded | Answer | NoAnswer), outcome
    return outcome, file


@pytest.mark.parametrize(
    ("scenario", "parameters"),
    [
        ("content-cut", {"framing": "length"}),
        ("content-cut", {"framing": "chunked"}),
        ("content-length", {"off": 1000}),
        ("content-slow", {"rate": 1000}),
        ("content-redirect", {}),
    ],
)
def test_a_download_that_does_not_arrive(
    api: HttpVideoApi, simulator: Simulator, scenario: str, parameters: dict[str, object]
) -> None:
    outcome, _ = fetched(api, simulator, scenario, **parameters)
    assert isinstance(outcome, NoAnswer), outcome


def test_a_cut_that_looks_like_an_end_is_seen_by_the_boxes(api: HttpVideoApi, simulator: Simulator) -> None:
    outcome, file = fetched(api, simulator, "content-cut", framing="close")
    assert isinstance(outcome, Downloaded)
    assert outcome.declared is None
    assert isinstance(mp4.inspect(file, outcome.size), mp4.NotAVideo)


@pytest.mark.parametrize("scenario", ["content-json", "content-html"])
def test_an_error_under_a_200_is_no_video(api: HttpVideoApi, simulator: Simulator, scenario: str) -> None:
    outcome, file = fetched(api, simulator, scenario)
    assert isinstance(outcome, Downloaded)
    assert looks_like_error_page(file.getvalue()[:64])
    assert isinstance(mp4.inspect(file, outcome.size), mp4.NotAVideo)


def test_content_that_persists_in_failing_is_asked_for_again(api: HttpVideoApi, simulator: Simulator) -> None:
    outcome, _ = fetched(api, simulator, "content-error", status=502)
    assert isinstance(outcome, Answer)
    assert isinstance(read_content(outcome), Refused)


def test_content_before_completion_is_not_ready(api: HttpVideoApi, simulator: Simulator) -> None:
    outcome = api.download(f"{simulator.url}/v1", KEY, made(api, simulator), io.BytesIO(), limit=50_000_000)
    assert isinstance(outcome, Answer)
    assert isinstance(read_content(outcome), NotReady)
