"""The pace of a task: data of its class and tier, and seconds of the process."""

from ..api.generation_class import VideoGenerationClass
from ..pursuit import Pace
from ..timings import Timings


def pace_of(klass: VideoGenerationClass, tier_name: str, seconds: Timings) -> Pace:
    """How a task of that tier is pursued; a tier that the class has dropped is pursued like the slowest one left."""
    tiers = klass.spec.tiers
    tier = klass.spec.find_tier(tier_name) or max(tiers, key=lambda t: t.overdue_after_seconds)
    return Pace(
        early=seconds.early_poll,
        first_poll=float(tier.first_poll_seconds),
        period=float(klass.spec.provider.open_ai_videos.poll_period_seconds),
        overdue_after=float(tier.overdue_after_seconds),
        slow=seconds.slow_poll,
        content_retry=seconds.content_retry,
        copy_trouble=seconds.copy_trouble,
        storage_warning=seconds.storage_warning,
        abandon_after=float(klass.spec.abandon_after_seconds),
        give_up_span=seconds.give_up_span,
    )
