"""The world as the operator sees it: what it may ask of the video API, the bucket and the API server.

Each Protocol is implemented by one adapter and by one stateful fake, and one contract suite runs on both.
Every method may block for at most its own time-out; none of them retries a call that spends money.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, BinaryIO, Protocol

from .redaction import Secret

# ---------------------------------------------------------------- the video API


class Wire(StrEnum):
    """How far a request got when no answer came back."""

    NOT_SENT = "not sent"  # no byte of the request left: no connection, or the client refused to build it
    MALFORMED_KEY = "malformed key"  # the key cannot be a header (newline, not ASCII): nothing was sent
    SENT = "sent"  # at least one byte may have left: the answer is unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer, read up to a limit. `headers` has lower-case names; `body` at most 1 MiB."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """No complete answer: how far the request got, and what went wrong, in words without secrets."""

    wire: Wire
    detail: str


Exchange = Answer | NoAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """All that the gateway sent for one `/content`, now in the file that was given.

    `declared` is its Content-Length, None if it sent none: then only the MP4 boxes can say whether the body is whole.
    """

    size: int
    sha256: str  # hex
    declared: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge:
    """The body is, or says it is, larger than the class's `maxOutputBytes`; nothing of it is kept."""

    declared: int | None
    limit: int


class VideoApi(Protocol):
    """`/v1/videos` of one kind of gateway. `endpoint` is a base such as `https://host/v1`, without a trailing slash."""

    def submit(self, endpoint: str, key: Secret, body: bytes, *, timeout: float) -> Exchange:
        """POST `body` (JSON) once: fresh connection, no redirect followed, no client retry, one total time-out (s).

        Sends `x-litellm-num-retries: 0`. Never raises for anything that the network or the server does.
        """

    def poll(self, endpoint: str, key: Secret, task_id: str) -> Exchange:
        """GET the task; the ID is percent-encoded as one path segment."""

    def download(
        self, endpoint: str, key: Secret, task_id: str, into: BinaryIO, *, limit: int
    ) -> Downloaded | TooLarge | Answer | NoAnswer:
        """GET the content into `into` (opened empty, binary, write): streamed, hashed, never more than `limit` bytes.

        An `Answer` is any reply but 200 or 206. A body cut short of its declared length is a `NoAnswer`.
        Redirects are followed, the key goes to `endpoint`'s own origin only.
        """

    def probe(self, endpoint: str, key: Secret) -> Exchange:
        """GET a task ID that cannot exist: proves the key and the way to the gateway for free."""


# ---------------------------------------------------------------- the bucket


class Created(StrEnum):
    """What became of a create-only write."""

    WON = "won"  # the key did not exist; these bytes are there now
    EXISTS = "exists"  # 412: somebody's bytes were there before; nothing was written


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What HEAD says of an object."""

    size: int
    metadata: Mapping[str, str]  # user metadata, lower-case names
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAddress:
    """Where a class keeps its videos and its ledger. Equal addresses are one ledger."""

    bucket: str
    region: str = ""
    endpoint: str = ""  # empty: the region's own S3
    prefix: str = ""  # empty, or ends with "/"
    path_style: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCredentials:
    """A static key pair; None in its place means the ambient identity."""

    access_key_id: str
    secret_access_key: Secret


class ObjectStore(Protocol):
    """One bucket. All keys are full keys (prefix included). Every method raises `StoreTrouble` when it cannot know."""

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin with `prefix` (paged inside). A hint: absence is proven only by a create that was WON."""

    def read(self, key: str, *, limit: int = 1 << 20) -> bytes | None:
        """The object's bytes, None on 404 (which a missing bucket also answers: a hint too)."""

    def create(self, key: str, body: bytes, *, content_type: str = "application/json") -> Created:
        """PUT with `If-None-Match: *` and a SHA-256 checksum. `StoreTrouble` on 409, time-out and 5xx: unknown."""

    def head(self, key: str) -> StoredObject | None:
        """Size and metadata, None on 404."""

    def create_video(self, key: str, body: BinaryIO, *, size: int, sha256: str, metadata: Mapping[str, str]) -> Created:
        """One `put_object` of a file: `If-None-Match: *`, `ChecksumSHA256`, `video/mp4`, Content-Disposition.

        `sha256` is hex. Metadata values may be any text; HEAD gives them back as they were.
        Never multipart, so nothing partial can appear.
        """

    def probe(self, *, thorough: bool) -> None:
        """Prove that the bucket exists, can be written, listed, and that conditional writes are atomic.

        Not thorough: one conditional PUT that must win and one that must lose. Thorough: also 20 rounds of two
        concurrent PUTs of one key with 2 MiB bodies, exactly one of which must win.
        Raises `StoreTrouble` with the reason.
        """

    def uri(self, key: str) -> str:
        """`s3://bucket/key`."""

    def url(self, key: str, public_base_url: str = "") -> str:
        """The plain HTTP address, never signed: below `public_base_url`, or at the store's own endpoint."""


class Stores(Protocol):
    """Opens buckets; one client for each address and credential, shared by threads."""

    def open(self, address: StoreAddress, credentials: StoreCredentials | None) -> ObjectStore: ...


# ---------------------------------------------------------------- the API server


class Kind(StrEnum):
    """The kinds that the operator reads and whose status it writes."""

    GENERATION = "VideoGeneration"
    CLASS = "VideoGenerationClass"


Operation = Mapping[str, Any]  # one operation of a JSON patch (RFC 6902)


class Kube(Protocol):
    """The API server. Objects are plain dicts as they came. Raises `KubeTrouble` for all that is not said below."""

    def read(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        """A linearizable GET; None on 404. `namespace` is empty for a class."""

    def patch_status(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Operation]
    ) -> dict[str, Any] | None:
        """JSON patch of `/status`; the object as stored, None on 404.

        Raises `Superseded` on 422 and 409: a `test` failed, or the schema refused; one GET tells which.
        """

    def names(self, kind: Kind, *, task_id: str = "") -> set[tuple[str, str]]:
        """(namespace, name) of every object there is (of those with that `status.taskID`), by a paged LIST."""

    def secret(self, name: str) -> Mapping[str, str] | None:
        """Data of a Secret in the operator's own namespace, decoded as UTF-8; None on 404."""

    def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        """Labels of a namespace; None on 404."""

    def event(self, namespace: str, body: Mapping[str, Any]) -> None:
        """Create an `events.k8s.io/v1` Event. Failure is logged, never raised: no decision rests on an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach the API server, for a client that is not ours (the watches). Read anew at each login."""

    server: str
    ca_path: str | None = None
    token: Secret | None = None
    certificate_path: str | None = None
    private_key_path: str | None = None


# ---------------------------------------------------------------- time


class Clock(Protocol):
    """Two clocks and a pause; tests bring their own."""

    def now(self) -> datetime:
        """UTC, for records."""

    def ticks(self) -> float:
        """Seconds that never go back and run on while the machine sleeps, for deadlines."""

    def pause(self, seconds: float) -> None:
        """Wait a little inside a turn, only where a paid fact must be made durable before the turn ends."""

    def together(self, *effects: Callable[[], None]) -> None:
        """Run independent effects side by side; returns when all ended. An exception of one is raised afterwards."""
