"""The way to an order, for one object: ask for a slot, write the intent, send it, make the answer durable."""

from collections.abc import Callable
from typing import Final

from .. import actions, writes
from ..admission import Offer
from ..api.generation_class import VideoGenerationClass
from ..api.money import usd
from ..closures import Closure
from ..conditions import Reason, Standing, Step, Type
from ..desk import Desk
from ..errors import KubeTrouble, Superseded
from ..job import Job, active_folder
from ..ledger_names import FolderId
from ..reservations import Waiter
from ..workqueue import Lane
from .access import Access
from .backlog import Backlog
from .desks import Desks
from .facts import FactWrites
from .flight import Flight
from .status_writer import StatusWriter
from .submission import Order, Submission
from .world import World

_RECORD_PAUSE: Final = 5.0  # seconds, the longest


class Ordering:
    """Performs what `machine` decided about an attempt that is not sent yet."""

    def __init__(
        self,
        world: World,
        desks: Desks,
        access: Access,
        submission: Submission,
        backlog: Backlog,
        statuses: StatusWriter,
        facts: FactWrites,
    ) -> None:
        self._world = world
        self._desks = desks
        self._access = access
        self._submission = submission
        self._backlog = backlog
        self._statuses = statuses
        self._facts = facts

    def join(self, flight: Flight, job: Job, number: int) -> None:
        """Ask for a slot."""
        klass, chosen = _wanted(job)
        metadata = job.obj.metadata
        waiter = Waiter(
            key=flight.key,
            attempt=FolderId(metadata.namespace, metadata.name, job.obj.spec.revision).attempt(number),
            amount=chosen.resolved.price_usd,
            model=chosen.resolved.api_model,
            order=(str(metadata.creation_timestamp), metadata.namespace, metadata.name),
        )
        if self._desks.desk(klass.metadata.name).join(waiter):
            self._desks.wake(klass.metadata.name)

    def begin(self, flight: Flight, job: Job, number: int) -> None:
        """Step 4. A lost race drops everything; the next turn looks again."""
        klass, chosen = _wanted(job)
        attempt = active_folder(job.obj).attempt(number)
        standing = Standing(
            step=Step.SUBMITTING,
            reason=Reason.SUBMITTING,
            message=f"attempt {attempt.short} is being sent for {usd(chosen.resolved.price_usd)}",
            notes={Type.ACCEPTED: chosen.message},
        )
        pins = writes.pins(chosen, klass, job.ledger_uri)
        write = writes.intent(job.obj, attempt, pins, standing, self._world.clock.now())
        if self._statuses.write(flight, write):
            flight.begun = number
            flight.waits = None
        self._world.wake(flight.key)

    def send(self, flight: Flight, job: Job, number: int, desk: Desk) -> None:
        """Steps 5 to 7, in the submit lane."""
        order = self._order(flight, job, number)
        if order is None:
            desk.close(Closure.SECRET_NOT_FOUND, "the Secret with the API key is missing")
            desk.leave(flight.key)
            self._desks.wake(desk.name)
            return
        desk.use(flight.key)
        self._submission.send(flight, order, desk)
        try:
            self._make_durable(flight, job, order)
        finally:
            desk.finish(flight.key)
            self._desks.wake(desk.name)
        self._world.queue.add(flight.key, 0.0, Lane.TURN)

    def close(self, flight: Flight, job: Job, number: int, desk: Desk) -> None:
        """Nobody sends this attempt."""
        klass = job.with_class()
        store = self._access.store(klass, self._world.clock.ticks())
        self._submission.close(flight, active_folder(job.obj).attempt(number), klass, store)
        desk.leave(flight.key)
        self._world.wake(flight.key)

    def _order(self, flight: Flight, job: Job, number: int) -> Order | None:
        """Everything the POST needs; None while the Secret with the key is missing."""
        klass, chosen = _wanted(job)
        ticks = self._world.clock.ticks()
        key = self._access.api_key(klass, ticks)
        if key is None:
            return None
        endpoints = klass.spec.provider.open_ai_videos.endpoints
        return Order(
            obj=job.obj,
            klass=klass,
            attempt=active_folder(job.obj).attempt(number),
            offer=chosen,
            endpoint=endpoints[flight.endpoint % len(endpoints)],
            key=key,
            store=self._access.store(klass, ticks),
            prefix=klass.spec.storage.s3.prefix,
        )

    def _make_durable(self, flight: Flight, job: Job, order: Order) -> None:
        """Step 7: ledger and status side by side. A task ID is paid for: it is tried until one of them has it.

        This thread and its submit permit are held meanwhile, and the end of the process waits for it. What the other
        one lacks, or an end that the bucket did not take, is written by the next turns.
        """
        entry = flight.work.folder.entry(order.attempt.number) if flight.work.folder else None
        if entry is None or entry.task is None:
            self._backlog.write(flight.work)
            return
        action = actions.RecordTask(entry, entry.task, adopted=False)

        def ledger_first() -> None:
            self._backlog.write(flight.work)

        def status_too() -> None:
            self._facts.task(flight, job, action, quiet=True)

        tries = 0
        while True:
            self._world.clock.together(ledger_first, _forgiving(status_too, flight))
            if not flight.work.unwritten or flight.known().status.task_id == entry.task.task_id:
                return
            tries += 1
            self._world.clock.pause(min(float(tries), _RECORD_PAUSE))


def _wanted(job: Job) -> tuple[VideoGenerationClass, Offer]:
    if job.klass is None or not isinstance(job.offer, Offer):
        raise TypeError("nothing is offered")
    return job.klass, job.offer


def _forgiving(write: Callable[[], None], flight: Flight) -> Callable[[], None]:
    """A status write beside the ledger's: if it does not go through, the next turn repeats it from the ledger."""

    def tried() -> None:
        try:
            write()
        except (KubeTrouble, Superseded):
            flight.stale = True

    return tried
