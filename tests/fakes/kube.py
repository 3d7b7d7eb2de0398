"""An API server of dictionaries."""

import copy
import itertools
import threading
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from videogen_operator.errors import KubeTrouble, Superseded
from videogen_operator.ports import Kind, Operation

from .effects import Hooks
from .json_patch import PatchError, applied

Key = tuple[Kind, str, str]


class FakeKube:
    """Keeps the contract of `ports.Kube`; `put`, `delete` and the public attributes are the user's side."""

    def __init__(self, hooks: Hooks | None = None, *, default_status: bool = True) -> None:
        self.hooks = hooks or Hooks()
        self.secrets: dict[str, dict[str, str]] = {}
        self.namespaces: dict[str, dict[str, str]] = {}
        self.events: list[dict[str, Any]] = []
        self.patches: list[tuple[Key, list[Operation]]] = []  # those that were stored
        self._default_status = default_status
        self._objects: dict[Key, dict[str, Any]] = {}
        self._versions = itertools.count(1)
        self._lock = threading.RLock()

    # ---- the user's side

    def put(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create or apply: a new uid for a new object, a higher generation when the spec changed; status is kept."""
        with self._lock:
            new = copy.deepcopy(dict(manifest))
            key = self._key_of(new)
            old = self._objects.get(key)
            born = {"uid": str(uuid.uuid4()), "generation": 1, "creationTimestamp": "2026-11-22T10:40:00Z"}
            meta = {**(old["metadata"] if old else born), **new["metadata"]}
            if old and old.get("spec") != new.get("spec"):
                meta["generation"] += 1
            new["metadata"] = {**meta, "resourceVersion": str(next(self._versions))}
            new.setdefault("status", old.get("status") if old else None)
            if new["status"] is None:
                del new["status"]
                if self._default_status:
                    new["status"] = {"observedGeneration": -1}
            self._objects[key] = new
            if key[1]:
                self.namespaces.setdefault(key[1], {})
            return copy.deepcopy(new)

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        with self._lock:
            self._objects.pop((kind, namespace, name), None)

    def wipe_status(self, kind: Kind, namespace: str, name: str) -> None:
        """As a restore from a backup without status does."""
        with self._lock:
            found = self._objects[kind, namespace, name]
            found["status"] = {"observedGeneration": -1}
            found["metadata"]["resourceVersion"] = str(next(self._versions))

    def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Replace the annotations, as `kubectl annotate` does, which touches no generation."""
        with self._lock:
            found = self._objects[kind, namespace, name]
            found["metadata"]["annotations"] = dict(annotations)
            found["metadata"]["resourceVersion"] = str(next(self._versions))

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """The object as a user sees it, without any hook."""
        with self._lock:
            return copy.deepcopy(self._objects[kind, namespace, name])

    # ---- the port

    def read(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        with self.hooks.around("kube.read", f"{kind} {namespace}/{name}"), self._lock:
            return copy.deepcopy(self._objects.get((kind, namespace, name)))

    def patch_status(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Operation]
    ) -> dict[str, Any] | None:
        with self.hooks.around("kube.patch_status", f"{kind} {namespace}/{name}"), self._lock:
            key = (kind, namespace, name)
            old = self._objects.get(key)
            if old is None:
                return None
            try:
                wanted = applied(old, operations)
            except PatchError as error:
                raise Superseded(f"PATCH {kind} status: 422 {error}") from None
            new = copy.deepcopy(old)
            new["status"] = wanted.get("status", {})
            if new["status"] != old.get("status"):
                new["metadata"]["resourceVersion"] = str(next(self._versions))
                self._objects[key] = new
                self.patches.append((key, [dict(o) for o in operations]))
            return copy.deepcopy(new)

    def names(self, kind: Kind, *, task_id: str = "") -> set[tuple[str, str]]:
        with self.hooks.around("kube.names", str(kind)), self._lock:
            return {
                (namespace, name)
                for (k, namespace, name), found in self._objects.items()
                if k is kind and task_id in ("", (found.get("status") or {}).get("taskID"))
            }

    def secret(self, name: str) -> Mapping[str, str] | None:
        with self.hooks.around("kube.secret", name), self._lock:
            found = self.secrets.get(name)
            return dict(found) if found is not None else None

    def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        with self.hooks.around("kube.namespace_labels", name), self._lock:
            found = self.namespaces.get(name)
            return dict(found) if found is not None else None

    def event(self, namespace: str, body: Mapping[str, Any]) -> None:
        try:
            with self.hooks.around("kube.event", str(body.get("reason", ""))), self._lock:
                self.events.append({"namespace": namespace, **copy.deepcopy(dict(body))})
        except KubeTrouble:
            return  # no decision rests on an event

    @staticmethod
    def _key_of(manifest: Mapping[str, Any]) -> Key:
        kind = Kind(manifest["kind"])
        meta = manifest["metadata"]
        return kind, "" if kind is Kind.CLASS else meta["namespace"], meta["name"]
