"""Where the seconds of a pursuit come from: each from one field of the class or one setting of the process."""

from typing import Any

import pytest

from builders import make_class, make_tier
from videogen_operator.api.gateway import OpenAIVideos, Provider
from videogen_operator.api.generation_class import VideoGenerationClass
from videogen_operator.pursuit import Pace
from videogen_operator.reconcile.pace import pace_of
from videogen_operator.timings import Timings

SECONDS = Timings(
    early_poll=1.0, slow_poll=2.0, content_retry=3.0, copy_trouble=4.0, storage_warning=5.0, give_up_span=6.0
)
FAST = make_tier("720p", first_poll_seconds=11, overdue_after_seconds=12)
SLOW = make_tier("4k", first_poll_seconds=21, overdue_after_seconds=22)


def klass(**spec: Any) -> VideoGenerationClass:
    gateway = {"endpoints": ("https://g.test/v1",), "api_key_secret_ref": {"name": "k"}, "poll_period_seconds": 31}
    provider = Provider(open_ai_videos=OpenAIVideos.model_validate(gateway))
    return make_class(provider=provider, abandon_after_seconds=32, tiers=(FAST, SLOW), **spec)


def test_each_value_is_the_one_of_its_name() -> None:
    assert pace_of(klass(), "720p", SECONDS) == Pace(
        early=1.0,
        first_poll=11.0,
        period=31.0,
        overdue_after=12.0,
        slow=2.0,
        content_retry=3.0,
        copy_trouble=4.0,
        storage_warning=5.0,
        abandon_after=32.0,
        give_up_span=6.0,
    )


@pytest.mark.parametrize(("tier", "first", "overdue"), [("4k", 21.0, 22.0), ("dropped", 21.0, 22.0)])
def test_the_tier_of_the_order_counts_and_the_slowest_for_one_that_is_gone(
    tier: str, first: float, overdue: float
) -> None:
    pace = pace_of(klass(), tier, SECONDS)
    assert (pace.first_poll, pace.overdue_after) == (first, overdue)
