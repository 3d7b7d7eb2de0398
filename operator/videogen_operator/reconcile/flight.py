"""What this process knows of unfinished work. All of it may be lost at any time: status and ledger have it."""

from dataclasses import dataclass, field

from .. import ledger
from ..api.generation import VideoGeneration
from ..api.meta import Key
from ..conditions import Reason, Standing
from ..ledger import End, Folder, Intent, Resolution, Result, Task
from ..ledger_names import AttemptId, FolderId
from ..pursuit import Pursuit

Document = Intent | Task | End | Resolution


@dataclass(slots=True)
class Unwritten:
    """A fact that the bucket did not take yet; written again before anything else is decided."""

    attempt: AttemptId
    document: Document
    class_name: str  # whose bucket it belongs in


@dataclass(frozen=True, slots=True)
class _Files:
    """A folder as its files."""

    id: FolderId
    files: tuple[tuple[str, bytes], ...]


@dataclass(slots=True)
class Work:
    """The work on one revision: its folder as last read, and the pursuit of its task."""

    _folder: Folder | _Files | None = None
    folder_read: float = 0.0
    pursuit: Pursuit | None = None
    unwritten: list[Unwritten] = field(default_factory=list)
    gave_up: int | None = None  # attempt whose task this process gave up
    epoch: int = 0

    @property
    def folder(self) -> Folder | None:
        if isinstance(self._folder, _Files):
            self._folder = ledger.parse_folder(self._folder.id, dict(self._folder.files))
        return self._folder

    @folder.setter
    def folder(self, folder: Folder | None) -> None:
        self._folder = folder

    def pack(self) -> None:
        """Until the next turn the folder is kept as the bytes it was read from, a tenth of what its models take."""
        if isinstance(self._folder, Folder):
            self._folder = _Files(self._folder.id, tuple(ledger.folder_files(self._folder).items()))

    def note(self, attempt: AttemptId, document: Document) -> None:
        """The folder holds one more file (or will, once it is written)."""
        if self.folder is not None and self.folder.id == attempt.folder:
            self.folder = self.folder.with_file(attempt.number, document)

    def note_result(self, result: Result) -> None:
        if self.folder is not None:
            self.folder = self.folder.with_result(result)

    def forget_folder(self) -> None:
        """Read it again before deciding; what is not written yet stays known."""
        self.folder = None


@dataclass(slots=True)
class Flight:
    """One unfinished object. Touched only in its key's turn, but for `stale`, which the watch sets."""

    key: Key
    _obj: VideoGeneration | bytes | None = None
    uid: str = ""  # of the object as last read
    stale: bool = True
    work: Work = field(default_factory=Work)
    folder_stale: bool = False
    fence: Intent | None = None  # an intent whose PUT had no clear answer: the same bytes again
    fence_began: float = 0.0  # ticks of its first PUT
    begun: int | None = None
    intent_seen: float | None = None
    doubt_ticket: str | None = None
    doubt_since: float | None = None
    doubt_certain: bool = False
    doubt_detail: str = ""  # what went wrong with our own POST
    refused_annotation: str = ""
    refused_answer: str = ""
    awaited_answer: str = ""  # the annotation that could not be looked up yet, and that was said
    waits: Standing | None = None
    endpoint: int = 0  # index of the endpoint for the next POST
    lost_races: int = 0  # compare-and-sets in a row that did not apply
    told: frozenset[Reason] = frozenset()  # what was warned of by an event, once each

    @property
    def obj(self) -> VideoGeneration | None:
        """The object as last read or written. In the key's turn only; others `peek`."""
        if isinstance(self._obj, bytes):
            self._obj = _parsed(self._obj)
        return self._obj

    @obj.setter
    def obj(self, obj: VideoGeneration | None) -> None:
        self._obj = obj

    def peek(self) -> VideoGeneration | None:
        """The same, from any thread: it leaves the flight as it is."""
        obj = self._obj
        return _parsed(obj) if isinstance(obj, bytes) else obj

    def pack(self) -> None:
        """Nothing is due for a while: keep the object and its folder as bytes."""
        if isinstance(self._obj, VideoGeneration):
            self._obj = self._obj.model_dump_json(by_alias=True, exclude_none=True).encode()
        self.work.pack()

    def known(self) -> VideoGeneration:
        """The object as last read or written. Raises `ValueError` before the first read."""
        if self.obj is None:
            raise ValueError("the object was not read")
        return self.obj

    def rest(self) -> None:
        """It waits for a slot or an edit: what was read is dropped, since it is read afresh before anything is done."""
        if self.work.pursuit is None and not self.work.unwritten and self.fence is None:
            self.obj, self.stale = None, True
            self.work.forget_folder()

    def start_over(self) -> None:
        """Another object under the same name, or another revision: nothing known before counts, but what is owed."""
        fresh = Flight(self.key)
        fresh.work.unwritten = self.work.unwritten
        for name in set(self.__slots__) - {"key", "_obj", "uid", "stale"}:
            setattr(self, name, getattr(fresh, name))


def _parsed(packed: bytes) -> VideoGeneration:
    return VideoGeneration.model_validate_json(packed)
