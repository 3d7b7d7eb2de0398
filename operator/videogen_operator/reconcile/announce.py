"""Events: for people, no decision rests on one."""

import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from ..api.meta import API_VERSION, Key, ObjectMeta
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

    def say(
        self, key: Key, metadata: ObjectMeta, reason: str, note: str, *, action: str, warning: bool = False,
        related: str = "",
    ) -> None:  # fmt: skip
        """One event about an object or a class."""
        namespace = metadata.namespace or "default"
        body: dict[str, Any] = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata.name[:200]}.{uuid4().hex[:16]}", "namespace": namespace},
            "eventTime": self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "action": action,
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
