"""What happened, with times: the evidence of tests and benchmarks. Prompts and keys are never in it.

Each record carries the number of its last change, so that a reader can ask for what is new.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from .effects import Effect
from .rules import Order
from .tasks import FOR_EVER, Life, Status


@dataclass(slots=True, kw_only=True)
class Post:
    """One `POST /v1/videos`, from its arrival on."""

    number: int
    at: float
    connection: int
    turn: int
    body_bytes: int
    body_sha256: str
    headers: dict[str, str]
    account: str | None = None
    prompt_sha256: str | None = None
    scenarios: tuple[str, ...] = ()
    task: str | None = None
    outcome: str | None = None  # the HTTP status, `close` or `reset`; None while it is held open
    code: str = ""
    answered_at: float | None = None
    changed: int = 0


@dataclass(slots=True, kw_only=True)
class Poll:
    """One `GET /v1/videos/{id}` of a task that the account has."""

    at: float
    http: str
    says: str


@dataclass(slots=True, kw_only=True)
class Download:
    """One `GET /v1/videos/{id}/content`."""

    at: float
    http: str
    length: int = 0
    bytes_sent: int = 0
    ended_at: float | None = None
    whole: bool = False


@dataclass(slots=True, kw_only=True)
class Task:
    """A task and all that was asked about it."""

    name: str
    account: str
    post: int
    order: Order
    effect: Effect
    life: Life
    price: Decimal
    pad_bytes: int
    c2pa: bool
    polls: list[Poll] = field(default_factory=list)
    downloads: list[Download] = field(default_factory=list)
    handed_out: int = 0  # requests for the content that found it ready
    settled: bool = False
    billed: Decimal = Decimal(0)
    content_sha256: str | None = None
    content_bytes: int | None = None
    changed: int = 0


@dataclass(slots=True, kw_only=True)
class Stray:
    """A request about a task that the account does not have, or without a valid key."""

    at: float
    method: str
    path: str
    account: str | None
    http: str
    changed: int = 0


@dataclass(slots=True, kw_only=True)
class Counters:
    """Sums over everything."""

    posts: int = 0
    tasks: int = 0
    polls: int = 0
    downloads: int = 0
    strays: int = 0
    bytes_sent: int = 0
    open: int = 0
    max_open: int = 0
    malformed: int = 0
    billed: Decimal = Decimal(0)
    outcomes: Counter[str] = field(default_factory=Counter)


def post_json(post: Post) -> dict[str, object]:
    """A POST as the ledger shows it."""
    return {
        "post": post.number,
        "at": post.at,
        "answered_at": post.answered_at,
        "outcome": post.outcome,
        "code": post.code or None,
        "account": post.account,
        "task": post.task,
        "prompt_sha256": post.prompt_sha256,
        "scenarios": list(post.scenarios),
        "connection": post.connection,
        "request_on_connection": post.turn,
        "body_bytes": post.body_bytes,
        "body_sha256": post.body_sha256,
        "headers": post.headers,
    }


def task_json(task: Task, now: float) -> dict[str, object]:
    """A task as the ledger shows it; `completed_at` and `failed_at` are there once it is so."""
    status = task.life.status(now)
    return {
        "id": task.name,
        "account": task.account,
        "post": task.post,
        "status": status.value,
        "request": request_json(task.order),
        "created_at": task.life.created,
        "ends_at": finite(task.life.ends),
        "completed_at": task.life.ends if status is Status.COMPLETED else None,
        "failed_at": task.life.ends if status is Status.FAILED else None,
        "content_from": finite(task.life.content_from),
        "expires_at": finite(task.life.expires),
        "price": float(task.price),
        "billed": float(task.billed),
        "content_sha256": task.content_sha256,
        "content_bytes": task.content_bytes,
        "polls": [{"at": poll.at, "http": poll.http, "status": poll.says} for poll in task.polls],
        "downloads": [download_json(download) for download in task.downloads],
    }


def request_json(order: Order) -> dict[str, object]:
    """The fields of a request as they were understood."""
    return {
        "model": order.model,
        "prompt_sha256": order.prompt_sha256,
        "seconds": order.seconds,
        "resolution": order.resolution,
        "aspect_ratio": order.aspect_ratio,
        "size": order.size,
        "seed": order.seed,
        "negative_prompt_sha256": order.negative_prompt_sha256,
        "image_sha256": order.image_sha256,
        "images_dropped": order.images_dropped,
        "encoding": order.encoding,
        "ignored": list(order.ignored),
    }


def download_json(download: Download) -> dict[str, object]:
    """A request for content as the ledger shows it."""
    return {
        "at": download.at,
        "http": download.http,
        "length": download.length,
        "bytes_sent": download.bytes_sent,
        "ended_at": download.ended_at,
        "whole": download.whole,
    }


def stray_json(stray: Stray) -> dict[str, object]:
    """A request that met no task."""
    return {
        "at": stray.at,
        "method": stray.method,
        "path": stray.path,
        "account": stray.account,
        "http": stray.http,
    }


def counters_json(counters: Counters) -> dict[str, object]:
    """The sums as the ledger shows them; dollars as a number."""
    return {
        "posts": counters.posts,
        "posts_by_outcome": dict(sorted(counters.outcomes.items())),
        "tasks": counters.tasks,
        "polls": counters.polls,
        "downloads": counters.downloads,
        "strays": counters.strays,
        "bytes_sent": counters.bytes_sent,
        "open": counters.open,
        "max_open": counters.max_open,
        "malformed": counters.malformed,
        "billed": float(counters.billed),
    }


def finite(moment: float) -> float | None:
    """JSON has no infinity."""
    return None if moment == FOR_EVER else moment
