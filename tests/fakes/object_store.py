"""Buckets of dictionaries, with create-only writes."""

import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from videogen_operator.errors import StoreReason, StoreTrouble
from videogen_operator.ports import Created, StoreAddress, StoreCredentials, StoredObject

from .effects import Hooks


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of a bucket."""

    body: bytes
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class FakeStores:
    """Keeps the contract of `ports.Stores`. `buckets[name]` is the bucket's content, for tests to read and to edit."""

    def __init__(self, hooks: Hooks | None = None, *, buckets: Iterable[str] = ("videos",)) -> None:
        self.hooks = hooks or Hooks()
        self.buckets: dict[str, dict[str, Thing]] = {name: {} for name in buckets}
        self.access_keys: set[str] | None = None  # None: every key pair is taken
        self.conditional_writes = True
        self.opened: list[tuple[StoreAddress, StoreCredentials | None]] = []  # each once
        self.lock = threading.RLock()

    def open(self, address: StoreAddress, credentials: StoreCredentials | None) -> "FakeObjectStore":
        with self.lock:
            if (address, credentials) not in self.opened:
                self.opened.append((address, credentials))
        return FakeObjectStore(self, address, credentials)


class FakeObjectStore:
    """Keeps the contract of `ports.ObjectStore`."""

    def __init__(self, stores: FakeStores, address: StoreAddress, credentials: StoreCredentials | None) -> None:
        self._stores = stores
        self._address = address
        self._credentials = credentials

    def keys(self, prefix: str) -> list[str]:
        with self._stores.hooks.around("store.keys", prefix), self._stores.lock:
            return sorted(key for key in self._bucket() if key.startswith(prefix))

    def read(self, key: str, *, limit: int = 1 << 20) -> bytes | None:
        with self._stores.hooks.around("store.read", key), self._stores.lock:
            found = self._bucket().get(key)
            if found and len(found.body) > limit:
                raise StoreTrouble(StoreReason.UNAVAILABLE, f"{key} has more than {limit} bytes")
            return found.body if found else None

    def create(self, key: str, body: bytes, *, content_type: str = "application/json") -> Created:
        with self._stores.hooks.around("store.create", key):
            return self._create(key, Thing(body, content_type))

    def head(self, key: str) -> StoredObject | None:
        with self._stores.hooks.around("store.head", key), self._stores.lock:
            found = self._bucket().get(key)
            if found is None:
                return None
            etag = hashlib.sha256(found.body).hexdigest()[:32]
            return StoredObject(size=len(found.body), metadata=dict(found.metadata), etag=etag)

    def create_video(self, key: str, body: BinaryIO, *, size: int, sha256: str, metadata: Mapping[str, str]) -> Created:
        with self._stores.hooks.around("store.create_video", key):
            body.seek(0)
            data = body.read()
            if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
                raise StoreTrouble(StoreReason.UNAVAILABLE, f"{key}: the bytes are not those announced (BadDigest)")
            return self._create(key, Thing(data, "video/mp4", {k.lower(): v for k, v in metadata.items()}))

    def probe(self, *, thorough: bool) -> None:
        with self._stores.hooks.around("store.probe", "thorough" if thorough else "brief"), self._stores.lock:
            self._bucket()
            if not self._stores.conditional_writes:
                reason = StoreReason.CONDITIONAL_WRITES_UNSUPPORTED
                raise StoreTrouble(reason, "two writes of one key with If-None-Match: * were both taken")

    def uri(self, key: str) -> str:
        return f"s3://{self._address.bucket}/{key}"

    def url(self, key: str, public_base_url: str = "") -> str:
        base = public_base_url.rstrip("/") or f"https://store.test/{self._address.bucket}"
        return f"{base}/{key}"

    def _bucket(self) -> dict[str, Thing]:
        allowed = self._stores.access_keys
        used = self._credentials.access_key_id if self._credentials else ""
        if allowed is not None and used not in allowed:
            raise StoreTrouble(StoreReason.ACCESS_DENIED, "InvalidAccessKeyId")
        if self._address.bucket not in self._stores.buckets:
            raise StoreTrouble(StoreReason.BUCKET_NOT_FOUND, f"bucket {self._address.bucket} does not exist")
        return self._stores.buckets[self._address.bucket]

    def _create(self, key: str, thing: Thing) -> Created:
        with self._stores.lock:
            bucket = self._bucket()
            if key in bucket and self._stores.conditional_writes:
                return Created.EXISTS
            bucket[key] = thing
            return Created.WON
