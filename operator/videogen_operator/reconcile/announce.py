"""Events: for people, no decision rests on one."""

import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from ..api.generation import VideoGeneration
from ..api.meta import API_VERSION, Key, ObjectMeta
from ..events import EVENTS
from ..ports import Clock, Kube
from ..redaction import scrub

log: Final = logging.getLogger("videogen_operator.events")

CONTROLLER: Final = "videogen.dev/operator"
_LONGEST_NOTE: Final = 1000


class Announcer:
    """Writes `events.k8s.io/v1` Events; a failure is logged by the adapter and changes nothing."""

    def __init__(self, kube: Kube, clock: Clock, instance: str) -> None:
        self._kube = kube
        self._clock = clock
        self._instance = instance[:128]

    def about(self, obj: VideoGeneration, reason: str, note: str) -> None:
        """One event about an object, with the class that it was submitted through."""
        used, named = obj.status.class_, obj.spec.class_ref
        related = used.name if used is not None else named.name if named is not None else ""
        self.say(obj.key, obj.metadata, reason, note, related=related)

    def say(self, key: Key, metadata: ObjectMeta, reason: str, note: str, *, related: str = "") -> None:
        """One event about an object or a class; its type and action are those of the reason."""
        told = EVENTS[reason]
        namespace = metadata.namespace or "default"
        body: dict[str, Any] = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata.name[:200]}.{uuid4().hex[:16]}", "namespace": namespace},
            "eventTime": self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "type": "Warning" if told.warning else "Normal",
            "reason": str(reason),
            "action": told.action.value,
            "note": scrub(note, limit=_LONGEST_NOTE),
            "regarding": _reference(key, metadata),
        }
        if related:
            body["related"] = {"apiVersion": API_VERSION, "kind": "VideoGenerationClass", "name": related}
        log.debug("event %s", reason, extra={"object": str(key), "note": body["note"]})
        self._kube.event(namespace, body)


def _reference(key: Key, metadata: ObjectMeta) -> Mapping[str, str]:
    reference = {"apiVersion": API_VERSION, "kind": key.kind, "name": metadata.name, "uid": metadata.uid}
    if metadata.namespace:
        reference["namespace"] = metadata.namespace
    if metadata.resource_version:
        reference["resourceVersion"] = metadata.resource_version
    return reference
