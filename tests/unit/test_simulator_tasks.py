"""The life of a task as a pure function."""

import re
from dataclasses import replace

import pytest

from videogen_simulator import tasks
from videogen_simulator.effects import NOTHING, Effect, Failure
from videogen_simulator.rules import Order
from videogen_simulator.settings import Settings
from videogen_simulator.tasks import FOR_EVER, Status

ORDER = Order(
    model="m",
    prompt_sha256="0" * 64,
    seconds=8,
    resolution="720p",
    aspect_ratio="16:9",
    size="1280x720",
    seed=None,
    negative_prompt_sha256=None,
    image_sha256=None,
    images_dropped=0,
    encoding="json",
    ignored=(),
)


def life(effect: Effect = NOTHING, *, scale: float = 1.0, name: str = "task_a", tier: str = "720p") -> tasks.Life:
    return tasks.life(replace(ORDER, resolution=tier), effect, Settings(time_scale=scale), name, 1000.0)


def test_ids_have_the_gateways_form_and_repeat_with_the_seed() -> None:
    assert re.fullmatch(r"task_[0-9A-Za-z]{32}", tasks.task_id("1", 1))
    assert tasks.task_id("1", 1) == tasks.task_id("1", 1)
    assert len({tasks.task_id(seed, n) for seed in "ab" for n in range(500)}) == 1000


@pytest.mark.parametrize(("tier", "low", "high"), [("720p", 60, 90), ("1080p", 80, 120), ("4k", 300, 360)])
def test_lengths_fill_the_documented_range(tier: str, low: float, high: float) -> None:
    lengths = [life(name=str(n), tier=tier).ends - 1000 for n in range(300)]
    assert low <= min(lengths) < low + (high - low) * 0.1
    assert high - (high - low) * 0.1 < max(lengths) <= high


def test_a_task_is_queued_then_in_progress_then_completed() -> None:
    one = life(Effect(duration=100))
    seen = [one.status(1000 + after) for after in (0, 9.9, 10, 99.9, 100, 1e9)]
    assert seen == [
        Status.QUEUED,
        Status.QUEUED,
        Status.IN_PROGRESS,
        Status.IN_PROGRESS,
        Status.COMPLETED,
        Status.COMPLETED,
    ]


def test_progress_knows_three_values() -> None:
    assert set(tasks.PROGRESS.values()) == {0, 50, 100}


def test_the_time_scale_divides_every_length() -> None:
    slow, fast = life(), life(scale=60)
    for name in ("started", "ends", "content_from", "expires"):
        assert getattr(fast, name) - 1000 == pytest.approx((getattr(slow, name) - 1000) / 60)


def test_content_comes_later_than_completion_and_goes() -> None:
    one = life()
    assert one.content_from - one.ends == pytest.approx(4)
    assert one.expires - one.ends == pytest.approx(172_800)


@pytest.mark.parametrize("state", [Status.QUEUED, Status.IN_PROGRESS])
def test_an_endless_task_stays_where_it_is(state: Status) -> None:
    one = life(Effect(endless=state.value))
    assert one.status(1e12) is state
    assert one.ends == FOR_EVER


def test_a_failed_task_carries_its_reason() -> None:
    one = life(Effect(failure=Failure(message="no", code="x"), duration=5))
    shown = tasks.wire_object("task_a", ORDER, one, 1005)
    assert (shown["status"], shown["progress"]) == ("failed", 100)
    assert shown["error"] == {"message": "no", "code": "x"}


def test_a_silent_failure_carries_none() -> None:
    one = life(Effect(failure=Failure(), duration=5))
    assert "error" not in tasks.wire_object("task_a", ORDER, one, 1005)


def test_completed_at_is_there_when_it_is_completed() -> None:
    one = life(Effect(duration=5))
    assert "completed_at" not in tasks.wire_object("task_a", ORDER, one, 1004)
    assert tasks.wire_object("task_a", ORDER, one, 1005)["completed_at"] == 1005


def test_a_task_that_is_ended_by_hand_has_its_content_at_once() -> None:
    one = tasks.ended_now(life(Effect(endless="queued")), 1007)
    assert (one.status(1007), one.content_from) == (Status.COMPLETED, 1007)
