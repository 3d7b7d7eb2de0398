"""All classes that this process knows, each with its desk."""

import threading

from ..api.generation import VideoGeneration
from ..api.generation_class import KIND as CLASS_KIND
from ..api.generation_class import VideoGenerationClass
from ..api.meta import Key
from ..closures import Closure
from ..desk import Desk
from .world import World


class Desks:
    """Thread-safe."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._desks: dict[str, Desk] = {}
        self._lock = threading.Lock()

    def desk(self, name: str) -> Desk:
        """The desk of a class, known or not yet."""
        with self._lock:
            return self._desks.setdefault(name, Desk(name))

    def known(self) -> list[Desk]:
        with self._lock:
            return [desk for desk in self._desks.values() if desk.klass is not None]

    def klass(self, name: str) -> VideoGenerationClass | None:
        with self._lock:
            desk = self._desks.get(name)
        return desk.klass if desk else None

    def default(self) -> VideoGenerationClass | None:
        """The class for objects that name none; of several the newest, as for StorageClass."""
        classes = [d.klass for d in self.known() if d.klass and d.klass.is_default]
        return max(classes, key=lambda c: (str(c.metadata.creation_timestamp), c.metadata.name), default=None)

    def of(self, obj: VideoGeneration) -> VideoGenerationClass | None:
        """The class of an object: the pinned one for what was submitted, else the named or the default one."""
        status = obj.status
        if status.class_ is not None and status.submitted_revision == obj.spec.revision:
            return self.klass(status.class_.name)
        if status.class_ is not None and _in_the_air(obj):
            return self.klass(status.class_.name)
        if obj.spec.class_ref is not None:
            return self.klass(obj.spec.class_ref.name)
        return self.default()

    def in_the_air(self) -> list[str]:
        """The attempts between their intent and the record of their answer, as `<namespace>/<name>/r<n>/a<n>`."""
        return sorted(attempt for desk in self.known() for attempt in tuple(desk.permits))

    def close_all(self, why: Closure, message: str) -> None:
        """Something about this process or its CRDs forbids spending anywhere."""
        for desk in self.known():
            if desk.close(why, message):
                self.wake(desk.name)

    def wake(self, name: str, delay: float = 0.0) -> None:
        """A round of the class is due."""
        self._world.wake(Key(CLASS_KIND, "", name), delay)


def _in_the_air(obj: VideoGeneration) -> bool:
    newest = next((a for a in obj.status.attempts if a.id == obj.status.attempt), None)
    return newest is not None and newest.state in {"Intent", "Submitted"}
