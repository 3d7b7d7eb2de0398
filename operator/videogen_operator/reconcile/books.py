"""Reading and writing the ledger's files. Create-only: what is there counts, and absence is proven only by winning."""

from typing import TypeVar

from .. import ledger
from ..api.meta import Model
from ..errors import StoreReason, StoreTrouble
from ..ledger import Folder
from ..ledger_names import AttemptId, FolderId
from ..ports import Created, ObjectStore

M = TypeVar("M", bound=Model)


def read_folder(store: ObjectStore, prefix: str, folder: FolderId) -> Folder:
    """The folder as it is now. Raises `StoreTrouble`, and `LedgerUnreadableError` for a file that is not ours."""
    keys = store.keys(folder.key(prefix))
    names = [name for name in ledger.known_files(keys) if folder.key(prefix, name) in keys]
    files = {name: _read(store, folder.key(prefix, name)) for name in names}
    return ledger.parse_folder(folder, files)


def _read(store: ObjectStore, key: str) -> bytes:
    """A file that LIST showed. A 404 for it is no absence but a server that contradicts itself: wait."""
    body = store.read(key)
    if body is None:
        raise StoreTrouble(StoreReason.UNAVAILABLE, f"{key} is listed but cannot be read")
    return body


def put(store: ObjectStore, prefix: str, folder: FolderId, name: str, document: M) -> M:
    """Write a file that nobody else may have written; returns the one that counts, ours or the one that was there."""
    key = folder.key(prefix, name)
    if store.create(key, ledger.document_bytes(document)) is Created.WON:
        return document
    found = ledger.parse_document(folder, name, _read(store, key))
    if not isinstance(found, type(document)):
        raise ledger.LedgerUnreadableError(f"{key} holds another kind of document")
    return found


def win(store: ObjectStore, prefix: str, attempt: AttemptId, intent: ledger.Intent) -> ledger.Intent:
    """The fence: the intent that stands for the attempt now. Ours only if its ticket is ours."""
    return put(store, prefix, attempt.folder, attempt.file("intent"), intent)
