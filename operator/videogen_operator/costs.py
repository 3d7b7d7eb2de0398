"""What an attempt is in the status's list, and what all of them cost: sums that are kept, whatever the list drops."""

from decimal import Decimal

from . import ledger, ledger_names
from .api.generation import VideoGeneration
from .api.generation_status import Attempt, AttemptState, Billing, Cost
from .api.money import ZERO


def completed(item: Attempt, result: ledger.Result) -> Attempt:
    """The item of an attempt whose video is stored."""
    return item.model_copy(
        update={
            "state": AttemptState.COMPLETED,
            "billing": result.billing,
            "task_id": result.task_id,
            "submit_time": result.submit_time or item.submit_time,
            "finish_time": result.completion_time,
            "cost_usd": result.cost_usd,
        }
    )


def ended(item: Attempt, end_: ledger.End, price: Decimal) -> Attempt:
    """The item of an attempt that ended without the revision's video."""
    return item.model_copy(
        update={
            "state": end_.state,
            "billing": end_.billing,
            "finish_time": end_.time,
            "task_id": end_.task_id or item.task_id,
            "cost_usd": ZERO if end_.billing is Billing.NOT_BILLED else price,
            "reason": end_.reason,
            "message": end_.detail or None,
        }
    )


def item_of(obj: VideoGeneration, attempt: ledger_names.AttemptId) -> Attempt:
    """The attempt's item in the list, or a new one."""
    known = next((item for item in obj.status.attempts if item.id == attempt.short), None)
    return known or Attempt(id=attempt.short, state=AttemptState.INTENT)


def with_item(obj: VideoGeneration, item: Attempt) -> Cost:
    """The accumulators after `item` became what it is: what the item said before is taken out first."""
    old = next((known for known in obj.status.attempts if known.id == item.id), None)
    cost = obj.status.cost or Cost()
    billed = cost.billed_usd - _amount(old, Billing.BILLED) + _amount(item, Billing.BILLED)
    possible = cost.possible_usd - _amount(old, Billing.POSSIBLE) + _amount(item, Billing.POSSIBLE)
    over = item.state not in {AttemptState.INTENT, AttemptState.SUBMITTED}
    estimated = billed if over else cost.estimated_usd
    return Cost(estimated_usd=max(estimated, ZERO), billed_usd=max(billed, ZERO), possible_usd=max(possible, ZERO))


def _amount(item: Attempt | None, billing: Billing) -> Decimal:
    return item.cost_usd or ZERO if item is not None and item.billing is billing else ZERO


def before_the_end(obj: VideoGeneration, *, estimated: Decimal) -> Cost:
    """Before the end: what was paid so far, and what will have been paid if this goes well."""
    cost = obj.status.cost or Cost()
    return cost.model_copy(update={"estimated_usd": cost.billed_usd + estimated})


def in_the_air(obj: VideoGeneration, item: Attempt, price: Decimal | None) -> Cost:
    """With an open task: what was possible spend is none any more, and the task will be paid for."""
    cost = with_item(obj, item)
    expected = price if price is not None else obj.status.resolved.price_usd if obj.status.resolved else ZERO
    return cost.model_copy(update={"estimated_usd": cost.billed_usd + expected})
