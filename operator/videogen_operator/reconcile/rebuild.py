"""The reservations of a class that is new or was made again, from a LIST of the whole ledger."""

from .. import ledger, ledger_names
from ..api.generation_class import Reservation, VideoGenerationClass
from ..ports import ObjectStore
from . import books
from .world import World


def open_entries(store: ObjectStore, klass: VideoGenerationClass, world: World) -> list[Reservation]:
    """An entry for each attempt of this class in the whole ledger that has neither end nor result."""
    prefix = klass.spec.storage.s3.prefix
    intents: dict[ledger_names.FolderId, set[int]] = {}
    over: set[ledger_names.AttemptId] = set()
    for key in store.keys(prefix):
        found = ledger_names.parse_key(prefix, key)
        if found is None:
            continue
        folder, number, what = found
        if what == "intent" and number is not None:
            intents.setdefault(folder, set()).add(number)
        elif what == "end" and number is not None:
            over.add(folder.attempt(number))
    entries = []
    for folder, numbers in intents.items():
        if all(folder.attempt(n) in over for n in numbers):
            continue
        known = books.read_folder(store, prefix, folder)
        entries += [entry for number in sorted(numbers) for entry in _open_entry(known, number, klass, world)]
    return entries


def _open_entry(folder: ledger.Folder, number: int, klass: VideoGenerationClass, world: World) -> list[Reservation]:
    entry = folder.entry(number)
    intent = entry.intent
    if intent is None or intent.closing or entry.end is not None or intent.class_ != klass.metadata.name:
        return []
    attempt = folder.id.attempt(number)
    if folder.result is not None and folder.result.attempt == attempt.short:
        return []
    amount = intent.resolved.price_usd if intent.resolved else max(m.price_usd for m in klass.spec.models)
    return [Reservation(attempt=attempt.entry, amount_usd=amount, time=intent.time, writer=world.writer)]
