"""Where an object with a task stands, and when to look again: only what a person must see is written."""

from . import pursuit
from .actions import Action, Show, Wait, Warn
from .api.generation import VideoGeneration
from .api.money import usd
from .conditions import Reason, Standing, Step, Type, find
from .job import Job
from .pursuit import Moment, Pace, Pursuit
from .showing import differs


def show_progress(job: Job, p: Pursuit, pace: Pace, now: Moment) -> Action:
    """Nothing is due for the task: show or warn of what must be seen, else wait."""
    standing = progress(p, pace, now, job.obj)
    if job.obj.status.observed_generation != job.obj.metadata.generation or differs(job, standing):
        return Show(standing, p.due)
    if pursuit.storage_is_down(p, now, pace) and Reason.STORAGE_UNAVAILABLE not in job.told:
        return Warn(standing)
    return Wait(_next_sight(p, pace, now))


def _next_sight(p: Pursuit, pace: Pace, now: Moment) -> float:
    """The next due time, or the moment from which a slow copy must be shown or warned of."""
    if p.completed is None:
        return p.due
    marks = (p.completed.ticks + pace.copy_trouble, pursuit.storage_warning_at(p, pace))
    return min(p.due, *(mark + 0.1 for mark in marks if now.ticks <= mark), p.due)


def progress(p: Pursuit, pace: Pace, now: Moment, obj: VideoGeneration) -> Standing:
    """Where an object with a task stands; only what a person must see differs from Generating."""
    task = p.task.task_id
    if pursuit.copy_in_trouble(p, now, pace):
        cost = usd(p.resolved.price_usd)
        message = f"task {task} is completed, billed {cost}; the copy goes on by itself: {p.detail or 'it is slow'}"
        return Standing(step=Step.STORING, reason=p.trouble or Reason.DOWNLOADING, message=message)
    if p.trouble is not None and p.completed is None:
        message = f"task {task} is kept and asked for again by itself: {p.detail}"
        return Standing(step=Step.GENERATING, reason=p.trouble, message=message)
    if pursuit.overdue(p, now, pace):
        message = f"task {task} is late; it is kept and asked for once a minute, never ordered again"
        return Standing(step=Step.GENERATING, reason=Reason.GENERATION_OVERDUE, message=message)
    shown = find(obj.status.conditions, Type.READY)
    message = shown.message if shown is not None and shown.reason == Reason.GENERATING else f"task {task}"
    return Standing(step=Step.GENERATING, reason=Reason.GENERATING, message=message)
