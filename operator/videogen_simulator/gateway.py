"""Accounts, tasks and money: the state of the simulated gateway, behind one lock.

Nothing here waits; what has to wait (held answers) does so outside the lock.
"""

import hashlib
import heapq
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from . import settings, tasks
from .answers import Refused, no_balance, no_channel, too_many
from .book import Book
from .clip import Clip, clip
from .clock import Clock
from .effects import Effect
from .holds import Holds
from .ledger import Post, Task
from .rehearsal import Rehearsal
from .rules import Order
from .scenario import ScenarioError
from .settings import AUTO, TYPICAL_BYTES, Settings

CLIP_FIELDS = ("clip_seconds", "clip_size", "clip_bytes", "c2pa")
LIFE_FIELDS = ("failure", "endless", "duration", "content_delay", "retention")


@dataclass(slots=True, kw_only=True)
class Account:
    """What an account has and has at work; `remaining` None is money without end."""

    remaining: Decimal | None = None
    reserved: Decimal = Decimal(0)
    open: int = 0


class Gateway:
    """The state. Its public methods are safe to call from any thread."""

    def __init__(self, chosen: Settings, clock: Clock, seed: str) -> None:
        self._lock = threading.RLock()
        self.settings = chosen
        self.clock = clock
        self.book = Book(clock, self._lock)
        self.rehearsal = Rehearsal()
        self.holds = Holds(clock)
        self._seed = seed
        self._accounts: dict[str, Account] = {}
        self._ends: list[tuple[float, str]] = []

    def change(self, changes: Mapping[str, object]) -> None:
        """Replace settings. Raises `SettingsError`."""
        with self._lock:
            self.settings = settings.changed(self.settings, changes)

    # Accounts.

    def account_of(self, key: str | None) -> str | None:
        """The account of a key."""
        return None if key is None else self.settings.keys.get(key)

    def set_balance(self, name: str, dollars: Decimal | None) -> None:
        """What an account has from now on; None is money without end."""
        with self._lock:
            self._account(name).remaining = dollars

    def balances(self) -> dict[str, float | None]:
        """What each account has left, without what its open tasks will cost."""
        with self._lock:
            self.settle()
            names = sorted({*self._accounts, *self.settings.keys.values()})
            left = {name: self._account(name).remaining for name in names}
        return {name: None if dollars is None else float(dollars) for name, dollars in left.items()}

    def _account(self, name: str) -> Account:
        return self._accounts.setdefault(name, Account())

    # Tasks.

    def create(self, account: str, order: Order, effect: Effect, post: Post) -> Task:
        """Make a task. Raises `Refused` where model, money or room is missing."""
        with self._lock:
            self.settle()
            price = self._admitted(account, order)
            name = tasks.task_id(self._seed, len(self.book.tasks) + 1)
            task = Task(
                name=name,
                account=account,
                post=post.number,
                order=order,
                effect=effect,
                life=tasks.life(order, effect, self.settings, name, self.clock.now()),
                price=price,
                pad_bytes=self.settings.pad_bytes,
                c2pa=self.settings.c2pa,
            )
            self._open(task)
            self.book.made(task, post)
            return task

    def _admitted(self, account: str, order: Order) -> Decimal:
        price = self.settings.models.get(order.model)
        if price is None:
            raise Refused(no_channel(order.model[:100]))
        holder = self._account(account)
        if holder.remaining is not None and holder.remaining - holder.reserved < price:
            raise Refused(no_balance())
        if holder.open >= self.settings.max_open:
            raise Refused(too_many())
        return price

    def _open(self, task: Task) -> None:
        holder = self._account(task.account)
        holder.open += 1
        holder.reserved += task.price
        heapq.heappush(self._ends, (task.life.ends, task.name))

    def find(self, account: str | None, name: str) -> Task | None:
        """The account's task of that name, as it is now."""
        with self._lock:
            self.settle()
            task = self.book.tasks.get(name)
            return task if task and task.account == account else None

    def settle(self) -> None:
        """Close and bill the tasks that have ended by now. A failed one is free."""
        with self._lock:
            now = self.clock.now()
            while self._ends and self._ends[0][0] <= now:
                task = self.book.tasks[heapq.heappop(self._ends)[1]]
                if not task.settled and not task.life.is_open(now):
                    self._close(task)

    def _close(self, task: Task) -> None:
        task.settled = True
        holder = self._account(task.account)
        holder.open -= 1
        holder.reserved -= task.price
        if not task.life.failure:
            task.billed = task.price
            if holder.remaining is not None:
                holder.remaining -= task.price
        self.book.ended(task)

    # By hand.

    def afflict(self, name: str, effect: Effect) -> bool:
        """Let an effect meet a task that exists; False if it does not. What was billed stays billed.

        Raises `ScenarioError` for an effect that could only have met its POST.
        """
        if effect.ends_with_the_post:
            raise ScenarioError("this scenario changes the answer to a POST; a task that exists has had it")
        with self._lock:
            self.settle()
            task = self.book.tasks.get(name)
            if task is None:
                return False
            task.effect = effect.over(task.effect)
            if any(getattr(effect, field) is not None for field in LIFE_FIELDS):
                task.life = tasks.life(task.order, task.effect, self.settings, name, task.life.created)
                heapq.heappush(self._ends, (task.life.ends, name))
            if any(getattr(effect, field) is not None for field in CLIP_FIELDS):
                task.content_sha256 = task.content_bytes = None
            self.book.touch(task)
            return True

    def complete(self, name: str | None) -> int:
        """End open tasks now, one or all; how many."""
        with self._lock:
            self.settle()
            open_now = [task for task in self.book.tasks.values() if not task.settled and name in {None, task.name}]
            for task in open_now:
                task.life = tasks.ended_now(task.life, self.clock.now())
                self._close(task)
            return len(open_now)

    def record(self, since: int = 0, task: str | None = None) -> dict[str, object]:
        """The ledger. Asked for one task, its content is hashed even if nobody fetched it."""
        known = self.book.tasks.get(task) if task is not None else None
        if known and known.content_sha256 is None:
            self.book.hashed(known, *measured(content(known)))
        with self._lock:
            self.settle()
            shown = self.book.shown(since, task)
            return {**shown, "balances": self.balances(), "held": len(self.holds)}


def content(task: Task) -> Clip:
    """The clip of a task: what was ordered and set when it was made, unless a scenario says otherwise."""
    effect = task.effect
    pad = task.pad_bytes if effect.clip_bytes is None else effect.clip_bytes
    return clip(
        task.name,
        effect.clip_size or task.order.size,
        effect.clip_seconds or task.order.seconds,
        total=TYPICAL_BYTES[task.order.resolution] if pad == AUTO else pad,
        c2pa=task.c2pa if effect.c2pa is None else effect.c2pa,
    )


def measured(whole: Clip) -> tuple[str, int]:
    """SHA-256 and length of a clip."""
    digest = hashlib.sha256()
    for chunk in whole.chunks():
        digest.update(chunk)
    return digest.hexdigest(), whole.size
