"""Names in the ledger: folders, attempts and files, as keys, reservations and the status write them."""

import re
from dataclasses import dataclass
from typing import Final

_LABEL: Final = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")


FILE: Final = re.compile(r"^a([1-9][0-9]{0,4})\.(intent|task|end|resolved)\.json$")


_ENTRY: Final = re.compile(r"^([^/]+)/([^/]+)/r([1-9][0-9]{0,9})/a([1-9][0-9]{0,4})$")


_SHORT: Final = re.compile(r"^r([1-9][0-9]{0,9})-a([1-9][0-9]{0,4})$")


RESULT: Final = "result.json"


class NameNotAllowedError(ValueError):
    """A namespace or name that is no DNS label: it must not become part of a key."""


@dataclass(frozen=True, slots=True)
class FolderId:
    """One revision of one object: the unit that buys one content."""

    namespace: str
    name: str
    revision: int

    def __post_init__(self) -> None:
        for part in (self.namespace, self.name):
            if not _LABEL.fullmatch(part):
                raise NameNotAllowedError(f"{part!r} is not a DNS label; the bucket's folders are named by labels only")
        if self.revision < 1:
            raise NameNotAllowedError(f"revision {self.revision} is below 1")

    def key(self, prefix: str, file: str = "") -> str:
        """The full key of `file` in this folder; the folder itself, ending with a slash, without one."""
        return f"{prefix}{self.namespace}/{self.name}/r{self.revision}/{file}"

    def video(self, attempt: int | None = None) -> str:
        """The video's file name; with `attempt`, that of a second live task's video."""
        return f"{self.name}.mp4" if attempt is None else f"{self.name}.a{attempt}.mp4"

    def attempt(self, number: int) -> "AttemptId":
        return AttemptId(self, number)


@dataclass(frozen=True, slots=True)
class AttemptId:
    """One POST that was or will be made: the unit of work, of money and of a slot."""

    folder: FolderId
    number: int

    @property
    def entry(self) -> str:
        """Its name in the class's reservations: `<namespace>/<name>/r<revision>/a<n>`."""
        f = self.folder
        return f"{f.namespace}/{f.name}/r{f.revision}/a{self.number}"

    @property
    def short(self) -> str:
        """Its name in the object's status: `r<revision>-a<n>`."""
        return f"r{self.folder.revision}-a{self.number}"

    def file(self, what: str) -> str:
        return f"a{self.number}.{what}.json"

    def __str__(self) -> str:
        return self.entry


def parse_entry(entry: str) -> AttemptId | None:
    """The attempt that a reservation names; None if the text is none of ours."""
    found = _ENTRY.fullmatch(entry)
    if not found:
        return None
    namespace, name, revision, number = found.groups()
    try:
        return FolderId(namespace, name, int(revision)).attempt(int(number))
    except NameNotAllowedError:
        return None


_KEY: Final = re.compile(r"^([^/]+)/([^/]+)/r([1-9][0-9]{0,9})/([^/]+)$")


def parse_key(prefix: str, key: str) -> tuple["FolderId", int | None, str] | None:
    """(folder, attempt number, kind of file) of a key of the ledger: intent, task, end, resolved or result."""
    found = _KEY.fullmatch(key.removeprefix(prefix)) if key.startswith(prefix) else None
    if found is None:
        return None
    namespace, name, revision, file = found.groups()
    try:
        folder = FolderId(namespace, name, int(revision))
    except NameNotAllowedError:
        return None
    if file == RESULT:
        return folder, None, "result"
    attempt = FILE.fullmatch(file)
    return (folder, int(attempt[1]), attempt[2]) if attempt else None


def parse_short(short: str) -> tuple[int, int] | None:
    """(revision, number) of `r1-a1`."""
    found = _SHORT.fullmatch(short)
    return (int(found[1]), int(found[2])) if found else None
