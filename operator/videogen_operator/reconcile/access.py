"""Keys and buckets of a class: Secrets are read by name, in the operator's own namespace, and kept for seconds."""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from ..api.generation_class import VideoGenerationClass
from ..api.storage import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from ..errors import StoreReason, StoreTrouble
from ..ports import Kube, ObjectStore, StoreAddress, StoreCredentials, Stores
from ..redaction import Secret

_KEEP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Kept:
    data: dict[str, str] | None
    read_at: float


class Access:
    """Opens what a class points to. Thread-safe."""

    def __init__(self, kube: Kube, stores: Stores) -> None:
        self._kube = kube
        self._stores = stores
        self._secrets: dict[str, _Kept] = {}
        self._labels: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def secret(self, name: str, ticks: float, *, fresh: bool = False) -> dict[str, str] | None:
        """The Secret's data, at most ten seconds old; None if there is no such Secret. Raises `KubeTrouble`."""
        with self._lock:
            kept = self._secrets.get(name)
        if kept is not None and not fresh and ticks - kept.read_at < _KEEP_SECONDS:
            return kept.data
        found = self._kube.secret(name)
        data = dict(found) if found is not None else None
        with self._lock:
            self._secrets[name] = _Kept(data, ticks)
        return data

    def namespace_labels(self, namespace: str, ticks: float) -> Mapping[str, str] | None:
        """The namespace's labels, at most ten seconds old. Raises `KubeTrouble`."""
        with self._lock:
            kept = self._labels.get(namespace)
        if kept is not None and ticks - kept.read_at < _KEEP_SECONDS:
            return kept.data
        found = self._kube.namespace_labels(namespace)
        data = dict(found) if found is not None else None
        with self._lock:
            self._labels[namespace] = _Kept(data, ticks)
        return data

    def api_key(self, klass: VideoGenerationClass, ticks: float, *, fresh: bool = False) -> Secret | None:
        """The gateway's key; None if Secret or entry is missing."""
        ref = klass.spec.provider.open_ai_videos.api_key_secret_ref
        data = self.secret(ref.name, ticks, fresh=fresh)
        value = (data or {}).get(ref.key, "").strip()
        return Secret(value) if value else None

    def fingerprint(self, klass: VideoGenerationClass, ticks: float) -> str:
        """Changes when one of the class's Secrets does; says nothing about their content."""
        names = [klass.spec.provider.open_ai_videos.api_key_secret_ref.name]
        if klass.spec.storage.s3.credentials is not None:
            names.append(klass.spec.storage.s3.credentials.secret_ref.name)
        text = repr([(name, sorted((self.secret(name, ticks) or {}).items())) for name in names])
        return hashlib.sha256(text.encode()).hexdigest()

    def store(self, klass: VideoGenerationClass, ticks: float) -> ObjectStore:
        """The class's bucket. Raises `StoreTrouble` if its Secret is missing."""
        s3 = klass.spec.storage.s3
        address = StoreAddress(
            bucket=s3.bucket, region=s3.region, endpoint=s3.endpoint, prefix=s3.prefix, path_style=s3.path_style
        )
        if s3.credentials is None:
            return self._stores.open(address, None)
        name = s3.credentials.secret_ref.name
        data = self.secret(name, ticks) or {}
        if not data.get(ACCESS_KEY_ID) or not data.get(SECRET_ACCESS_KEY):
            message = (
                f"Secret {name} with {ACCESS_KEY_ID} and {SECRET_ACCESS_KEY} is missing in the operator's namespace"
            )
            raise StoreTrouble(StoreReason.SECRET_NOT_FOUND, message)
        pair = StoreCredentials(
            access_key_id=data[ACCESS_KEY_ID].strip(), secret_access_key=Secret(data[SECRET_ACCESS_KEY].strip())
        )
        return self._stores.open(address, pair)
