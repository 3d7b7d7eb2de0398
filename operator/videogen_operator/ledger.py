"""The ledger: small JSON files in the bucket that record what each revision of an object bought.

    <prefix><namespace>/<name>/r<revision>/
        a<n>.intent.json    before the POST, create-only: the fence
        a<n>.task.json      the task ID, as soon as it is known
        a<n>.end.json       an attempt that ended without being this revision's stored video
        a<n>.resolved.json  a person's answer to an unknown outcome
        <name>.mp4          the video (`<name>.a<n>.mp4` for a second live task of one revision)
        result.json         written last: the commit mark

All files are create-only: what is there counts. No prompt text is ever in them, since they lie beside a
video that may be public. Nothing here does I/O; `reconcile` reads and writes the files.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar

from pydantic import Field, ValidationError

from .api.generation_status import AttemptState, Billing, Output, Resolved
from .api.meta import Model, Time
from .api.money import Money
from .ledger_names import FILE, RESULT, FolderId


class LedgerUnreadableError(Exception):
    """A file of the ledger is there but cannot be understood: wait for a person, never start over."""


# ---------------------------------------------------------------- names


# ---------------------------------------------------------------- the request


def digest(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


class Request(Model):
    """What the money buys, field by field: all that reaches the wire and nothing else. Digests stand for the texts."""

    model: str
    prompt_sha256: str
    negative_prompt_sha256: str | None = None
    resolution: str
    aspect_ratio: str
    duration_seconds: int
    seed: int | None = None  # only if the user set one: a derived seed follows from the rest

    @property
    def hash(self) -> str:
        """`sha256:` and the digest of the canonical form."""
        canonical = json.dumps(self.wire(), sort_keys=True, separators=(",", ":"))
        return f"sha256:{digest(canonical)}"


def derived_seed(folder: FolderId, prompt: str) -> int:
    """The seed of a request that sets none: the same after a crash or a re-creation, another for each revision."""
    text = f"{folder.namespace}/{folder.name}/r{folder.revision}/{prompt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


# ---------------------------------------------------------------- the files


class Intent(Model):
    """`a<n>.intent.json`: about to POST. A closing one was written only so that nobody else can: it is its own end."""

    attempt: str
    ticket: str
    time: Time
    closing: bool = False
    uid: str = ""
    class_: str = ""
    endpoint: str = ""
    request: Request | None = None
    resolved: Resolved | None = None


class Task(Model):
    """`a<n>.task.json`: the gateway made a task."""

    attempt: str
    task_id: str = Field(alias="taskID")
    endpoint: str
    time: Time


class Again(StrEnum):
    """What may follow an attempt that ended."""

    FREE = "Free"  # nothing was made, and it was not this request's fault: try again, not counted
    COUNTED = "Counted"  # try again as long as maxAttempts allows
    ONCE = "Once"  # counted, and one more try at most: it failed without saying why
    NEVER = "Never"  # final for this revision


class End(Model):
    """`a<n>.end.json`: how an attempt ended that did not become the revision's stored video."""

    attempt: str
    state: AttemptState
    billing: Billing
    reason: str
    again: Again
    time: Time
    detail: str = ""
    task_id: str | None = Field(default=None, alias="taskID")
    key: str | None = None  # where a duplicate's video lies


class Answer(StrEnum):
    """A person's answer to an unknown outcome."""

    RESUBMIT = "resubmit"
    ABANDON = "abandon"


class Resolution(Model):
    """`a<n>.resolved.json`: the answer, used once."""

    attempt: str
    answer: Answer
    time: Time


class Result(Model):
    """`result.json`: the video of this revision is in the bucket, whole."""

    attempt: str
    task_id: str = Field(alias="taskID")
    class_: str = ""
    billing: Billing = Billing.BILLED
    cost_usd: Money
    request: Request | None = None
    resolved: Resolved | None = None
    submit_time: Time | None = None
    completion_time: Time
    mismatch: str = ""
    output: Output


# ---------------------------------------------------------------- the folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The files of one attempt."""

    number: int
    intent: Intent | None = None
    task: Task | None = None
    end: End | None = None
    resolved: Resolution | None = None

    @property
    def nothing_made(self) -> bool:
        """It is known that the gateway made no task."""
        if self.task is not None:
            return False
        if self.end is not None:
            return self.end.state in {AttemptState.NOT_SENT, AttemptState.REJECTED}
        return self.intent is not None and self.intent.closing

    @property
    def request(self) -> Request | None:
        return self.intent.request if self.intent else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """All that the ledger knows of one revision, as read at one time."""

    id: FolderId
    entries: Mapping[int, Entry] = field(default_factory=dict)
    result: Result | None = None

    @property
    def newest(self) -> Entry | None:
        return self.entries[max(self.entries)] if self.entries else None

    def entry(self, number: int) -> Entry:
        return self.entries.get(number) or Entry(number=number)

    def with_file(self, number: int, document: Intent | Task | End | Resolution) -> "Folder":
        """The folder after we wrote (or found) one more file of an attempt."""
        names = {Intent: "intent", Task: "task", End: "end", Resolution: "resolved"}
        old = self.entry(number)
        parts: dict[str, Any] = {n: getattr(old, n) for n in names.values()}
        parts[names[type(document)]] = document
        entries = {**self.entries, number: Entry(number=number, **parts)}
        return Folder(id=self.id, entries=entries, result=self.result)

    def with_result(self, result: Result) -> "Folder":
        return Folder(id=self.id, entries=self.entries, result=result)


_DOCUMENTS: Final[Mapping[str, type[Model]]] = {"intent": Intent, "task": Task, "end": End, "resolved": Resolution}


def known_files(keys: Iterable[str]) -> list[str]:
    """The JSON files of the ledger among the keys of a folder, by file name; the rest is not ours to read."""
    names = [key.rsplit("/", 1)[-1] for key in keys]
    return [name for name in names if name == RESULT or FILE.fullmatch(name)]


def parse_folder(folder: FolderId, files: Mapping[str, bytes]) -> Folder:
    """The folder from its files. Raises `LedgerUnreadableError` for a file that is no document of ours."""
    parts: dict[int, dict[str, Any]] = {}
    result = None
    for name, body in files.items():
        if name == RESULT:
            result = _read(Result, folder, name, body)
        elif found := FILE.fullmatch(name):
            parts.setdefault(int(found[1]), {})[found[2]] = _read(_DOCUMENTS[found[2]], folder, name, body)
    entries = {number: Entry(number=number, **p) for number, p in sorted(parts.items())}
    return Folder(id=folder, entries=entries, result=result)


def folder_files(folder: Folder) -> dict[str, bytes]:
    """The files that `parse_folder` makes the same folder from, as small as they can be."""
    files = {
        f"a{number}.{what}.json": document.model_dump_json(by_alias=True, exclude_none=True).encode()
        for number, entry in folder.entries.items()
        for what in _DOCUMENTS
        if (document := getattr(entry, what)) is not None
    }
    if folder.result is not None:
        files[RESULT] = folder.result.model_dump_json(by_alias=True, exclude_none=True).encode()
    return files


def parse_document(folder: FolderId, name: str, body: bytes) -> Model:
    """One file, by its name."""
    if name == RESULT:
        return _read(Result, folder, name, body)
    found = FILE.fullmatch(name)
    if not found:
        raise LedgerUnreadableError(f"{folder.key('', name)} is no file of the ledger")
    return _read(_DOCUMENTS[found[2]], folder, name, body)


M = TypeVar("M", bound=Model)


def _read(model: type[M], folder: FolderId, name: str, body: bytes) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        where = ", ".join(".".join(str(part) for part in e["loc"]) or "the whole" for e in error.errors()[:3])
        raise LedgerUnreadableError(f"{folder.key('', name)} cannot be read ({where}); nothing is sent") from None


def document_bytes(document: Model) -> bytes:
    """The file's content: indented, since a person may read it at 3 a.m."""
    return json.dumps(document.wire(), indent=1, sort_keys=True).encode() + b"\n"
