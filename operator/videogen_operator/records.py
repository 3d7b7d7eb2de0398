"""What the watch has shown, as small as it can be: one number a field that decisions read. Bodies are not kept.

A finished object costs its key and two integers here, and no work, ever. An event that is older than what this process
has read or written itself changes nothing.
"""

import sys
import threading
from collections.abc import Mapping
from typing import Any

from .api.generation import KIND, RESOLVE_ANNOTATION
from .api.meta import Key

Body = Mapping[str, Any]


class Records:
    """Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def seen(self, body: Body) -> Key | None:
        """Note an object as the watch shows it; its key if there is anything new for a decision."""
        key, version, digest = _key(body), _version(body), _digest(body)
        with self._lock:
            known = self._known.get(key)
            if known is not None and (known[1] == digest or 0 < version <= known[0]):
                return None
            self._known[key] = (version, digest)
        return None if known is None and at_rest(body) else key

    def written(self, body: Body) -> None:
        """Note what our own write or read returned, so that its echo is no news."""
        with self._lock:
            self._known[_key(body)] = (_version(body), _digest(body))

    def gone(self, body: Body) -> Key:
        """The object was deleted."""
        key = _key(body)
        with self._lock:
            self._known.pop(key, None)
        return key

    def missing_from(self, names: set[tuple[str, str]]) -> list[Key]:
        """Objects whose deletion was never shown; they are forgotten."""
        with self._lock:
            lost = [key for key in self._known if (key.namespace, key.name) not in names]
            for key in lost:
                del self._known[key]
            return lost

    def __len__(self) -> int:
        with self._lock:
            return len(self._known)


def _key(body: Body) -> Key:
    metadata = body["metadata"]
    return Key(KIND, sys.intern(metadata["namespace"]), metadata["name"])


def _version(body: Body) -> int:
    """The resourceVersion; comparable as a number on every supported server, 0 where it is not one."""
    text = str(body["metadata"].get("resourceVersion", ""))
    return int(text) if text.isascii() and text.isdigit() else 0


def _digest(body: Body) -> int:
    metadata, status = body["metadata"], body.get("status") or {}
    annotations = metadata.get("annotations") or {}
    return hash(
        (
            metadata.get("uid"),
            metadata.get("generation"),
            metadata.get("deletionTimestamp"),
            annotations.get(RESOLVE_ANNOTATION),
            status.get("attempt"),
            status.get("taskID"),
            status.get("submittedRevision"),
            _finished(status),
        )
    )


def _finished(status: Mapping[str, Any]) -> bool:
    return any(c.get("type") == "Finished" and c.get("status") == "True" for c in status.get("conditions") or ())


def _gave_up(status: Mapping[str, Any]) -> bool:
    """Its newest attempt was abandoned without a task: an answer may still bring one."""
    attempts = status.get("attempts") or ()
    return any(a.get("id") == status.get("attempt") and a.get("state") == "Abandoned" for a in attempts)


def at_rest(body: Body) -> bool:
    """Finished for the revision that is asked for, and shown so: nothing will be done for it."""
    metadata, status = body["metadata"], body.get("status") or {}
    revision = (body.get("spec") or {}).get("revision", 1)
    answered = RESOLVE_ANNOTATION in (metadata.get("annotations") or {}) and _gave_up(status)
    return (
        not answered
        and _finished(status)
        and status.get("observedGeneration") == metadata.get("generation")
        and (status.get("submittedRevision") or 0) >= revision
    )
