"""What a turn can do, as data: one action a turn. `machine` decides on one, `reconcile` performs it."""

from dataclasses import dataclass

from . import ledger
from .conditions import Standing
from .ledger import Answer, Entry, Intent, Result, Task


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing will be done for this object until something about it changes."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before `ticks`."""

    ticks: float


@dataclass(frozen=True, slots=True)
class Recall:
    """Read the ledger's folder of this revision."""

    revision: int


@dataclass(frozen=True, slots=True)
class Show:
    """One status write that changes no fact; then nothing before `until` (ticks; None: until an event)."""

    standing: Standing
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Warn:
    """An event, once, and no write: the conditions say it already, and by now it has lasted too long."""

    standing: Standing


@dataclass(frozen=True, slots=True)
class Observe:
    """A new generation was seen and changes nothing that is shown but `observedGeneration`."""


@dataclass(frozen=True, slots=True)
class Join:
    """Ask for a slot."""

    number: int


@dataclass(frozen=True, slots=True)
class Begin:
    """Status write 1: the intent. From here the paid fields are locked."""

    number: int


@dataclass(frozen=True, slots=True)
class Send:
    """Win the fence, POST once, record the answer."""

    number: int


@dataclass(frozen=True, slots=True)
class Close:
    """Win the fence so that nobody sends this attempt: NotSent."""

    number: int


@dataclass(frozen=True, slots=True)
class MendLedger:
    """The status knows a task that the ledger lacks."""

    task: Task
    number: int


@dataclass(frozen=True, slots=True)
class RecordTask:
    """The ledger knows a task that the status lacks: adoption, or a write that was lost."""

    entry: Entry
    task: Task
    adopted: bool


@dataclass(frozen=True, slots=True)
class Conclude:
    """The video is stored: write the result."""

    result: Result
    adopted: bool
    there: bool = True  # of an adopted video: HEAD found it


@dataclass(frozen=True, slots=True)
class RecordEnd:
    """The ledger knows an end that the status lacks."""

    entry: Entry
    end: ledger.End
    standing: Standing


@dataclass(frozen=True, slots=True)
class Doubt:
    """An intent without an answer: wait for an old process (`held` False), or hold for a person."""

    entry: Entry
    intent: Intent
    held: bool
    until: float


@dataclass(frozen=True, slots=True)
class Resolve:
    """A person's answer to an unknown outcome."""

    entry: Entry
    answer: Answer | None  # None: adopt `task_id`
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class RefuseAnswer:
    """The resolve annotation cannot be taken; say why."""

    why: str


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask the gateway for the task."""


@dataclass(frozen=True, slots=True)
class AskContent:
    """Ask `/content` once, since polls say an error and no status."""


@dataclass(frozen=True, slots=True)
class Store:
    """Bring the video into the bucket."""


Action = (
    Forget
    | Wait
    | Recall
    | Show
    | Warn
    | Observe
    | Join
    | Begin
    | Send
    | Close
    | MendLedger
    | RecordTask
    | Conclude
    | RecordEnd
    | Doubt
    | Resolve
    | RefuseAnswer
    | Poll
    | AskContent
    | Store
)
