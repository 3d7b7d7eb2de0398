"""A gateway in memory: tasks live as the test wrote, and every POST is on record."""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from videogen_operator.ports import Answer, Downloaded, Exchange, NoAnswer, TooLarge, Wire
from videogen_operator.redaction import Secret

from .clips import tiny_mp4
from .effects import Hooks

_PIXELS = {"720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What becomes of one POST.

    `reply`: what the POST answers instead of 200 with the ID. `makes_task`: whether a task exists then.
    `polls`: the status words (or whole exchanges) of the polls, in order; the last one stays.
    `contents`: the same for `/content`; None is the right clip.
    """

    reply: Exchange | None = None
    makes_task: bool = True
    polls: Sequence[str | Exchange] = ("queued", "in_progress", "completed")
    contents: Sequence[bytes | Exchange | None] = (None,)

    @staticmethod
    def rejected(status: int, body: object = None, **headers: str) -> "Life":
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = Answer(status=status, headers=sent, body=json.dumps(body).encode() if body else b"")
        return Life(reply=answer, makes_task=False)

    @staticmethod
    def not_sent() -> "Life":
        return Life(reply=NoAnswer(wire=Wire.NOT_SENT, detail="connection refused"), makes_task=False)

    @staticmethod
    def lost(*, made: bool = True) -> "Life":
        """The reply never arrived; the task was made, or not."""
        return Life(reply=NoAnswer(wire=Wire.SENT, detail="read time-out"), makes_task=made)


@dataclass(slots=True)
class FakeTask:
    """A task of the gateway."""

    id: str
    account: str
    request: dict[str, Any]
    life: Life
    polled: int = 0
    downloaded: int = 0
    open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One POST as it arrived."""

    endpoint: str
    key: str
    body: dict[str, Any]
    timeout: float  # how long the operator would have waited for the answer
    task_id: str | None = None


@dataclass(slots=True)
class FakeVideoApi:
    """Keeps the contract of `ports.VideoApi`. `lives` are used up by the POSTs in order; then all goes well.

    `instead`: what a GET is answered whatever it asks for, by call ("poll", "probe") and endpoint; None: as usual.
    `asked`: the endpoints that were asked for tasks, in order.
    """

    hooks: Hooks = field(default_factory=Hooks)
    lives: list[Life] = field(default_factory=list)
    accounts: dict[str, str] | None = None  # key -> account; None: one account that takes every key
    posts: list[Post] = field(default_factory=list)
    tasks: dict[str, FakeTask] = field(default_factory=dict)
    max_open: int = 0
    instead: Callable[[str, str], Exchange | None] = lambda _call, _endpoint: None
    asked: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def submit(self, endpoint: str, key: Secret, body: bytes, *, timeout: float) -> Exchange:
        if _malformed(key):
            return _MALFORMED
        with self.hooks.around("video_api.submit", endpoint), self.lock:
            account = self._account(key)
            if account is None:
                return _UNAUTHORIZED
            life = self.lives.pop(0) if self.lives else Life()
            request = json.loads(body)
            never_left = isinstance(life.reply, NoAnswer) and life.reply.wire is not Wire.SENT
            task = self._made(account, request, life) if life.makes_task else None
            if not never_left:
                made = task.id if task else None
                self.posts.append(
                    Post(endpoint=endpoint, key=key.reveal(), body=request, timeout=timeout, task_id=made)
                )
            if life.reply is not None:
                return life.reply
            return _json(200, {"id": task.id if task else "", "status": "queued"})

    def poll(self, endpoint: str, key: Secret, task_id: str) -> Exchange:
        if _malformed(key):
            return _MALFORMED
        self.asked.append(endpoint)
        with self.hooks.around("video_api.poll", task_id), self.lock:
            if (instead := self.instead("poll", endpoint)) is not None:
                return instead
            account, task = self._account(key), self.tasks.get(task_id)
            if account is None:
                return _UNAUTHORIZED
            if task is None or task.account != account:
                return _NO_TASK
            said = task.life.polls[min(task.polled, len(task.life.polls) - 1)]
            task.polled += 1
            if not isinstance(said, str):
                return said
            task.open = task.open and said not in ("completed", "failed", "canceled")
            return _json(200, {"id": task.id, "status": said})

    def download(
        self, endpoint: str, key: Secret, task_id: str, into: BinaryIO, *, limit: int
    ) -> Downloaded | TooLarge | Answer | NoAnswer:
        if _malformed(key):
            return _MALFORMED
        with self.hooks.around("video_api.download", task_id), self.lock:
            account, task = self._account(key), self.tasks.get(task_id)
            if account is None:
                return _UNAUTHORIZED
            if task is None or task.account != account:
                return _json(404, {"error": {"message": "Task not found", "type": "invalid_request_error"}})
            sent = task.life.contents[min(task.downloaded, len(task.life.contents) - 1)]
            task.downloaded += 1
            if isinstance(sent, Answer | NoAnswer):
                return sent
            data = _clip(task.request) if sent is None else sent
            if len(data) > limit:
                return TooLarge(declared=len(data), limit=limit)
            size = len(data) // 4 + 1
            for begin in range(0, len(data), size):  # noqa: FURB122 - in pieces, as they come
                into.write(data[begin : begin + size])
            return Downloaded(size=len(data), sha256=hashlib.sha256(data).hexdigest(), declared=len(data))

    def probe(self, endpoint: str, key: Secret) -> Exchange:
        if _malformed(key):
            return _MALFORMED
        with self.hooks.around("video_api.probe", endpoint), self.lock:
            if (instead := self.instead("probe", endpoint)) is not None:
                return instead
            return _UNAUTHORIZED if self._account(key) is None else _NO_TASK

    def _account(self, key: Secret) -> str | None:
        return "one" if self.accounts is None else self.accounts.get(key.reveal())

    def _made(self, account: str, request: dict[str, Any], life: Life) -> FakeTask:
        task = FakeTask(f"task_{len(self.tasks) + 1:04}", account, request, life)
        self.tasks[task.id] = task
        self.max_open = max(self.max_open, sum(t.open for t in self.tasks.values()))
        return task


def _malformed(key: Secret) -> bool:
    text = key.reveal()
    return not text or not text.isascii() or not text.isprintable() or " " in text


def _clip(request: dict[str, Any]) -> bytes:
    """The clip that was ordered, in the style `Metadata`."""
    ordered = request["metadata"]
    width, height = _PIXELS.get(ordered["resolution"], (1280, 720))
    if ordered["aspectRatio"] == "9:16":
        width, height = height, width
    return tiny_mp4(width, height, ordered["durationSeconds"])


def _json(status: int, body: object) -> Answer:
    return Answer(status=status, headers={"content-type": "application/json"}, body=json.dumps(body).encode())


_MALFORMED = NoAnswer(wire=Wire.MALFORMED_KEY, detail="the key cannot be a header")
_UNAUTHORIZED = _json(401, {"error": {"message": "invalid token", "type": "new_api_error", "code": ""}})
_NO_TASK = _json(400, {"code": "task_not_exist", "message": "task_not_exist", "data": None})
