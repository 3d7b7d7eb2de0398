"""The walk over the reservations: it finishes, settles or ends every attempt, whatever became of its object.

Deletion ends the object, not the paid work. Each entry's folder is read; an open task without an object in this process
is asked for and stored here; an entry without an intent is closed by winning the intent, and only then removed.
"""

import logging
import threading
from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from .. import ledger, ledger_names, pursuit
from ..api.generation_class import KIND as CLASS_KIND
from ..api.generation_class import Reservation, VideoGenerationClass
from ..api.generation_status import AttemptState, Billing
from ..api.meta import Key
from ..api.money import ZERO, usd
from ..conditions import Reason
from ..desk import Desk
from ..errors import KubeTrouble, StoreReason, StoreTrouble, Superseded
from ..events import DUPLICATE_SPEND
from ..ledger import Again, End, Entry, Folder, Result
from ..ledger_names import AttemptId
from ..ports import Kind, ObjectStore
from ..workqueue import Lane
from . import books
from .access import Access
from .announce import Announcer
from .attempt import Attempts, Charge
from .backlog import Backlog
from .charges import needed_key
from .desks import Desks
from .facts import FactWrites
from .flight import Unwritten, Work
from .flights import Flights
from .pace import pace_of
from .submission import closing_intent
from .world import World

log: Final = logging.getLogger("videogen_operator.walk")

ORPHAN: Final = "Attempt"
_TROUBLE_RETRY: Final = 5.0
_TROUBLES: Final = 3


class Walk:
    """Walks of all classes, and the attempts that no object in this process works on."""

    def __init__(
        self,
        world: World,
        desks: Desks,
        access: Access,
        attempts: Attempts,
        backlog: Backlog,
        flights: Flights,
        facts: FactWrites,
        announcer: Announcer,
    ) -> None:
        self._world = world
        self._desks = desks
        self._access = access
        self._attempts = attempts
        self._backlog = backlog
        self._flights = flights
        self._facts = facts
        self._announcer = announcer
        self._orphans: dict[Key, Work] = {}
        self._told: set[str] = set()
        self._lock = threading.Lock()

    # ------------------------------------------------------------ the walk of one class

    def turn(self, key: Key, _lane: Lane) -> None:
        """Look at every entry of a class, once a minute."""
        try:
            raw = self._world.kube.read(Kind.CLASS, "", key.name)
            if raw is None:
                return  # a class that is made again is walked anew
            self._world.wake(key, self._world.seconds.walk)
            klass = VideoGenerationClass.model_validate(raw)
            store = self._access.store(klass, self._world.clock.ticks())
            desk = self._desks.desk(key.name)
            desk.see(klass.status.reservations, self._world.clock.ticks())
            self._look_at_all(klass, desk, store)
        except ValidationError:
            return  # the class's own turn says so, and a change of it wakes the walk
        except (KubeTrouble, StoreTrouble) as trouble:
            log.warning("the walk was cut short", extra={"class": key.name, "detail": str(trouble)})
            self._world.wake(key, _TROUBLE_RETRY)

    def _look_at_all(self, klass: VideoGenerationClass, desk: Desk, store: ObjectStore) -> None:
        """A file that cannot be read hides no other attempt; a bucket that answers nothing at all ends the walk."""
        troubles = 0
        for entry in klass.status.reservations:
            try:
                self._look(klass, desk, store, entry)
            except (StoreTrouble, Superseded, ledger.LedgerUnreadableError) as trouble:
                troubles += isinstance(trouble, StoreTrouble)
                if troubles >= _TROUBLES:
                    raise
                log.warning("an attempt was not looked at", extra={"attempt": entry.attempt, "detail": str(trouble)})

    def _look(self, klass: VideoGenerationClass, desk: Desk, store: ObjectStore, entry: Reservation) -> None:
        attempt = ledger_names.parse_entry(entry.attempt)
        if attempt is None or attempt.entry in desk.permits:
            return
        try:
            folder = books.read_folder(store, klass.spec.storage.s3.prefix, attempt.folder)
        except ledger.LedgerUnreadableError as error:
            log.error("the ledger cannot be read", extra={"attempt": entry.attempt, "detail": str(error)})  # noqa: TRY400
            return
        found = folder.entry(attempt.number)
        if _over(folder, found, attempt):
            if self._flights.object_of(attempt) is None:
                self._tell_object(attempt, folder, found)
            self._settle(desk, attempt, entry)
        elif found.task is not None:
            if not self._flights.pursues(attempt):
                self._world.wake(Key(ORPHAN, klass.metadata.name, attempt.entry))
        elif found.intent is not None:
            self._unknown(klass, desk, attempt, entry, found)
        elif self._flights.doubts(attempt):
            log.error("the ledger has lost an order in doubt", extra={"attempt": entry.attempt})
        elif desk.age(entry, self._world.clock.ticks()) >= self._world.seconds.unclaimed:
            self._unclaimed(klass, desk, store, attempt, entry)

    def _settle(self, desk: Desk, attempt: AttemptId, entry: Reservation) -> None:
        desk.settle(attempt, entry, self._world.clock.ticks() + self._world.seconds.settle)
        self._desks.wake(desk.name, self._world.seconds.settle)

    def _unclaimed(
        self, klass: VideoGenerationClass, desk: Desk, store: ObjectStore, attempt: AttemptId, entry: Reservation
    ) -> None:
        """Nobody wrote its intent for long: win it, so that nobody ever can, then give the slot back."""
        closing = closing_intent(attempt, self._world)
        found = books.win(store, klass.spec.storage.s3.prefix, attempt, closing)
        if found.ticket == closing.ticket or found.closing:
            log.info("an unused reservation was closed", extra={"attempt": entry.attempt})
            self._settle(desk, attempt, entry)

    def _unknown(
        self, klass: VideoGenerationClass, desk: Desk, attempt: AttemptId, entry: Reservation, found: Entry
    ) -> None:
        """It keeps its entry, which leads to a task ID that comes late; after a while it holds no slot."""
        ticks = self._world.clock.ticks()
        age = desk.age(entry, ticks)
        grace = klass.spec.provider.open_ai_videos.submit_timeout_seconds + self._world.seconds.unknown_grace
        tier = klass.spec.find_tier(found.intent.resolved.tier) if found.intent and found.intent.resolved else None
        if age > max(grace, tier.overdue_after_seconds if tier else 0):
            with desk.lock:
                desk.slotless.add(attempt.entry)
            self._desks.wake(desk.name)
        if age > grace and found.resolved is None and entry.attempt not in self._told and self._is_orphan(attempt):
            self._told.add(entry.attempt)
            note = (
                f"The order {entry.attempt} got no clear answer and its object is gone; it may have been billed "
                f"{usd(entry.amount_usd)}. Apply the object again to resolve it"
            )
            self._say(klass, Reason.SUBMISSION_OUTCOME_UNKNOWN, note)
        since = found.intent.time if found.intent else entry.time
        if self._world.clock.now() - since > timedelta(seconds=klass.spec.abandon_after_seconds):
            self._settle(desk, attempt, entry)

    def _is_orphan(self, attempt: AttemptId) -> bool:
        """Whether there is no object any more that shows the attempt."""
        folder = attempt.folder
        if self._flights.object_of(attempt) is not None:
            return False
        return self._world.kube.read(Kind.GENERATION, folder.namespace, folder.name) is None

    # ------------------------------------------------------------ one attempt without its object

    def turn_orphan(self, key: Key, lane: Lane) -> None:
        """One step of an open task that no object in this process works on."""
        attempt = ledger_names.parse_entry(key.name)
        klass = self._desks.klass(key.namespace)
        if attempt is None or klass is None or self._flights.pursues(attempt):
            self._drop(key)
            return
        with self._lock:
            work = self._orphans.setdefault(key, Work())
        try:
            self._orphan(key, lane, attempt, klass, work)
        except (KubeTrouble, StoreTrouble, Superseded, ledger.LedgerUnreadableError) as trouble:
            log.warning("paid work waits", extra={"attempt": attempt.entry, "detail": str(trouble)})
            self._world.queue.add(key, _TROUBLE_RETRY, Lane.TURN)

    def _orphan(self, key: Key, lane: Lane, attempt: AttemptId, klass: VideoGenerationClass, work: Work) -> None:
        store = self._access.store(klass, self._world.clock.ticks())
        prefix = klass.spec.storage.s3.prefix
        if work.folder is None:
            work.folder = books.read_folder(store, prefix, attempt.folder)
        if not self._backlog.write(work):
            self._world.queue.add(key, _TROUBLE_RETRY, Lane.TURN)
            return
        found = work.folder.entry(attempt.number)
        if _over(work.folder, found, attempt) or found.task is None:
            self._tell_object(attempt, work.folder, found)
            self._finish(key, klass, attempt)
            return
        charge = self._charge(klass, attempt, found, store)
        p = self._attempts.begin(work, charge, self._desks.desk(klass.metadata.name).epoch)
        step = pursuit.step(p, self._world.moment())
        wanted = Lane.COPY if step is pursuit.Step.STORE else Lane.TURN
        if step is pursuit.Step.WAIT:
            work.pack()
            self._world.at(key, p.due)
        elif lane is not wanted:
            self._world.queue.add(key, 0.0, wanted)
        else:
            self._step(step, work, charge, klass)
            self._world.queue.add(key, 0.0, Lane.TURN)

    def _step(self, step: pursuit.Step, work: Work, charge: Charge, klass: VideoGenerationClass) -> None:
        match step:
            case pursuit.Step.POLL:
                self._attempts.poll(work, charge)
            case pursuit.Step.ASK_CONTENT:
                self._attempts.ask_content(work, charge)
            case _:
                stored = self._attempts.store(work, charge)
                if isinstance(stored, Result) and work.folder is not None and work.folder.result != stored:
                    self._duplicate(work, charge, klass, stored)

    def _duplicate(self, work: Work, charge: Charge, klass: VideoGenerationClass, stored: Result) -> None:
        """A second live task of one revision: both are stored, and it is said what it cost."""
        end = End(
            attempt=charge.attempt.short,
            state=AttemptState.COMPLETED,
            billing=Billing.BILLED,
            reason=DUPLICATE_SPEND,
            again=Again.NEVER,
            time=self._world.clock.now(),
            detail=f"a second task of this revision; its video is {stored.output.uri}",
            task_id=charge.task.task_id,
            key=stored.output.key,
        )
        work.unwritten.append(Unwritten(charge.attempt, end, klass.metadata.name))
        work.note(charge.attempt, end)
        self._backlog.write(work)
        note = (
            f"Two tasks of {charge.attempt.entry} were made; both are stored, possible duplicate of "
            f"{usd(charge.resolved.price_usd)}: {stored.output.uri}"
        )
        self._say(klass, DUPLICATE_SPEND, note)

    def _charge(self, klass: VideoGenerationClass, attempt: AttemptId, found: Entry, store: ObjectStore) -> Charge:
        resolved = found.intent.resolved if found.intent else None
        task = found.task
        if resolved is None or task is None:
            raise StoreTrouble(StoreReason.UNAVAILABLE, f"what {attempt.entry} ordered is not on record")
        endpoints = klass.spec.provider.open_ai_videos.endpoints
        if task.endpoint and task.endpoint not in endpoints:
            message = f"endpoint {task.endpoint} is no longer in class {klass.metadata.name}; add it back"
            raise KubeTrouble(message, retry_after=60.0)
        key = self._access.api_key(klass, self._world.clock.ticks())
        return Charge(
            attempt=attempt,
            task=task if task.endpoint else task.model_copy(update={"endpoint": endpoints[0]}),
            resolved=resolved,
            klass=klass,
            key=needed_key(klass.metadata.name, key),
            store=store,
            pace=pace_of(klass, resolved.tier, self._world.seconds),
            prompts=None,
        )

    def _tell_object(self, attempt: AttemptId, folder: Folder, found: Entry) -> None:
        """What became of it, if an object still lists it as open: repeated with the walk until that is written."""
        stored = folder.result if folder.result is not None and folder.result.attempt == attempt.short else None
        record = stored or found.end
        resolved = found.intent.resolved if found.intent else None
        if record is not None:
            self._facts.late(attempt, record, resolved.price_usd if resolved else ZERO)

    def _finish(self, key: Key, klass: VideoGenerationClass, attempt: AttemptId) -> None:
        desk = self._desks.desk(klass.metadata.name)
        desk.settle(attempt, None, self._world.clock.ticks() + self._world.seconds.settle)
        self._desks.wake(desk.name)
        log.info("paid work without its object is finished", extra={"attempt": attempt.entry})
        self._drop(key)

    def _drop(self, key: Key) -> None:
        with self._lock:
            work = self._orphans.pop(key, None)
        if work is not None:
            self._attempts.forget(work)

    def _say(self, klass: VideoGenerationClass, reason: str, note: str) -> None:
        key = Key(CLASS_KIND, "", klass.metadata.name)
        self._announcer.say(key, klass.metadata, reason, note)


def _over(folder: Folder, entry: Entry, attempt: AttemptId) -> bool:
    """The attempt ended, well or badly, or nobody will ever send it."""
    if folder.result is not None and folder.result.attempt == attempt.short:
        return True
    return entry.end is not None or (entry.intent is not None and entry.intent.closing and entry.task is None)
