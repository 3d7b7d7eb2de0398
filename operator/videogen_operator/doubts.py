"""An unknown outcome: waited for, held for a person, resolved by the person's answer; never sent again by itself."""

from typing import Final

from . import ledger_names
from .actions import Action, Doubt, Recall, RecordTask, RefuseAnswer, Resolve
from .api.generation import RESOLVE_ANNOTATION
from .api.generation_status import AttemptState
from .job import Job, active_revision, late_adoption, newest_attempt, own_number, parse_answer
from .ledger import Entry, Intent
from .pursuit import Moment


def doubt(job: Job, entry: Entry, intent: Intent, now: Moment) -> Action:
    """An intent without an answer: wait out the grace, look once more, then hold until a person answers."""
    timeout = job.klass.spec.provider.open_ai_videos.submit_timeout_seconds if job.klass else 0
    since = job.doubt_since if job.doubt_since is not None else now.ticks
    certain = job.doubt_certain or _held_before(job, entry)
    decided = since if certain else since + timeout + job.seconds.unknown_grace
    if now.ticks < decided:
        return Doubt(entry, intent, held=False, until=decided)
    if not certain and job.folder_read < decided:
        return Recall(active_revision(job.obj))
    answer = _answer(job, entry, intent)
    if answer is not None:
        return answer
    recheck = job.folder_read + job.seconds.held_recheck
    return Recall(active_revision(job.obj)) if now.ticks >= recheck else Doubt(entry, intent, held=True, until=recheck)


def _held_before(job: Job, entry: Entry) -> bool:
    """A process waited the grace out already, and the status says so: a restart need not wait again."""
    newest = newest_attempt(job.obj)
    own = own_number(job.obj, active_revision(job.obj)) == entry.number
    return own and newest is not None and newest.state is AttemptState.UNKNOWN


def _answer(job: Job, entry: Entry, intent: Intent) -> Action | None:
    """A person's answer counts once the object is shown as Held; it names the attempt, so it is never used twice."""
    newest = newest_attempt(job.obj)
    said = job.obj.metadata.annotations.get(RESOLVE_ANNOTATION)
    held = newest is not None and newest.state is AttemptState.UNKNOWN
    if not said or not held or job.refused_answer:
        return None
    answer = parse_answer(job.obj)
    if answer is None:
        return RefuseAnswer(_ANSWER_FORM.format(attempt=intent.attempt))
    if ledger_names.parse_short(answer[0]) != (active_revision(job.obj), entry.number):
        return RefuseAnswer(f"it names {answer[0]}, the attempt in question is {intent.attempt}")
    return Resolve(entry, answer[1], answer[2])


_ANSWER_FORM: Final = (
    "the annotation videogen.dev/resolve must be {attempt}:adopt=<taskID>, {attempt}:resubmit or {attempt}:abandon"
)


def late_answer(job: Job) -> Action | None:
    """A task ID is a fact, also after an abandon: it brings the object back."""
    task_id, revision = late_adoption(job.obj), job.obj.spec.revision
    number = own_number(job.obj, revision)
    if task_id is None or number is None or job.klass is None or job.refused_answer:
        return None
    if job.folder is None or job.folder.id.revision != revision:
        return Recall(revision)
    entry = job.folder.entry(number)
    if entry.task is not None:
        return RecordTask(entry, entry.task, adopted=False)
    return Resolve(entry, None, task_id)
