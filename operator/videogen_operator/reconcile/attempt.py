"""The work on one attempt with a task: ask, copy, end. Shared by objects and by the walk over the reservations."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from .. import answers, pursuit
from ..api.generation_class import VideoGenerationClass
from ..api.generation_status import Resolved
from ..conditions import Reason
from ..errors import StoreTrouble
from ..ledger import End, Folder, Request, Result, Task
from ..ledger_names import AttemptId
from ..ports import Answer, NoAnswer, ObjectStore
from ..pursuit import Ending, Pace, Pursuit
from ..redaction import Secret
from .backlog import Backlog
from .copying import AnotherAttemptStoredError, Copying, Source
from .flight import Unwritten, Work
from .world import World

log: Final = logging.getLogger("videogen_operator.attempt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What the work on one attempt needs of the class."""

    attempt: AttemptId
    task: Task
    resolved: Resolved
    klass: VideoGenerationClass
    key: Secret
    store: ObjectStore
    pace: Pace
    prompts: tuple[str, ...] | None  # what was ordered, to be hidden; None where only the ledger knows it, as a digest

    @property
    def hidden(self) -> tuple[str, ...]:
        """What must appear nowhere."""
        return (self.key.reveal(), *(self.prompts or ()))

    @property
    def quotes(self) -> bool:
        """Whether the gateway's words may be repeated: not where they could echo a prompt that is not known."""
        return self.prompts is not None

    @property
    def prefix(self) -> str:
        return self.klass.spec.storage.s3.prefix


class Attempts:
    """Polls and stores; what was learned goes into the `Work` that is handed in."""

    def __init__(self, world: World, copying: Copying, backlog: Backlog) -> None:
        self._world = world
        self._copying = copying
        self._backlog = backlog

    def begin(self, work: Work, charge: Charge, epoch: int) -> Pursuit:
        """The pursuit of this task: the one that is going on, or a new one."""
        now = self._world.moment()
        p = work.pursuit
        if p is None or p.attempt != charge.attempt or p.task.task_id != charge.task.task_id:
            self._copying.drop(p)
            p = pursuit.begin(charge.attempt, charge.task, charge.resolved, now, charge.pace)
            work.epoch = epoch
        work.pursuit = p
        self.look_again(work, epoch)
        return work.pursuit

    def look_again(self, work: Work, epoch: int) -> None:
        """The class or a Secret of it changed since: the task is asked for at once, with fresh eyes."""
        if work.pursuit is not None and work.epoch != epoch:
            work.pursuit = pursuit.fresh_eyes(work.pursuit, self._world.moment())
            work.epoch = epoch

    def forget(self, work: Work) -> None:
        """The pursuit is over or somebody else's; its temporary file goes."""
        self._copying.drop(work.pursuit)
        work.pursuit = None

    def poll(self, work: Work, charge: Charge) -> Ending | None:
        """One GET of the task; an ending if it is over without a video."""
        p = _pursuit(work)
        exchange = self._world.api.poll(charge.task.endpoint, charge.key, charge.task.task_id)
        answer = answers.read_poll(exchange, charge.hidden, quote=charge.quotes)
        if isinstance(answer, answers.Working) and not answer.known and answer.raw_status:
            log.info(
                "a status word that is not known; asked again",
                extra={"attempt": charge.attempt.entry, "status": answer.raw_status},
            )
        return self._learn(work, charge, pursuit.after_poll(p, answer, self._world.moment(), charge.pace))

    def ask_content(self, work: Work, charge: Charge) -> Ending | None:
        """`/content` once, for a task whose polls say an error and no status."""
        p = _pursuit(work)
        with open("/dev/null", "wb") as nowhere:  # noqa: PTH123 - a device, no path
            got = self._world.api.download(
                charge.task.endpoint, charge.key, charge.task.task_id, nowhere, limit=1 << 20
            )
        told = answers.read_content(got, charge.hidden) if isinstance(got, Answer | NoAnswer) else None
        failure = None if isinstance(told, answers.Refused) else isinstance(told, answers.ContentFailure)
        after = pursuit.after_asking_content(p, failure=failure, now=self._world.moment(), pace=charge.pace)
        return self._learn(work, charge, after)

    def store(self, work: Work, charge: Charge, meanwhile: Callable[[], None] = lambda: None) -> Result | Ending | None:
        """One try to store the completed video; `meanwhile` is called at each piece of the copy."""
        p, source = _pursuit(work), _source(work, charge)
        try:
            outcome = self._copying.store(source, p, meanwhile)
        except AnotherAttemptStoredError as other:
            why = f"attempt {other.attempt} of this revision stored its video first"
            work.pursuit = pursuit.after_store_trouble(other.pursuit, why, self._world.moment(), charge.pace)
            work.forget_folder()
            return None
        if isinstance(outcome, Result):
            work.pursuit = replace(p, local=None)
            if not source.duplicate:
                work.note_result(outcome)
            return outcome
        return self._learn(work, charge, outcome)

    def _learn(self, work: Work, charge: Charge, after: Pursuit | Ending) -> Ending | None:
        if isinstance(after, Pursuit):
            _tell_trouble(charge, _pursuit(work), after)
            work.pursuit = after
            return None
        if after.given_up and self._last_look(work, charge):
            return None
        return self._end(work, charge, after)

    def _last_look(self, work: Work, charge: Charge) -> bool:
        """Whether a task that would be given up must not be: a process may have died right after storing its video."""
        p, now = _pursuit(work), self._world.moment()
        if p.completed is not None:
            return False  # each try to store begins with a look
        try:
            there = self._copying.is_there(_source(work, charge))
        except StoreTrouble as trouble:
            work.pursuit = pursuit.after_store_trouble(p, str(trouble), now, charge.pace)
            return True
        if there:
            work.pursuit = replace(p, completed=now, due=now.ticks)
        return there

    def _end(self, work: Work, charge: Charge, ending: Ending) -> Ending:
        end = ending_document(charge.attempt, charge.task, ending, self._world)
        work.unwritten.append(Unwritten(charge.attempt, end, charge.klass.metadata.name))
        work.note(charge.attempt, end)
        work.gave_up = charge.attempt.number
        self._backlog.write(work)
        self._copying.drop(work.pursuit)
        log.warning(
            "an attempt ended without a video",
            extra={"attempt": charge.attempt.entry, "reason": end.reason, "billing": end.billing, "detail": end.detail},
        )
        return ending


def _source(work: Work, charge: Charge) -> Source:
    return Source(
        attempt=charge.attempt,
        task=charge.task,
        resolved=charge.resolved,
        request=_request(work.folder, charge.attempt),
        klass=charge.klass,
        key=charge.key,
        hidden=charge.hidden,
        quotes=charge.quotes,
        store=charge.store,
        pace=charge.pace,
        duplicate=_another_is_stored(work.folder, charge.attempt),
    )


def _pursuit(work: Work) -> Pursuit:
    if work.pursuit is None:
        raise ValueError("no task is pursued")
    return work.pursuit


def _tell_trouble(charge: Charge, before: Pursuit, after: Pursuit) -> None:
    """One line when it begins. A video that cannot be fetched at once is none: right after the end that is usual."""
    if after.trouble in {None, before.trouble, Reason.DOWNLOADING}:
        return
    facts = {"attempt": charge.attempt.entry, "task_id": charge.task.task_id, "detail": after.detail}
    log.warning("paid work is kept and tried again", extra={"reason": after.trouble, **facts})


def _request(folder: Folder | None, attempt: AttemptId) -> Request | None:
    return folder.entry(attempt.number).request if folder else None


def _another_is_stored(folder: Folder | None, attempt: AttemptId) -> bool:
    return folder is not None and folder.result is not None and folder.result.attempt != attempt.short


def ending_document(attempt: AttemptId, task: Task, ending: Ending, world: World) -> End:
    """The ledger's record of an ending."""
    return End(
        attempt=attempt.short,
        state=ending.state,
        billing=ending.billing,
        reason=ending.reason,
        again=ending.again,
        time=world.clock.now(),
        detail=ending.detail,
        task_id=task.task_id,
    )
