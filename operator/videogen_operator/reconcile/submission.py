"""The submit, step by step: win the fence, POST once, make the answer durable. Its order is the safety.

The fence is the attempt's intent file, written create-only: whoever wants to go on from an attempt, in any direction,
wins it first. It carries a ticket that this process holds as unsent and takes out before the first byte of the POST.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from .. import answers, backoff, wire_request
from ..admission import Offer
from ..api.gateway import ServerErrors
from ..api.generation import VideoGeneration
from ..api.generation_class import VideoGenerationClass
from ..api.generation_status import AttemptState, Billing
from ..closures import Closure
from ..conditions import Reason
from ..desk import Desk
from ..ledger import Again, End, Intent, Task
from ..ledger_names import AttemptId
from ..ports import ObjectStore
from ..redaction import Secret
from . import books
from .flight import Flight, Unwritten
from .world import Tickets, World

log: Final = logging.getLogger("videogen_operator.submission")

_MODEL_RETRY: Final = 600.0
_BALANCE_RETRY: Final = 300.0
_SERVER_ERRORS_TO_CLOSE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One POST to be made: everything it needs, resolved."""

    obj: VideoGeneration
    klass: VideoGenerationClass
    attempt: AttemptId
    offer: Offer
    endpoint: str
    key: Secret
    store: ObjectStore
    prefix: str

    @property
    def hidden(self) -> tuple[str, ...]:
        """What must appear nowhere."""
        spec = self.obj.spec
        return tuple(text for text in (self.key.reveal(), spec.prompt, spec.negative_prompt) if text)

    @property
    def price(self) -> Decimal:
        return self.offer.resolved.price_usd


class Submission:
    """Makes orders. One instance a process: it owns the tickets."""

    def __init__(self, world: World, tickets: Tickets) -> None:
        self._world = world
        self._tickets = tickets

    def send(self, flight: Flight, order: Order, desk: Desk) -> None:
        """Steps 5 to 7; what became of it is in the folder. Raises `StoreTrouble` while the fence is unclear."""
        intent = self._fence(flight, order)
        if intent is None:
            return
        flight.work.note(order.attempt, intent)
        why_not = self._last_look(flight, order, intent)
        flight.fence = None
        unsent = self._tickets.spend(intent.ticket)
        if why_not and unsent:
            ended = not_sent(order.attempt, why_not, self._world.clock.now())
            self._end(flight, order.attempt, ended, order.klass.metadata.name)
        elif unsent:
            self._post(flight, order, desk)

    def close(self, flight: Flight, attempt: AttemptId, klass: VideoGenerationClass, store: ObjectStore) -> None:
        """End an attempt that nobody may send: by our own unsent ticket, or by winning its intent."""
        intent = flight.work.folder.entry(attempt.number).intent if flight.work.folder else None
        flight.fence = None
        if intent is not None and self._tickets.spend(intent.ticket):
            ended = not_sent(attempt, "ended before it was sent", self._world.clock.now())
            self._end(flight, attempt, ended, klass.metadata.name)
            return
        closing = closing_intent(attempt, self._world)
        found = books.win(store, klass.spec.storage.s3.prefix, attempt, closing)
        flight.work.note(attempt, found)
        if found.ticket != closing.ticket:
            flight.work.forget_folder()

    # ------------------------------------------------------------ step 5

    def _fence(self, flight: Flight, order: Order) -> Intent | None:
        """Our intent, won; None if it is another's (the folder is read anew)."""
        ours = flight.fence
        if ours is None or ours.attempt != order.attempt.short:
            ours = self._intent(order)
            flight.fence, flight.fence_began = ours, self._world.clock.ticks()
        found = books.win(order.store, order.prefix, order.attempt, ours)
        if found.ticket == ours.ticket:
            return ours
        flight.fence = None
        self._tickets.spend(ours.ticket)
        flight.work.forget_folder()
        return None

    def _intent(self, order: Order) -> Intent:
        return Intent(
            attempt=order.attempt.short,
            ticket=self._tickets.issue(order.attempt.entry),
            time=self._world.clock.now(),
            uid=order.obj.metadata.uid,
            class_=order.klass.metadata.name,
            endpoint=order.endpoint,
            request=order.offer.request,
            resolved=order.offer.resolved,
        )

    # ------------------------------------------------------------ step 6

    def _last_look(self, flight: Flight, order: Order, intent: Intent) -> str:
        """Why the POST must not be made after all; empty if it may."""
        if (intent.request, intent.resolved) != (order.offer.request, order.offer.resolved):
            return "the class changed while the intent was being recorded"
        if self._world.stopping.is_set():
            return "the operator is stopping"
        age = self._world.clock.ticks() - flight.fence_began
        if age >= self._world.seconds.intent_fresh:
            return f"the intent took {age:.0f} s to be recorded"
        if self._answer_came_late(flight, order):
            return "an earlier attempt turned out to have a task"
        return ""

    def _answer_came_late(self, flight: Flight, order: Order) -> bool:
        """After an unknown outcome its task ID may have been recorded meanwhile."""
        folder = flight.work.folder
        doubtful = [n for n, e in folder.entries.items() if e.resolved and not e.task] if folder else []
        if not doubtful:
            return False
        now = books.read_folder(order.store, order.prefix, order.attempt.folder)
        late = any(now.entry(number).task for number in doubtful)
        if late:
            flight.work.folder = now
        return late

    def _post(self, flight: Flight, order: Order, desk: Desk) -> None:
        resolved = order.offer.resolved
        request = wire_request.VideoRequest(
            api_model=resolved.api_model,
            prompt=order.obj.spec.prompt,
            negative_prompt=order.obj.spec.negative_prompt,
            resolution=resolved.resolution,
            aspect_ratio=resolved.aspect_ratio,
            duration_seconds=resolved.duration_seconds,
            seed=resolved.seed,
        )
        body = wire_request.body(wire_request.RequestStyle.METADATA, request)
        gateway = order.klass.spec.provider.open_ai_videos
        exchange = self._world.api.submit(
            order.endpoint, order.key, body, timeout=float(gateway.submit_timeout_seconds)
        )
        answer = answers.read_submit(
            exchange,
            server_errors_not_billed=gateway.server_errors is ServerErrors.NOT_BILLED,
            hidden=order.hidden,
        )
        self._record(flight, order, desk, answer)

    # ------------------------------------------------------------ step 7

    def _record(self, flight: Flight, order: Order, desk: Desk, answer: answers.SubmitAnswer) -> None:
        facts = {"object": str(order.obj.key), "attempt": order.attempt.short, "class": order.klass.metadata.name}
        match answer:
            case answers.Accepted(task_id=task_id):
                log.info("task created", extra={**facts, "task_id": task_id, "endpoint": order.endpoint})
                self._task(flight, order, task_id)
                desk.accepted(order.offer.resolved.api_model)
            case answers.NotSent():
                log.warning("nothing was sent", extra={**facts, "detail": answer.detail})
                self._not_sent(flight, order, desk, answer)
            case answers.Rejected():
                log.warning("rejected, not billed", extra={**facts, "kind": answer.kind, "detail": answer.detail})
                self._rejected(flight, order, desk, answer)
            case answers.Unknown():
                log.error("the outcome of the POST is not known", extra={**facts, "detail": answer.detail})
                flight.doubt_certain = True
                flight.doubt_detail = answer.detail
                flight.doubt_since = self._world.clock.ticks()
                intent = flight.work.folder.entry(order.attempt.number).intent if flight.work.folder else None
                flight.doubt_ticket = intent.ticket if intent else None

    def _task(self, flight: Flight, order: Order, task_id: str) -> None:
        """The ID is paid for: it stays known until it is durable."""
        task = Task(attempt=order.attempt.short, task_id=task_id, endpoint=order.endpoint, time=self._world.clock.now())
        flight.work.unwritten.append(Unwritten(order.attempt, task, order.klass.metadata.name))
        flight.work.note(order.attempt, task)

    def _end(self, flight: Flight, attempt: AttemptId, end: End, class_name: str) -> None:
        flight.work.unwritten.append(Unwritten(attempt, end, class_name))
        flight.work.note(attempt, end)

    def _not_sent(self, flight: Flight, order: Order, desk: Desk, answer: answers.NotSent) -> None:
        ended = not_sent(order.attempt, answer.detail, self._world.clock.now())
        self._end(flight, order.attempt, ended, order.klass.metadata.name)
        if answer.malformed_key:
            desk.close(Closure.CREDENTIALS_REJECTED, f"the API key cannot be sent: {answer.detail}")
            return
        endpoints = order.klass.spec.provider.open_ai_videos.endpoints
        flight.endpoint += 1
        if flight.endpoint >= len(endpoints):
            flight.endpoint = 0
            message = f"no endpoint can be reached: {answer.detail}"
            desk.close(Closure.GATEWAY_UNREACHABLE, message)

    def _rejected(self, flight: Flight, order: Order, desk: Desk, answer: answers.Rejected) -> None:
        reason, again = self._verdict(order, desk, answer)
        detail = f"the gateway answered {answer.detail}"
        end = End(
            attempt=order.attempt.short,
            state=AttemptState.REJECTED,
            billing=Billing.NOT_BILLED,
            reason=reason,
            again=again,
            time=self._world.clock.now(),
            detail=detail,
        )
        self._end(flight, order.attempt, end, order.klass.metadata.name)

    def _verdict(self, order: Order, desk: Desk, answer: answers.Rejected) -> tuple[Reason, Again]:
        """What a refusal means for the object, and for the class."""
        ticks = self._world.clock.ticks()
        kind = answer.kind
        if kind is answers.Rejection.FORBIDDEN:
            kind = self._forbidden(order)
        match kind:
            case answers.Rejection.CONTENT_POLICY:
                return Reason.CONTENT_POLICY_REJECTED, Again.NEVER
            case answers.Rejection.INSUFFICIENT_BALANCE:
                desk.close(Closure.INSUFFICIENT_BALANCE, answer.detail, ticks + _BALANCE_RETRY)
                return Reason.BREAKER_OPEN, Again.FREE
            case answers.Rejection.MODEL_UNAVAILABLE:
                model = order.offer.resolved.api_model
                desk.close_model(model, f"model {model} is not available: {answer.detail}", ticks + _MODEL_RETRY)
                return Reason.MODEL_UNAVAILABLE, Again.FREE
            case answers.Rejection.CREDENTIALS | answers.Rejection.FORBIDDEN:
                desk.close(Closure.CREDENTIALS_REJECTED, answer.detail)
                return Reason.BREAKER_OPEN, Again.FREE
            case answers.Rejection.RATE_LIMITED:
                asked = answer.retry_after if answer.retry_after is not None else self._world.seconds.retry_base
                wait = max(asked, backoff.delay(desk.times(Closure.RATE_LIMITED) + 1, desk.name, base=1.0))
                desk.close(Closure.RATE_LIMITED, answer.detail, ticks + wait)
                return Reason.RATE_LIMITED, Again.FREE
            case answers.Rejection.SERVER_ERROR:
                self._server_error(desk, answer, ticks)
                return Reason.REJECTED_BY_GATEWAY, Again.COUNTED
            case answers.Rejection.REQUEST:
                return Reason.REJECTED_BY_GATEWAY, Again.NEVER

    def _forbidden(self, order: Order) -> answers.Rejection:
        """403 with a key that the free probe accepts: group, mode or model is not allowed to this key."""
        probe = answers.read_probe(self._world.api.probe(order.endpoint, order.key), order.hidden)
        if isinstance(probe, answers.KeyAccepted):
            return answers.Rejection.MODEL_UNAVAILABLE
        return answers.Rejection.CREDENTIALS

    def _server_error(self, desk: Desk, answer: answers.Rejected, ticks: float) -> None:
        with desk.lock:
            desk.server_errors += 1
            if desk.server_errors >= _SERVER_ERRORS_TO_CLOSE:
                desk.close(Closure.SERVER_ERRORS, answer.detail, ticks + self._world.seconds.probe)


def closing_intent(attempt: AttemptId, world: World) -> Intent:
    """An intent that only says that nobody sends this attempt. Its ticket is its own, never a turn's."""
    ticket = Tickets().issue(attempt.entry)
    return Intent(attempt=attempt.short, ticket=ticket, time=world.clock.now(), closing=True)


def not_sent(attempt: AttemptId, detail: str, now: datetime) -> End:
    """The end of an attempt of which no byte left."""
    return End(
        attempt=attempt.short,
        state=AttemptState.NOT_SENT,
        billing=Billing.NOT_BILLED,
        reason="NotSent",
        again=Again.FREE,
        time=now,
        detail=detail,
    )
