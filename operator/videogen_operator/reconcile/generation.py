"""One turn of a VideoGeneration: gather, decide, perform one action, write at most once, put the key back."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from pydantic import ValidationError

from .. import actions, backoff, ledger, machine, writes
from ..actions import Action
from ..admission import Offer, Refusal, offer
from ..api.generation import RESOLVE_ANNOTATION, VideoGeneration
from ..api.generation_class import VideoGenerationClass
from ..api.meta import Key
from ..conditions import Reason, Standing, Step, Type, find, step_shown
from ..desk import Closure, Desk, Waiter
from ..errors import KubeTrouble, StoreTrouble, Superseded
from ..job import Job, Timing, active_revision, finished, newest_attempt, own_number
from ..ledger import FolderId
from ..ports import Kind
from ..records import Records
from ..workqueue import Lane
from . import books, generation_facts
from .access import Access
from .announce import Announcer
from .attempt import Attempts
from .desks import Desks
from .flight import Flight
from .generation_facts import FactWrites
from .pace import pace_of
from .submission import Order, Submission, flush
from .world import WALK, Tickets, World

log: Final = logging.getLogger("videogen_operator.generation")

_LANES: Final[Mapping[type, Lane]] = {actions.Send: Lane.SUBMIT, actions.Store: Lane.COPY}
_KEEPS_GRANT: Final = (actions.Recall, actions.Begin, actions.Send, actions.Wait)
_WAITING: Final = frozenset({Step.QUEUED, Step.SUSPENDED, Step.PENDING, Step.REFUSED})
_TROUBLE_RETRY: Final = 2.0
_LOST_RACES: Final = 5


class Generations:
    """The objects that are not finished, and their turns."""

    def __init__(
        self,
        world: World,
        desks: Desks,
        access: Access,
        tickets: Tickets,
        attempts: Attempts,
        submission: Submission,
        announcer: Announcer,
        records: Records,
    ) -> None:
        self._world = world
        self._records = records
        self._desks = desks
        self._access = access
        self._tickets = tickets
        self._attempts = attempts
        self._submission = submission
        self._facts = FactWrites(world, desks, announcer, self._write)
        self._flights: dict[Key, Flight] = {}
        self._lock = threading.Lock()

    # ------------------------------------------------------------ what others may ask

    def notice(self, key: Key) -> None:
        """Something about the object changed: look again."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                flight.stale = True
        self._world.wake(key)

    def wake_class(self, name: str) -> None:
        """The class or its Secret changed: whoever waits for it looks again."""
        with self._lock:
            flights = list(self._flights.values())
        for flight in flights:
            klass = self._desks.of(flight.obj) if flight.obj is not None else None
            if klass is None or klass.metadata.name == name:
                self._world.wake(flight.key)

    def pursues(self, attempt: ledger.AttemptId) -> bool:
        """Whether an object in this process works on the attempt, so that the walk need not."""
        with self._lock:
            for flight in self._flights.values():
                p = flight.work.pursuit
                if p is not None and p.attempt == attempt:
                    return True
                names = (flight.key.namespace, flight.key.name) == (attempt.folder.namespace, attempt.folder.name)
                if names and flight.obj is not None and flight.obj.status.attempt == attempt.short:
                    return flight.obj.metadata.deletion_timestamp is None
        return False

    def object_of(self, attempt: ledger.AttemptId) -> Flight | None:
        """The unfinished object that the attempt's folder belongs to."""
        with self._lock:
            for key, flight in self._flights.items():
                if (key.namespace, key.name) == (attempt.folder.namespace, attempt.folder.name):
                    return flight
        return None

    def pass_over(self, key: Key, standing: Standing) -> None:
        """The queue has no slot for it now; the object says why, once."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                return
            flight.waits = standing
            flight.folder_stale = True
        self._world.wake(key)

    def unfinished(self) -> int:
        with self._lock:
            return len(self._flights)

    # ------------------------------------------------------------ the turn

    def turn(self, key: Key, lane: Lane) -> None:
        """One action for the object. Trouble with a remote part puts the key back; it never changes a decision."""
        with self._lock:
            flight = self._flights.setdefault(key, Flight(key))
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
        if (flight.obj is None or flight.stale) and not self._read(flight):
            return
        obj = _known(flight)
        klass = self._desks.of(obj)
        desk = self._desks.desk(klass.metadata.name) if klass else None
        if klass is not None and flight.work.unwritten:
            store = self._access.store(klass, self._world.clock.ticks())
            flight.work.unwritten = flush(flight.work.unwritten, store, klass.spec.storage.s3.prefix)
            if flight.work.unwritten:
                self._world.queue.add(flight.key, _TROUBLE_RETRY)
        job = self._job(flight, obj, klass, desk)
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

    def _read(self, flight: Flight) -> bool:
        """The object as it is now; whether there is anything to do for it."""
        flight.stale = False
        raw = self._world.kube.read(Kind.GENERATION, flight.key.namespace, flight.key.name)
        if raw is None:
            self.drop(flight.key)
            return False
        try:
            obj = VideoGeneration.model_validate(raw)
            FolderId(obj.metadata.namespace, obj.metadata.name, obj.spec.revision)
        except (ValidationError, ledger.NameNotAllowedError):
            log.error("the object cannot be understood; nothing is done for it", extra={"object": str(flight.key)})  # noqa: TRY400 - the error could hold the prompt
            return False
        self._records.written(raw)
        before, flight.obj = flight.obj, obj
        another = flight.uid not in {"", obj.metadata.uid}
        flight.uid = obj.metadata.uid
        if another:
            self._leave(flight)
            flight.start_over()
        elif before is not None and (flight.doubt_ticket or _asked(before) != _asked(obj)):
            flight.work.forget_folder()
        return True

    def drop(self, key: Key) -> None:
        """The object is gone or done. Paid work that is open goes on without it, led by its reservation."""
        with self._lock:
            flight = self._flights.pop(key, None)
        if flight is None:
            return
        self._leave(flight)
        self._attempts.forget(flight.work)
        status = flight.obj.status if flight.obj is not None else None
        if status is not None and status.class_ is not None and flight.obj and not finished(flight.obj):
            self._world.wake(Key(WALK, "", status.class_.name))

    def _leave(self, flight: Flight) -> None:
        for desk in self._desks.known():
            if desk.grant(flight.key) is not None or flight.key in desk.waiting:
                desk.leave(flight.key)
                self._desks.wake(desk.name)

    # ------------------------------------------------------------ gathering

    def _job(self, flight: Flight, obj: VideoGeneration, klass: VideoGenerationClass | None, desk: Desk | None) -> Job:
        now = self._world.moment()
        folder_id = _folder(obj)
        self._note_doubt(flight, now.ticks)
        self._note_intent(flight, obj, now.ticks)
        seconds = self._world.seconds
        p = flight.work.pursuit
        grant = desk.grant(flight.key) if desk else None
        return Job(
            obj=obj,
            klass=klass,
            timing=Timing(
                intent_fresh=seconds.intent_fresh,
                unknown_grace=seconds.unknown_grace,
                held_recheck=seconds.held_recheck,
                retry_base=seconds.retry_base,
            ),
            offer=self._offer(obj, klass) if klass else None,
            ledger_uri=ledger_uri(klass, folder_id) if klass else "",
            folder=flight.work.folder,
            folder_read=flight.work.folder_read,
            folder_stale=flight.folder_stale,
            unsent=self._tickets.unsent(),
            fence=flight.fence.ticket if flight.fence else None,
            granted=grant.attempt.number if grant and grant.attempt.folder.revision == obj.spec.revision else None,
            shut=desk.shut(now.ticks) if desk else False,
            gave_up=flight.work.gave_up,
            begun=flight.begun,
            intent_seen=flight.intent_seen,
            doubt_since=flight.doubt_since,
            doubt_certain=flight.doubt_certain,
            refused_answer=flight.refused_answer if flight.refused_annotation == _annotation(obj) else "",
            pursuit=p,
            pace=pace_of(klass, p.resolved.tier, seconds) if p and klass else None,
            waits=flight.waits,
            told=flight.told,
        )

    def _note_doubt(self, flight: Flight, ticks: float) -> None:
        newest = flight.work.folder.newest if flight.work.folder else None
        if newest is None or newest.intent is None:
            return
        ticket = newest.intent.ticket
        if ticket != flight.doubt_ticket and newest.task is None and newest.end is None:
            flight.doubt_ticket, flight.doubt_since, flight.doubt_certain = ticket, ticks, False

    def _note_intent(self, flight: Flight, obj: VideoGeneration, ticks: float) -> None:
        newest = newest_attempt(obj)
        if newest is None or newest.state != "Intent":
            flight.intent_seen = None
        elif flight.intent_seen is None:
            flight.intent_seen = ticks

    def _offer(self, obj: VideoGeneration, klass: VideoGenerationClass) -> Offer | Refusal:
        labels = None
        if klass.spec.allowed_namespaces.selector is not None:
            labels = self._access.namespace_labels(obj.metadata.namespace, self._world.clock.ticks())
        folder = FolderId(obj.metadata.namespace, obj.metadata.name, obj.spec.revision)
        return offer(obj.spec, klass, folder, labels)

    # ------------------------------------------------------------ performing

    def _perform(self, flight: Flight, job: Job, action: Action, desk: Desk | None) -> None:  # noqa: C901, PLR0912 - one case an action
        key = flight.key
        match action:
            case actions.Forget():
                if finished(job.obj) or job.obj.metadata.deletion_timestamp is not None:
                    self.drop(key)
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
                self._write(flight, writes.observe(job.obj))
                self._world.wake(key)
            case actions.Join(number=number):
                self._join(flight, job, number)
            case actions.Begin(number=number):
                self._begin(flight, job, number)
            case actions.Send(number=number):
                self._send(flight, job, number, _some(desk))
            case actions.Close(number=number):
                self._close(flight, job, number, _some(desk))
            case actions.MendLedger(task=task, number=number):
                self._mend(flight, job, task, number)
            case actions.RecordTask():
                self._facts.task(flight, job, action)
            case actions.Conclude():
                self._conclude(flight, job, action)
            case actions.RecordEnd():
                self._facts.end(flight, job, action)
            case actions.Doubt():
                self._facts.doubt(flight, job, action)
            case actions.Resolve():
                self._resolve(flight, job, action)
            case actions.RefuseAnswer(why=why):
                self._refuse_answer(flight, job, why)
            case actions.Poll() | actions.AskContent() | actions.Store():
                self._pursue(flight, job, action, _some(desk))

    def _conclude(self, flight: Flight, job: Job, action: actions.Conclude) -> None:
        """An adopted video is looked for first: what was deleted by hand is said, and never bought again by itself."""
        if action.adopted:
            store = self._access.store(_some(job.klass), self._world.clock.ticks())
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
        klass = _some(job.klass)
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
        price = job.offer.resolved.price_usd if isinstance(job.offer, Offer) else None
        if standing.step is Step.QUEUED and isinstance(job.offer, Offer):
            notes = {Type.ACCEPTED: job.offer.message, **standing.notes}
            standing = Standing(step=standing.step, reason=standing.reason, message=standing.message, notes=notes)
        if self._write(flight, writes.show(job.obj, standing, self._world.clock.now(), price=price)):
            self._facts.tell_standing(job.obj, standing, flight)
        if until is not None:
            self._world.at(flight.key, until)
        elif standing.step is Step.QUEUED and standing.reason is not Reason.LEDGER_UNAVAILABLE:
            self._world.wake(flight.key)

    def _join(self, flight: Flight, job: Job, number: int) -> None:
        klass, chosen = _some(job.klass), job.offer
        if not isinstance(chosen, Offer):
            raise TypeError("nothing is offered")
        metadata = job.obj.metadata
        attempt = FolderId(metadata.namespace, metadata.name, job.obj.spec.revision).attempt(number)
        waiter = Waiter(
            key=flight.key,
            attempt=attempt,
            amount=chosen.resolved.price_usd,
            model=chosen.resolved.api_model,
            order=(str(metadata.creation_timestamp), metadata.namespace, metadata.name),
        )
        if self._desks.desk(klass.metadata.name).join(waiter):
            self._desks.wake(klass.metadata.name)

    def _begin(self, flight: Flight, job: Job, number: int) -> None:
        """Step 4. A lost race drops everything; the next turn looks again."""
        klass, chosen = _some(job.klass), job.offer
        if not isinstance(chosen, Offer):
            raise TypeError("nothing is offered")
        attempt = _folder(job.obj).attempt(number)
        standing = Standing(
            step=Step.SUBMITTING,
            reason=Reason.SUBMITTING,
            message=f"attempt {attempt.short} is being sent for {writes.usd(chosen.resolved.price_usd)}",
            notes={Type.ACCEPTED: chosen.message},
        )
        pins = writes.pins(chosen, klass, job.ledger_uri)
        write = writes.intent(job.obj, attempt, pins, standing, self._world.clock.now())
        if self._write(flight, write):
            flight.begun = number
            flight.waits = None
        self._world.wake(flight.key)

    def _send(self, flight: Flight, job: Job, number: int, desk: Desk) -> None:
        """Steps 5 to 7, in the submit lane."""
        klass, chosen = _some(job.klass), job.offer
        if not isinstance(chosen, Offer):
            raise TypeError("nothing is offered")
        ticks = self._world.clock.ticks()
        key = self._access.api_key(klass, ticks)
        if key is None:
            desk.close(Closure.SECRET_NOT_FOUND, "the Secret with the API key is missing")
            desk.leave(flight.key)
            self._desks.wake(desk.name)
            return
        endpoints = klass.spec.provider.open_ai_videos.endpoints
        order = Order(
            obj=job.obj,
            klass=klass,
            attempt=_folder(job.obj).attempt(number),
            offer=chosen,
            endpoint=endpoints[flight.endpoint % len(endpoints)],
            key=key,
            store=self._access.store(klass, ticks),
            prefix=klass.spec.storage.s3.prefix,
        )
        desk.use(flight.key)
        self._submission.send(flight, order, desk)
        self._make_durable(flight, job, order)
        desk.finish(flight.key)
        self._desks.wake(desk.name)
        self._world.queue.add(flight.key, 0.0, Lane.TURN)

    def _make_durable(self, flight: Flight, job: Job, order: Order) -> None:
        """Step 7: ledger and status side by side; what did not succeed is tried again by the next turns."""
        entry = flight.work.folder.entry(order.attempt.number) if flight.work.folder else None

        def ledger_first() -> None:
            flight.work.unwritten = flush(flight.work.unwritten, order.store, order.prefix)

        def status_too() -> None:
            if entry is not None and entry.task is not None:
                action = actions.RecordTask(entry, entry.task, adopted=False)
                self._facts.task(flight, job, action, quiet=True)

        tries = 0
        while True:
            tries += 1
            self._world.clock.together(ledger_first, _forgiving(status_too, flight))
            recorded = entry is None or entry.task is None or _known(flight).status.task_id == entry.task.task_id
            if not flight.work.unwritten or recorded or tries >= generation_facts.RECORD_TRIES:
                return
            self._world.clock.pause(1.0)

    def _close(self, flight: Flight, job: Job, number: int, desk: Desk) -> None:
        klass = _some(job.klass)
        attempt = _folder(job.obj).attempt(number)
        store = self._access.store(klass, self._world.clock.ticks())
        self._submission.close(flight, attempt, store, klass.spec.storage.s3.prefix)
        desk.leave(flight.key)
        self._world.wake(flight.key)

    def _mend(self, flight: Flight, job: Job, task: ledger.Task, number: int) -> None:
        klass = _some(job.klass)
        endpoint = task.endpoint or klass.spec.provider.open_ai_videos.endpoints[0]
        document = task.model_copy(update={"endpoint": endpoint})
        attempt = _folder(job.obj).attempt(number)
        store = self._access.store(klass, self._world.clock.ticks())
        found = books.put(store, klass.spec.storage.s3.prefix, attempt.folder, attempt.file("task"), document)
        flight.work.note(attempt, found)
        self._world.wake(flight.key)

    # ------------------------------------------------------------ a task

    def _begin_pursuit(self, flight: Flight, job: Job) -> None:
        charge = generation_facts.charge(flight, job, self._access, self._world)
        desk = self._desks.desk(_some(job.klass).metadata.name)
        self._attempts.begin(flight.work, charge, desk.epoch)
        if desk.owe(charge.attempt, charge.resolved.price_usd):
            self._desks.wake(desk.name)

    def _pursue(self, flight: Flight, job: Job, action: Action, desk: Desk) -> None:
        charge = generation_facts.charge(flight, job, self._access, self._world)
        self._attempts.begin(flight.work, charge, desk.epoch)
        match action:
            case actions.Poll():
                ending = self._attempts.poll(flight.work, charge)
            case actions.AskContent():
                ending = self._attempts.ask_content(flight.work, charge)
            case _:
                self._attempts.store(flight.work, charge)
                ending = None
        if ending is not None and ending.reason is Reason.MODEL_UNAVAILABLE:
            model = charge.resolved.api_model
            desk.close_model(model, f"model {model} is gone: {ending.detail}", self._world.clock.ticks() + 600.0)
        self._world.queue.add(flight.key, 0.0, Lane.TURN)

    # ------------------------------------------------------------ answers of a person

    def _resolve(self, flight: Flight, job: Job, action: actions.Resolve) -> None:
        klass = _some(job.klass)
        ticks = self._world.clock.ticks()
        attempt = _folder(job.obj).attempt(action.entry.number)
        store = self._access.store(klass, ticks)
        prefix = klass.spec.storage.s3.prefix
        if action.answer is not None:
            answer = ledger.Resolution(attempt=attempt.short, answer=action.answer, time=self._world.clock.now())
            flight.work.note(attempt, books.put(store, prefix, attempt.folder, attempt.file("resolved"), answer))
            self._facts.answered(flight, job, action)
            self._world.wake(flight.key)
            return
        why = self._cannot_adopt(flight, klass, action)
        if why:
            self._refuse_answer(flight, job, why)
            return
        endpoint = action.entry.intent.endpoint if action.entry.intent and action.entry.intent.endpoint else ""
        endpoint = endpoint or klass.spec.provider.open_ai_videos.endpoints[0]
        task = ledger.Task(
            attempt=attempt.short, task_id=action.task_id, endpoint=endpoint, time=self._world.clock.now()
        )
        flight.work.note(attempt, books.put(store, prefix, attempt.folder, attempt.file("task"), task))
        self._world.wake(flight.key)

    def _cannot_adopt(self, flight: Flight, klass: VideoGenerationClass, action: actions.Resolve) -> str:
        """One successful GET of the task, and no other object has it."""
        key = self._access.api_key(klass, self._world.clock.ticks())
        if key is None:
            return "the Secret with the API key is missing"
        mine = (flight.key.namespace, flight.key.name)
        others = self._world.kube.names(Kind.GENERATION, task_id=action.task_id) - {mine}
        if others:
            return f"task {action.task_id} belongs to {'/'.join(min(others))}"
        intent = action.entry.intent
        endpoint = (intent.endpoint if intent else "") or klass.spec.provider.open_ai_videos.endpoints[0]
        return generation_facts.task_is_there(self._world, endpoint, key, action.task_id)

    def _refuse_answer(self, flight: Flight, job: Job, why: str) -> None:
        flight.refused_annotation, flight.refused_answer = _annotation(job.obj), why
        self._facts.refused_answer(flight, why)
        self._world.wake(flight.key)

    # ------------------------------------------------------------ writing and trouble

    def _write(self, flight: Flight, write: writes.Write) -> bool:
        """Whether the object holds it now. A lost race raises `Superseded`; a vanished object is dropped."""
        stored = self._world.kube.patch_status(
            Kind.GENERATION, flight.key.namespace, flight.key.name, list(write.operations)
        )
        if stored is None:
            self.drop(flight.key)
            return False
        lost = writes.missing(write, stored)
        if lost:
            message = f"the CRD does not keep status.{', status.'.join(lost)}: install the CRDs of this version"
            self._desks.close_all(Closure.SCHEMA_OUTDATED, message)
            log.critical("the CRD is older than the operator", extra={"fields": lost})
        self._records.written(stored)
        before, flight.obj = flight.obj, VideoGeneration.model_validate(stored)
        flight.lost_races = 0
        _log_change(flight.key, before, flight.obj)
        return True

    def _store_trouble(self, flight: Flight, trouble: StoreTrouble) -> None:
        log.warning("the bucket did not answer", extra={"object": str(flight.key), "detail": str(trouble)})
        self._park_on_ledger(flight, str(trouble), 5.0)

    def _park_on_ledger(self, flight: Flight, why: str, delay: float) -> None:
        """Fail closed: the object waits, and says so once."""
        obj = flight.obj
        if obj is not None and newest_attempt(obj) is None:
            standing = Standing(step=Step.QUEUED, reason=Reason.LEDGER_UNAVAILABLE, message=f"nothing was sent: {why}")
            if step_shown(obj.status.conditions) is not Step.QUEUED:
                try:
                    self._write(flight, writes.show(obj, standing, self._world.clock.now()))
                except (KubeTrouble, Superseded):
                    flight.stale = True
        self._world.queue.add(flight.key, delay, Lane.TURN)


def _log_change(key: Key, before: VideoGeneration | None, now: VideoGeneration) -> None:
    """One line a state change, with the ids that lead to everything else."""
    ready = find(now.status.conditions, Type.READY)
    was = find(before.status.conditions, Type.READY) if before else None
    step = step_shown(now.status.conditions)
    if ready is None or (
        was is not None
        and was.reason == ready.reason
        and step is step_shown(before.status.conditions if before else ())
    ):
        return
    facts = {
        "object": str(key),
        "reason": ready.reason,
        "attempt": now.status.attempt,
        "task_id": now.status.task_id,
        "detail": ready.message,
    }
    log.info("now %s", step, extra={name: value for name, value in facts.items() if value})


def ledger_uri(klass: VideoGenerationClass, folder: FolderId) -> str:
    """Where the ledger of a revision lies."""
    s3 = klass.spec.storage.s3
    return f"s3://{s3.bucket}/{folder.key(s3.prefix)}"


def _folder(obj: VideoGeneration) -> FolderId:
    return FolderId(obj.metadata.namespace, obj.metadata.name, active_revision(obj))


def _annotation(obj: VideoGeneration) -> str:
    return obj.metadata.annotations.get(RESOLVE_ANNOTATION, "")


def _asked(obj: VideoGeneration) -> tuple[int, str]:
    return obj.metadata.generation, _annotation(obj)


def _known(flight: Flight) -> VideoGeneration:
    if flight.obj is None:
        raise ValueError("the object was not read")
    return flight.obj


T = TypeVar("T")


def _some(value: T | None) -> T:
    if value is None:
        raise ValueError("an action needs the class")
    return value


def _forgiving(write: Callable[[], None], flight: Flight) -> Callable[[], None]:
    """A status write beside the ledger's: if it does not go through, the next turn repeats it from the ledger."""

    def tried() -> None:
        try:
            write()
        except (KubeTrouble, Superseded):
            flight.stale = True

    return tried
