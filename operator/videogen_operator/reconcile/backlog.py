"""Facts that a bucket did not take yet: a task ID, an end. They are written before anything else, and never dropped."""

import logging
from typing import Final

from ..errors import KubeTrouble, StoreTrouble
from ..ledger import End, LedgerUnreadableError, Task
from . import books
from .access import Access
from .desks import Desks
from .flight import Unwritten, Work
from .world import World

log: Final = logging.getLogger("videogen_operator.submission")

_NAMES: Final = {Task: "task", End: "end"}


class Backlog:
    """Each fact goes into the ledger of the class that it was made through, whatever its object names now."""

    def __init__(self, world: World, desks: Desks, access: Access) -> None:
        self._world = world
        self._desks = desks
        self._access = access

    def write(self, work: Work) -> bool:
        """Write what the ledger lacks; whether it now lacks nothing. What the bucket does not take stays."""
        if work.unwritten:
            work.unwritten = [item for item in work.unwritten if not self._written(item)]
        return not work.unwritten

    def _written(self, item: Unwritten) -> bool:
        klass = self._desks.klass(item.class_name)
        if klass is None:
            return False
        name = _NAMES.get(type(item.document), "resolved")
        try:
            store = self._access.store(klass, self._world.clock.ticks())
            prefix = klass.spec.storage.s3.prefix
            found = books.put(store, prefix, item.attempt.folder, item.attempt.file(name), item.document)
        except (StoreTrouble, KubeTrouble, LedgerUnreadableError) as trouble:
            facts = {"attempt": item.attempt.entry, "file": name, "detail": str(trouble)}
            log.warning("a fact is not in the ledger yet", extra=facts)
            return False
        if isinstance(found, Task) and isinstance(item.document, Task) and found.task_id != item.document.task_id:
            facts = {"attempt": item.attempt.entry, "task_id": item.document.task_id, "known": found.task_id}
            log.critical("a second task of one attempt", extra=facts)
        return True
