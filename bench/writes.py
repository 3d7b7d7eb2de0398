"""Counts an operator's writes in an audit log."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]
Name = tuple[str, str]

WRITES = ("create", "update", "patch", "delete", "deletecollection")
_OBJECTS = "videogenerations"


@dataclass(frozen=True, kw_only=True, slots=True)
class Writes:
    """Of one user, in one span of the log. Refused writes count, too: they cost the API server as much."""

    by_object: Mapping[Name, int]
    """Writes to each VideoGeneration, by namespace and name."""
    by_resource: Mapping[str, int]
    """All writes, by resource and subresource such as `videogenerationclasses/status`."""

    @property
    def total(self) -> int:
        """All writes."""
        return sum(self.by_resource.values())

    @property
    def to_objects(self) -> int:
        """Writes to VideoGenerations."""
        return sum(self.by_object.values())

    def most(self, names: Iterable[Name]) -> int:
        """The most writes that one of these objects met."""
        return max((self.by_object.get(name, 0) for name in names), default=0)

    def spread(self, names: Iterable[Name]) -> str:
        """How many of these objects met how many writes: `50 x 3`."""
        counts = Counter(self.by_object.get(name, 0) for name in names)
        return ", ".join(f"{objects} x {writes}" for writes, objects in sorted(counts.items()))

    def listed(self) -> str:
        """All writes by resource: `150 videogenerations/status, 12 events`."""
        return ", ".join(f"{count} {name}" for name, count in sorted(self.by_resource.items())) or "none"


def count(events: Sequence[Event], user: str) -> Writes:
    """The writes of `user` in these audit events; leases, which are about the process, are left out."""
    objects: Counter[Name] = Counter()
    resources: Counter[str] = Counter()
    for event in events:
        about = event.get("objectRef") or {}
        if event["user"]["username"] != user or event["verb"] not in WRITES or about.get("resource") == "leases":
            continue
        resources["/".join(filter(None, (about.get("resource", "?"), about.get("subresource"))))] += 1
        if about.get("resource") == _OBJECTS:
            objects[about.get("namespace", ""), about.get("name", "")] += 1
    return Writes(by_object=objects, by_resource=resources)
