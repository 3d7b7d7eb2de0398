"""One turn of a VideoGeneration: gather, decide, perform one action, write at most once, put the key back."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from pydantic import ValidationError

from .. import actions, backoff, ledger, ledger_names, machine, progress, pursuit, writes
from ..actions import Action
from ..admission import Offer
from ..api.generation import VideoGeneration
from ..api.meta import Key
from ..conditions import Reason, Standing, Step, Type, queued, step_shown
from ..desk import Desk
from ..errors import KubeTrouble, StoreTrouble, Superseded
from ..job import Job, active_folder, active_revision, finished, newest_attempt, own_number, shows
from ..ledger_names import FolderId
from ..ports import Kind
from ..records import Records
from ..workqueue import Lane
from . import books
from .access import Access
from .attempt import Attempts, Charge
from .backlog import Backlog
from .charges import charge
from .desks import Desks
from .facts import FactWrites
from .flight import Flight
from .flights import Flights
from .gathering import Gathering, asked
from .ordering import Ordering
from .resolving import Resolving
from .status_writer import StatusWriter
from .world import World

log: Final = logging.getLogger("videogen_operator.generation")

_LANES: Final[Mapping[type, Lane]] = {actions.Send: Lane.SUBMIT, actions.Store: Lane.COPY}
_KEEPS_GRANT: Final = (actions.Recall, actions.Begin, actions.Send, actions.Wait)
_WAITING: Final = frozenset({Step.QUEUED, Step.SUSPENDED, Step.PENDING, Step.REFUSED})
_TROUBLE_RETRY: Final = 2.0
_LOST_RACES: Final = 5
_SHOW_AGAIN: Final = 60.0  # seconds until a slow copy is shown again that could not be


class Generations:
    """The turns of the objects that are not finished."""

    def __init__(
        self,
        world: World,
        desks: Desks,
        access: Access,
        records: Records,
        flights: Flights,
        gathering: Gathering,
        attempts: Attempts,
        backlog: Backlog,
        statuses: StatusWriter,
        facts: FactWrites,
        ordering: Ordering,
        resolving: Resolving,
    ) -> None:
        self._world = world
        self._desks = desks
        self._access = access
        self._records = records
        self._flights = flights
        self._gathering = gathering
        self._attempts = attempts
        self._backlog = backlog
        self._statuses = statuses
        self._facts = facts
        self._ordering = ordering
        self._resolving = resolving

    # ------------------------------------------------------------ the turn

    def turn(self, key: Key, lane: Lane) -> None:
        """One action for the object. Trouble with a remote part puts the key back; it never changes a decision."""
        flight = self._flights.of(key)
        try:
            self._turn(flight, lane)
        except Superseded as lost:
            self._lost_race(flight, lost)
        except StoreTrouble as trouble:
            self._store_trouble(flight, trouble)
        except ledger.LedgerUnreadableError as error:
            log.error("the ledger cannot be read", extra={"object": str(key), "detail": str(error)})  # noqa: TRY400 - the message says it all
            self._park_on_ledger(flight, str(error), 600.0)
        except KubeTrouble as trouble:
            log.warning("the API server did not answer", extra={"object": str(key), "detail": str(trouble)})
            self._world.queue.add(key, trouble.retry_after or _TROUBLE_RETRY, Lane.TURN)

    def _lost_race(self, flight: Flight, lost: Superseded) -> None:
        """Look again; if the same write never applies, it is the schema that refuses it: say so and slow down."""
        flight.stale = True
        flight.lost_races += 1
        if flight.lost_races <= _LOST_RACES:
            self._world.wake(flight.key)
            return
        log.error("a status write is refused again and again", extra={"object": str(flight.key), "detail": str(lost)})
        wait = backoff.delay(flight.lost_races - _LOST_RACES, str(flight.key), base=1.0, most=60.0)
        self._world.queue.add(flight.key, wait, Lane.TURN)

    def _turn(self, flight: Flight, lane: Lane) -> None:
        if not self._backlog.write(flight.work):
            self._world.queue.add(flight.key, _TROUBLE_RETRY)
        if (flight.obj is None or flight.stale) and not self._read(flight):
            return
        obj = flight.known()
        klass = self._desks.of(obj)
        desk = self._desks.desk(klass.metadata.name) if klass else None
        self._flights.leave(flight, but=desk.name if desk else "")
        if desk is not None:
            self._attempts.look_again(flight.work, desk.epoch)
        job = self._gathering.job(flight, obj, klass, desk)
        action = machine.decide(job, self._world.moment())
        wanted = _LANES.get(type(action), Lane.TURN)
        if lane is not wanted:
            self._world.queue.add(flight.key, 0.0, wanted)
            return
        if desk is not None and not isinstance(action, _KEEPS_GRANT) and desk.grant(flight.key) is not None:
            desk.leave(flight.key)
            self._desks.wake(desk.name)
        self._perform(flight, job, action, desk)
        if isinstance(action, actions.Forget | actions.Join) and step_shown(job.obj.status.conditions) in _WAITING:
            flight.rest()
        if isinstance(action, actions.Wait | actions.Doubt):
            flight.pack()

    def _read(self, flight: Flight) -> bool:
        """The object as it is now; whether there is anything to do for it."""
        flight.stale = False  # before the read: what changes from here on is news again
        try:
            raw = self._world.kube.read(Kind.GENERATION, flight.key.namespace, flight.key.name)
        except KubeTrouble:
            flight.stale = True
            raise
        if raw is None:
            self._flights.drop(flight.key)
            return False
        try:
            obj = VideoGeneration.model_validate(raw)
            FolderId(obj.metadata.namespace, obj.metadata.name, obj.spec.revision)
        except (ValidationError, ledger_names.NameNotAllowedError):
            log.error("the object cannot be understood; nothing is done for it", extra={"object": str(flight.key)})  # noqa: TRY400 - the error could hold the prompt
            return False
        self._records.written(raw)
        before, flight.obj = flight.obj, obj
        another = flight.uid not in {"", obj.metadata.uid}
        flight.uid = obj.metadata.uid
        if another:
            self._flights.leave(flight)
            self._attempts.forget(flight.work)
            flight.start_over()
        elif before is not None and (flight.doubt_ticket or asked(before) != asked(obj)):
            flight.work.forget_folder()
        return True

    # ------------------------------------------------------------ performing

    def _perform(self, flight: Flight, job: Job, action: Action, desk: Desk | None) -> None:  # noqa: C901, PLR0912 - one case an action
        key = flight.key
        match action:
            case actions.Forget():
                if finished(job.obj) or job.obj.metadata.deletion_timestamp is not None:
                    self._flights.drop(key)
            case actions.Wait(ticks=ticks):
                self._wait(flight, job, ticks)
            case actions.Recall(revision=revision):
                self._recall(flight, job, revision)
            case actions.Show(standing=standing, until=until):
                self._show(flight, job, standing, until)
            case actions.Warn(standing=standing):
                self._facts.warn(job.obj, standing, flight)
                self._world.wake(key)
            case actions.Observe():
                self._statuses.write(flight, writes.observe(job.obj))
                self._world.wake(key)
            case actions.Join(number=number):
                self._ordering.join(flight, job, number)
            case actions.Begin(number=number):
                self._ordering.begin(flight, job, number)
            case actions.Send(number=number):
                self._ordering.send(flight, job, number, _of_class(desk))
            case actions.Close(number=number):
                self._ordering.close(flight, job, number, _of_class(desk))
            case actions.MendLedger(task=task, number=number):
                self._mend(flight, job, task, number)
            case actions.RecordTask():
                self._facts.task(flight, job, action)
            case actions.Conclude():
                self._conclude(flight, job, action)
            case actions.RecordEnd():
                self._facts.end(flight, job, action)
            case actions.Doubt():
                self._resolving.doubt(flight, job, action)
            case actions.Resolve():
                self._resolving.resolve(flight, job, action)
            case actions.RefuseAnswer(why=why):
                self._resolving.refuse(flight, job, why)
            case actions.Poll() | actions.AskContent() | actions.Store():
                self._pursue(flight, job, action, _of_class(desk))

    def _conclude(self, flight: Flight, job: Job, action: actions.Conclude) -> None:
        """An adopted video is looked for first: what was deleted by hand is said, and never bought again by itself."""
        if action.adopted:
            store = self._access.store(job.with_class(), self._world.clock.ticks())
            there = store.head(action.result.output.key) is not None
            action = replace(action, there=there)
        self._facts.result(flight, job, action)

    def _wait(self, flight: Flight, job: Job, ticks: float) -> None:
        own = own_number(job.obj, active_revision(job.obj))
        entry = flight.work.folder.entry(own) if flight.work.folder and own else None
        if job.pursuit is None and entry is not None and entry.task is not None:
            self._begin_pursuit(flight, job)
            self._world.wake(flight.key)
            return
        self._world.at(flight.key, ticks)

    def _recall(self, flight: Flight, job: Job, revision: int) -> None:
        klass = job.with_class()
        folder = FolderId(job.obj.metadata.namespace, job.obj.metadata.name, revision)
        store = self._access.store(klass, self._world.clock.ticks())
        if flight.work.folder is not None and flight.work.folder.id != folder:
            self._attempts.forget(flight.work)
            flight.start_over()
        flight.work.folder = books.read_folder(store, klass.spec.storage.s3.prefix, folder)
        for item in flight.work.unwritten:
            flight.work.note(item.attempt, item.document)
        flight.work.folder_read = self._world.clock.ticks()
        flight.folder_stale = False
        self._world.wake(flight.key)

    def _show(self, flight: Flight, job: Job, standing: Standing, until: float | None) -> None:
        if standing.step is Step.STORING:
            self._facts.storing(flight, standing)
        else:
            self._show_standing(flight, job, standing)
        if until is not None:
            self._world.at(flight.key, until)
        elif standing.step is Step.QUEUED and standing.reason is not Reason.LEDGER_UNAVAILABLE:
            self._world.wake(flight.key)

    def _show_standing(self, flight: Flight, job: Job, standing: Standing) -> None:
        price = job.offer.resolved.price_usd if isinstance(job.offer, Offer) else None
        if standing.step is Step.QUEUED and isinstance(job.offer, Offer):
            standing = replace(standing, notes={Type.ACCEPTED: job.offer.message, **standing.notes})
        if self._statuses.write(flight, writes.show(job.obj, standing, self._world.clock.now(), price=price)):
            self._facts.tell_standing(job.obj, standing, flight)

    def _mend(self, flight: Flight, job: Job, task: ledger.Task, number: int) -> None:
        klass = job.with_class()
        endpoint = task.endpoint or klass.spec.provider.open_ai_videos.endpoints[0]
        document = task.model_copy(update={"endpoint": endpoint})
        attempt = active_folder(job.obj).attempt(number)
        store = self._access.store(klass, self._world.clock.ticks())
        found = books.put(store, klass.spec.storage.s3.prefix, attempt.folder, attempt.file("task"), document)
        flight.work.note(attempt, found)
        self._world.wake(flight.key)

    # ------------------------------------------------------------ a task

    def _begin_pursuit(self, flight: Flight, job: Job) -> None:
        owed = charge(flight, job, self._access, self._world)
        desk = self._desks.desk(job.with_class().metadata.name)
        self._attempts.begin(flight.work, owed, desk.epoch)
        if desk.owe(owed.attempt, owed.resolved.price_usd):
            self._desks.wake(desk.name)

    def _pursue(self, flight: Flight, job: Job, action: Action, desk: Desk) -> None:
        owed = charge(flight, job, self._access, self._world)
        self._attempts.begin(flight.work, owed, desk.epoch)
        match action:
            case actions.Poll():
                ending = self._attempts.poll(flight.work, owed)
            case actions.AskContent():
                ending = self._attempts.ask_content(flight.work, owed)
            case _:
                self._attempts.store(flight.work, owed, self._while_copying(flight, owed))
                ending = None
        if ending is not None and ending.reason is Reason.MODEL_UNAVAILABLE:
            model = owed.resolved.api_model
            desk.close_model(model, f"model {model} is gone: {ending.detail}", self._world.clock.ticks() + 600.0)
        self._world.queue.add(flight.key, 0.0, Lane.TURN)

    def _while_copying(self, flight: Flight, owed: Charge) -> Callable[[], None]:
        """What a copy does at each piece of it: one that takes long is shown while it goes on."""
        p, after = flight.work.pursuit, 0.0  # ticks

        def meanwhile() -> None:
            nonlocal after
            now = self._world.moment()
            if p is None or now.ticks < after or not pursuit.copy_in_trouble(p, now, owed.pace):
                return
            after = math.inf  # once; a copy must not wait for an API server that does not answer
            standing = progress.progress(p, owed.pace, now, flight.known())
            if shows(flight.known(), standing):
                return
            try:
                self._facts.storing(flight, standing, drop=False)
            except Superseded:
                flight.stale = True
            except KubeTrouble:
                flight.stale, after = True, self._world.clock.ticks() + _SHOW_AGAIN

        return meanwhile

    # ------------------------------------------------------------ trouble

    def _store_trouble(self, flight: Flight, trouble: StoreTrouble) -> None:
        log.warning("the bucket did not answer", extra={"object": str(flight.key), "detail": str(trouble)})
        self._park_on_ledger(flight, str(trouble), 5.0)

    def _park_on_ledger(self, flight: Flight, why: str, delay: float) -> None:
        """Fail closed: the object waits, and says so once."""
        obj = flight.obj
        if obj is not None and newest_attempt(obj) is None:
            klass = self._desks.of(obj)
            name = klass.metadata.name if klass else ""
            standing = queued(Reason.LEDGER_UNAVAILABLE, f"nothing was sent: {why}", name)
            if step_shown(obj.status.conditions) is not Step.QUEUED:
                try:
                    self._statuses.write(flight, writes.show(obj, standing, self._world.clock.now()))
                except (KubeTrouble, Superseded):
                    flight.stale = True
        self._world.queue.add(flight.key, delay, Lane.TURN)


def _of_class(desk: Desk | None) -> Desk:
    if desk is None:
        raise ValueError("an action needs the class")
    return desk
