"""Accounts, tasks and money: the state of the simulated gateway, behind one lock.

Nothing here waits; what has to wait (held answers) does so outside the lock.
"""

import hashlib
import heapq
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from . import ledger, markers, settings, tasks
from .answers import Refused, no_balance, no_channel, too_many
from .clip import Clip, clip
from .clock import Clock
from .effects import Effect
from .ledger import Counters, Download, Poll, Post, Stray, Task
from .rules import Order
from .settings import AUTO, TYPICAL_BYTES, Settings
from .wire import Request

NOTED_HEADERS = ("content-type", "user-agent", "x-litellm-num-retries", "idempotency-key")
MOST_STRAYS = 10_000
LIFE_FIELDS = ("failure", "endless", "duration", "content_delay", "retention")


@dataclass(slots=True, kw_only=True)
class Account:
    """What an account has and has at work; `remaining` None is money without end."""

    remaining: Decimal | None = None
    reserved: Decimal = Decimal(0)
    open: int = 0


@dataclass(slots=True, kw_only=True)
class Armed:
    """A scenario for the next POSTs; `posts` None is for all of them."""

    scenario: markers.Chosen
    posts: int | None


class Gateway:
    """The state. Its public methods are safe to call from any thread."""

    def __init__(self, chosen: Settings, clock: Clock, seed: str) -> None:
        self.settings = chosen
        self.clock = clock
        self.posts: list[Post] = []
        self.tasks: dict[str, Task] = {}
        self.strays: deque[Stray] = deque(maxlen=MOST_STRAYS)
        self.counters = Counters()
        self.changes = 0
        self.armed: list[Armed] = []
        self._seed = seed
        self._lock = threading.RLock()
        self._accounts: dict[str, Account] = {}
        self._ends: list[tuple[float, str]] = []
        self._met: Counter[tuple[str, str]] = Counter()
        self._holds: set[threading.Event] = set()
        self._closed = False

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

    # POSTs.

    def arrived(self, request: Request) -> Post:
        """Put a POST on record, before anything else happens to it."""
        with self._lock:
            self.counters.posts += 1
            post = Post(
                number=self.counters.posts,
                at=self.clock.now(),
                connection=request.connection,
                turn=request.turn,
                body_bytes=len(request.body),
                body_sha256=hashlib.sha256(request.body).hexdigest(),
                headers={name: request.headers[name] for name in NOTED_HEADERS if name in request.headers},
            )
            self.posts.append(post)
            self._touch(post)
            return post

    def answered(self, post: Post, outcome: str, code: str) -> None:
        """Note how a POST was answered."""
        with self._lock:
            post.outcome, post.code, post.answered_at = outcome, code, self.clock.now()
            self.counters.outcomes[outcome] += 1
            self._touch(post)

    def effect(self, prompt_sha256: str, marked: tuple[markers.Chosen, ...]) -> tuple[Effect, tuple[str, ...]]:
        """What a POST meets: its markers that still count, and the armed scenario that is next."""
        with self._lock:
            met = [scenario for scenario in marked if self._counts(prompt_sha256, scenario)]
            armed = self._next_armed()
            if armed:
                met.append(armed)
        return markers.merged(tuple(met)), tuple(scenario.name for scenario in met)

    def _counts(self, prompt_sha256: str, scenario: markers.Chosen) -> bool:
        key = (prompt_sha256, scenario.name)
        self._met[key] += 1
        return not scenario.limited or self._met[key] <= scenario.times

    def _next_armed(self) -> markers.Chosen | None:
        counted = [armed for armed in self.armed if armed.posts is not None]
        if not counted:
            return self.armed[0].scenario if self.armed else None
        first = counted[0]
        first.posts = (first.posts or 0) - 1
        if not first.posts:
            self.armed.remove(first)
        return first.scenario

    def create(self, account: str, order: Order, effect: Effect, post: Post) -> Task:
        """Make a task. Raises `Refused` where money, model or room is missing."""
        with self._lock:
            self.settle()
            price = self._admitted(account, order)
            now = self.clock.now()
            name = tasks.task_id(self._seed, len(self.tasks) + 1)
            pad = self.settings.pad_bytes if effect.clip_bytes is None else effect.clip_bytes
            task = Task(
                name=name,
                account=account,
                post=post.number,
                order=order,
                effect=effect,
                life=tasks.life(order, effect, self.settings, name, now),
                price=price,
                pad_bytes=TYPICAL_BYTES[order.resolution] if pad == AUTO else pad,
                c2pa=self.settings.c2pa if effect.c2pa is None else effect.c2pa,
            )
            self._enter(task, post)
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

    def _enter(self, task: Task, post: Post) -> None:
        self.tasks[task.name] = task
        post.task = task.name
        self.counters.tasks += 1
        holder = self._account(task.account)
        holder.open += 1
        holder.reserved += task.price
        self.counters.open += 1
        self.counters.max_open = max(self.counters.max_open, self.counters.open)
        heapq.heappush(self._ends, (task.life.ends, task.name))
        self._touch(task)
        self._touch(post)

    # Tasks.

    def find(self, account: str | None, name: str) -> Task | None:
        """The account's task of that name, as it is now."""
        with self._lock:
            self.settle()
            task = self.tasks.get(name)
            return task if task and task.account == account else None

    def settle(self) -> None:
        """Close and bill the tasks that have ended by now. A failed one is free."""
        with self._lock:
            now = self.clock.now()
            while self._ends and self._ends[0][0] <= now:
                _, name = heapq.heappop(self._ends)
                task = self.tasks[name]
                if not task.settled and not task.life.is_open(now):
                    self._close(task)

    def _close(self, task: Task) -> None:
        task.settled = True
        holder = self._account(task.account)
        holder.open -= 1
        holder.reserved -= task.price
        self.counters.open -= 1
        if not task.life.failure:
            task.billed = task.price
            self.counters.billed += task.price
            if holder.remaining is not None:
                holder.remaining -= task.price
        self._touch(task)

    def polled(self, task: Task, http: str, says: str) -> None:
        """Put a poll on record."""
        with self._lock:
            task.polls.append(Poll(at=self.clock.now(), http=http, says=says))
            self.counters.polls += 1
            self._touch(task)

    def downloading(self, task: Task, http: str, length: int = 0) -> Download:
        """Put a request for content on record."""
        with self._lock:
            download = Download(at=self.clock.now(), http=http, length=length)
            task.downloads.append(download)
            self.counters.downloads += 1
            self._touch(task)
            return download

    def sent(self, task: Task, download: Download, count: int) -> None:
        """Note bytes of content that went out."""
        with self._lock:
            download.bytes_sent += count
            download.ended_at = self.clock.now()
            download.whole = download.bytes_sent == download.length
            self.counters.bytes_sent += count
            self._touch(task)

    def next_hand_out(self, task: Task) -> int:
        """The number (from 0) of this request for content that is ready."""
        with self._lock:
            task.handed_out += 1
            return task.handed_out - 1

    def hashed(self, task: Task, sha256: str, length: int) -> None:
        """Note what the content is."""
        with self._lock:
            task.content_sha256, task.content_bytes = sha256, length
            self._touch(task)

    def stray(self, method: str, path: str, account: str | None, http: str) -> None:
        """Put a request that met no task on record."""
        with self._lock:
            stray = Stray(at=self.clock.now(), method=method, path=path[:200], account=account, http=http)
            self.strays.append(stray)
            self.counters.strays += 1
            self._touch(stray)

    def malformed(self) -> None:
        """Count bytes that were no request."""
        with self._lock:
            self.counters.malformed += 1

    def _touch(self, record: Post | Task | Stray) -> None:
        self.changes += 1
        record.changed = self.changes

    # Control.

    def arm(self, scenario: markers.Chosen, posts: int | None) -> None:
        """Let a scenario meet the next POSTs, after those that are armed already."""
        with self._lock:
            self.armed.append(Armed(scenario=scenario, posts=posts))

    def disarm(self) -> None:
        """Take back what is armed and forget which prompts met what."""
        with self._lock:
            self.armed.clear()
            self._met.clear()

    def afflict(self, name: str, effect: Effect) -> bool:
        """Let an effect meet a task that exists; False if it does not."""
        with self._lock:
            task = self.tasks.get(name)
            if task is None:
                return False
            task.effect = effect.over(task.effect)
            if any(getattr(effect, field) is not None for field in LIFE_FIELDS):
                task.life = tasks.life(task.order, task.effect, self.settings, name, task.life.created)
                heapq.heappush(self._ends, (task.life.ends, name))
            self._touch(task)
            return True

    def complete(self, name: str | None) -> int:
        """End open tasks now, one or all; how many."""
        with self._lock:
            self.settle()
            chosen = [task for task in self.tasks.values() if not task.settled and name in {None, task.name}]
            now = self.clock.now()
            for task in chosen:
                task.life = tasks.ended_now(task.life, now)
                self._close(task)
            return len(chosen)

    def change(self, changes: Mapping[str, object]) -> None:
        """Replace settings. Raises `SettingsError`."""
        with self._lock:
            self.settings = settings.changed(self.settings, changes)

    def hold(self, seconds: float) -> None:
        """Keep the caller waiting, until the time is over, `release` or `close`."""
        released = threading.Event()
        with self._lock:
            if self._closed:
                return
            self._holds.add(released)
            self.counters.held = len(self._holds)
        self.clock.wait(released, seconds)
        with self._lock:
            self._holds.discard(released)
            self.counters.held = len(self._holds)

    def release(self) -> int:
        """Let all held answers go; how many."""
        with self._lock:
            holds = list(self._holds)
        for released in holds:
            released.set()
        return len(holds)

    def close(self) -> None:
        """Let all held answers go, for good."""
        with self._lock:
            self._closed = True
        self.release()

    def record(self, since: int = 0, task: str | None = None) -> dict[str, object]:
        """The ledger: what changed after a change number, of one task or of all."""
        if task is not None and task in self.tasks:
            self._hash_now(self.tasks[task])
        with self._lock:
            self.settle()
            now = self.clock.now()
            posts = [post for post in self.posts if post.changed > since and task in {None, post.task}]
            found = [one for one in self.tasks.values() if one.changed > since and task in {None, one.name}]
            strays = [stray for stray in self.strays if stray.changed > since and task is None]
            return {
                "now": now,
                "next": self.changes,
                "counters": ledger.counters_json(self.counters),
                "balances": self.balances(),
                "posts": [ledger.post_json(post) for post in posts],
                "tasks": [ledger.task_json(one, now) for one in found],
                "strays": [ledger.stray_json(stray) for stray in strays],
            }

    def _hash_now(self, task: Task) -> None:
        if task.content_sha256 is None and not task.life.failure:
            whole = content(task)
            digest = hashlib.sha256()
            for chunk in whole.chunks():
                digest.update(chunk)
            self.hashed(task, digest.hexdigest(), whole.size)


def content(task: Task) -> Clip:
    """The clip of a task."""
    return clip(
        task.name,
        task.effect.clip_size or task.order.size,
        task.effect.clip_seconds or task.order.seconds,
        total=task.pad_bytes,
        c2pa=task.c2pa,
    )
