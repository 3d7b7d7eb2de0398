"""The book that is kept of every POST, poll and byte, while they happen.

`ledger` says what a record is and how it is shown; here it is written, under the gateway's lock.
"""

import hashlib
import threading
from collections import deque

from . import ledger
from .clock import Clock
from .ledger import Counters, Download, Poll, Post, Stray, Task
from .reading import Request

NOTED_HEADERS = ("content-type", "user-agent", "x-litellm-num-retries", "idempotency-key")
MOST_STRAYS = 10_000


class Book:
    """The records. `lock` is the gateway's: a reader that holds it sees one moment."""

    def __init__(self, clock: Clock, lock: threading.RLock) -> None:
        self.posts: list[Post] = []
        self.tasks: dict[str, Task] = {}
        self.strays: deque[Stray] = deque(maxlen=MOST_STRAYS)
        self.counters = Counters()
        self._clock = clock
        self._lock = lock
        self._changes = 0

    def touch(self, record: Post | Task | Stray) -> None:
        """Give a record the number of its last change."""
        with self._lock:
            self._changes += 1
            record.changed = self._changes

    def arrived(self, request: Request) -> Post:
        """A POST, before anything else happens to it."""
        with self._lock:
            self.counters.posts += 1
            post = Post(
                number=self.counters.posts,
                at=self._clock.now(),
                connection=request.connection,
                turn=request.turn,
                body_bytes=len(request.body),
                body_sha256=hashlib.sha256(request.body).hexdigest(),
                headers={name: request.headers[name] for name in NOTED_HEADERS if name in request.headers},
            )
            self.posts.append(post)
            self.touch(post)
            return post

    def answered(self, post: Post, outcome: str, code: str) -> None:
        """How a POST was answered."""
        with self._lock:
            post.outcome, post.code, post.answered_at = outcome, code, self._clock.now()
            self.counters.outcomes[outcome] += 1
            self.touch(post)

    def made(self, task: Task, post: Post) -> None:
        """A task that a POST made."""
        with self._lock:
            self.tasks[task.name] = task
            post.task = task.name
            self.counters.tasks += 1
            self.counters.open += 1
            self.counters.max_open = max(self.counters.max_open, self.counters.open)
            self.touch(task)
            self.touch(post)

    def ended(self, task: Task) -> None:
        """A task that is over; what it cost is on it already."""
        with self._lock:
            self.counters.open -= 1
            self.counters.billed += task.billed
            self.touch(task)

    def polled(self, task: Task, http: str, says: str) -> None:
        """A poll."""
        with self._lock:
            task.polls.append(Poll(at=self._clock.now(), http=http, says=says))
            self.counters.polls += 1
            self.touch(task)

    def downloading(self, task: Task, http: str, length: int = 0) -> Download:
        """A request for content."""
        with self._lock:
            download = Download(at=self._clock.now(), http=http, length=length)
            task.downloads.append(download)
            self.counters.downloads += 1
            self.touch(task)
            return download

    def handing_out(self, task: Task) -> int:
        """The number (from 0) of this request for content that is ready."""
        with self._lock:
            task.handed_out += 1
            return task.handed_out - 1

    def sent(self, task: Task, download: Download, count: int) -> None:
        """Bytes of content that went out."""
        with self._lock:
            download.bytes_sent += count
            download.ended_at = self._clock.now()
            download.whole = download.bytes_sent == download.length
            self.counters.bytes_sent += count
            self.touch(task)

    def hashed(self, task: Task, sha256: str, length: int) -> None:
        """What the content is."""
        with self._lock:
            task.content_sha256, task.content_bytes = sha256, length
            self.touch(task)

    def stray(self, request: Request, account: str | None, http: str) -> None:
        """A request that met no task."""
        path = request.path[:200]
        with self._lock:
            stray = Stray(at=self._clock.now(), method=request.method, path=path, account=account, http=http)
            self.strays.append(stray)
            self.counters.strays += 1
            self.touch(stray)

    def malformed(self) -> None:
        """Bytes that were no request."""
        with self._lock:
            self.counters.malformed += 1

    def shown(self, since: int, task: str | None) -> dict[str, object]:
        """What changed after a change number, of one task or of all."""
        with self._lock:
            now = self._clock.now()
            posts = [post for post in self.posts if post.changed > since and task in {None, post.task}]
            found = [one for one in self.tasks.values() if one.changed > since and task in {None, one.name}]
            strays = [stray for stray in self.strays if stray.changed > since and task is None]
            return {
                "now": now,
                "next": self._changes,
                "counters": ledger.counters_json(self.counters),
                "posts": [ledger.post_json(post) for post in posts],
                "tasks": [ledger.task_json(one, now) for one in found],
                "strays": [ledger.stray_json(stray) for stray in strays],
            }
