"""What the ledger's folder of a revision means for a request: adopt, go on, wait, or refuse. Never pay twice.

Rows are checked in order and the first match wins. Whether another class or another content is in the way
is asked of every attempt of the folder; how to go on is asked of the newest.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from .api.generation_status import AttemptState
from .ledger import Answer, End, Entry, Folder, Intent, Request, Result, Task

_GIVEN_UP_TASKS = frozenset({AttemptState.ABANDONED, AttemptState.TASK_LOST})
_PAID_ENDS = frozenset({AttemptState.COMPLETED, *_GIVEN_UP_TASKS})


@dataclass(frozen=True, slots=True)
class OtherClass:
    """An attempt of this folder was made by a class of another name, perhaps a rehearsal."""

    name: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class OtherContent:
    """This revision already bought, or may have bought, something else."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Done:
    """The video of this revision is in the bucket."""

    result: Result


@dataclass(frozen=True, slots=True)
class LiveTask:
    """A task that is paid for or about to be: adopt it and bring it to its end."""

    entry: Entry
    task: Task


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A person abandoned it: no next attempt."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Next:
    """Attempt `number` may be begun. `after` is the one before it, None for the first."""

    number: int
    after: Entry | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """Paid or possibly paid, and given up: the same final state again, never a POST."""

    entry: Entry
    end: End


@dataclass(frozen=True, slots=True)
class Mine:
    """An intent that this process wrote and has not used: go on with its POST."""

    entry: Entry
    intent: Intent


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An intent without an answer: whether the gateway made a task is not known."""

    entry: Entry
    intent: Intent


Verdict = OtherClass | OtherContent | Done | LiveTask | GivenUp | Next | Over | Mine | Unanswered


def judge(
    folder: Folder,
    request: Request | None,
    class_name: str,
    *,
    own: int | None = None,
    unsent: AbstractSet[str] = frozenset(),
) -> Verdict:
    """The first row that matches.

    `request` is what the object asks for as it resolves now; None if that cannot be said (then contents are not
    compared, and the caller must not begin an attempt). `own` is the attempt that the object's status already names:
    it is gone on with as it was pinned. `unsent` are tickets of this process whose POST has not begun.
    """
    others = [e for n, e in folder.entries.items() if n != own and not (e.intent and e.intent.ticket in unsent)]
    conflict = _other_class(others, class_name) or _other_content(others, request)
    if conflict:
        return conflict
    if folder.result is not None:
        return Done(folder.result)
    live = _live_task(folder)
    if live:
        return live
    newest = folder.newest
    if newest is None:
        return Next(1)
    verdict = _newest(folder, newest, request, class_name, unsent)
    if isinstance(verdict, Next | Mine):
        verdict = _in_the_way(folder, newest, unsent) or verdict
    return _compared(folder, verdict, request, class_name) if isinstance(verdict, Mine) else verdict


def _newest(
    folder: Folder, newest: Entry, request: Request | None, class_name: str, unsent: AbstractSet[str]
) -> Verdict:
    if newest.resolved and newest.resolved.answer is Answer.ABANDON:
        return GivenUp(newest)
    if newest.end or (newest.intent and newest.intent.closing):
        return _after_end(folder, newest, request, class_name)
    if newest.resolved:
        return _next(folder, newest, request, class_name)
    if newest.intent is None:
        raise ValueError(f"attempt {newest.number} of the folder holds no file")
    if newest.intent.ticket in unsent:
        return Mine(newest, newest.intent)
    return Unanswered(newest, newest.intent)


def _after_end(folder: Folder, newest: Entry, request: Request | None, class_name: str) -> Verdict:
    if newest.end and newest.end.state in _PAID_ENDS:
        return Over(newest, newest.end)
    return _next(folder, newest, request, class_name)


def _in_the_way(folder: Folder, newest: Entry, unsent: AbstractSet[str]) -> Verdict | None:
    """What forbids a POST although the newest attempt allows it: a later attempt that cost nothing hides nothing.

    An unsent intent of our own is gone on with only where nothing else is in the way.
    """
    mine: Mine | None = None
    for number, entry in sorted(folder.entries.items(), reverse=True):
        found = _hindrance(entry, unsent, newest=number == newest.number)
        if isinstance(found, Mine):
            mine = mine or found
        elif found is not None:
            return found
    return mine


def _hindrance(entry: Entry, unsent: AbstractSet[str], *, newest: bool) -> Verdict | None:
    if entry.end and entry.end.state in _PAID_ENDS:
        return Over(entry, entry.end)
    if newest or entry.end:
        return None
    if entry.resolved and entry.resolved.answer is Answer.ABANDON:
        return GivenUp(entry)
    if entry.intent and not entry.intent.closing and not entry.resolved:
        return Mine(entry, entry.intent) if entry.intent.ticket in unsent else Unanswered(entry, entry.intent)
    return None


def _compared(folder: Folder, mine: Mine, request: Request | None, class_name: str) -> Verdict:
    """Our unsent attempt goes on only beside what a next one could follow; the status may name an older one."""
    others = [entry for entry in folder.entries.values() if entry is not mine.entry]
    return _other_class(others, class_name) or _other_content(others, request) or mine


def _next(folder: Folder, newest: Entry, request: Request | None, class_name: str) -> Verdict:
    """A next attempt is compared, as it resolves now, with every earlier one that may have made something."""
    entries = list(folder.entries.values())
    conflict = _other_class(entries, class_name) or _other_content(entries, request)
    return conflict or Next(newest.number + 1, newest)


def _other_class(entries: list[Entry], class_name: str) -> OtherClass | None:
    for entry in entries:
        made_by = entry.intent.class_ if entry.intent else ""
        if made_by and made_by != class_name:
            return OtherClass(made_by, entry)
    return None


def _other_content(entries: list[Entry], request: Request | None) -> OtherContent | None:
    if request is None:
        return None
    for entry in entries:
        if not entry.nothing_made and entry.request is not None and entry.request != request:
            return OtherContent(entry)
    return None


def _live_task(folder: Folder) -> LiveTask | None:
    """The newest task without an end; else one that was given up while it may still come."""
    tasks = [(e, e.task) for _, e in sorted(folder.entries.items(), reverse=True) if e.task]
    open_ = [(e, t) for e, t in tasks if e.end is None]
    given_up = [(e, t) for e, t in tasks if e.end and e.end.state in _GIVEN_UP_TASKS]
    for entry, task in open_ + given_up:
        return LiveTask(entry, task)
    return None
