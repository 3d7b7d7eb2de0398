"""When a status write is worth making: only when a person would learn something from it."""

from typing import Final

from .actions import Action, Forget, Recall, Show, Wait
from .admission import Refusal
from .conditions import Reason, Standing, Step
from .job import Job, active_revision, shows
from .pursuit import Moment

LABELS_RECHECK: Final = 60.0  # seconds until a namespace's labels are looked up again


RECHECK: Final = 600.0  # seconds until a refused request is compared with the ledger again


def not_offered(job: Job, refusal: Refusal, now: Moment) -> Action:
    """Needs an edit, of which a watch tells; but labels of namespaces are not watched, so they are looked up again."""
    standing = Standing(step=Step.REFUSED, reason=refusal.reason, message=refusal.message)
    again = refusal.reason is Reason.NAMESPACE_NOT_ALLOWED
    return park(job, standing, until=now.ticks + LABELS_RECHECK if again else None)


def refuse(job: Job, reason: Reason, message: str, now: Moment) -> Action:
    """Another request was bought under this revision; compared again now and then, since that may end unbilled."""
    until = job.folder_read + RECHECK
    if now.ticks >= until:
        return Recall(active_revision(job.obj))
    return show(job, Standing(step=Step.REFUSED, reason=reason, message=message), until=until)


def park(job: Job, standing: Standing, until: float | None = None) -> Action:
    """Not now. From one waiting reason to another nothing is written."""
    return show(job, standing, until=until)


def show(job: Job, standing: Standing, *, until: float | None) -> Action:
    """A write if it tells something new or the generation is new; else nothing before `until`."""
    if differs(job, standing) or job.obj.status.observed_generation != job.obj.metadata.generation:
        return Show(standing, until)
    return Forget() if until is None else Wait(until)


def differs(job: Job, standing: Standing) -> bool:
    """Whether the object does not say it yet."""
    return not shows(job.obj, standing)
