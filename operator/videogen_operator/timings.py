"""The process's own timings. Values only: what they are for stands with each setting."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """In seconds; each is a setting, so that tests can scale them."""

    intent_fresh: float = 10.0
    unknown_grace: float = 60.0
    unclaimed: float = 90.0
    walk: float = 60.0
    settle: float = 5.0
    held_recheck: float = 600.0
    retry_base: float = 30.0
    probe: float = 60.0
    early_poll: float = 10.0
    slow_poll: float = 60.0
    content_retry: float = 4.0
    copy_trouble: float = 30.0
    storage_warning: float = 300.0
    give_up_span: float = 3600.0
    storage_recheck: float = 300.0
