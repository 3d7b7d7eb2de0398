"""What a port may raise, named by what to do next.

    Trouble                 the remote part did not do what was asked; nothing is known to have changed for good
    ├── StoreTrouble        the bucket: try again later; the reason says whether a person must act
    └── KubeTrouble         the API server: try again later
    Superseded              somebody else was faster: look again, decide anew

An answer of the video API is never an exception: what a POST told us is a value (`answers.py`), because
"we do not know" must be handled by the same total function as "yes" and "no".
"""

from enum import StrEnum


class StoreReason(StrEnum):
    """Why a bucket did not take or give something. The names are condition reasons of the class."""

    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason
    BUCKET_NOT_FOUND = "BucketNotFound"
    ACCESS_DENIED = "AccessDenied"
    CONDITIONAL_WRITES_UNSUPPORTED = "ConditionalWritesUnsupported"
    UNAVAILABLE = "StorageUnavailable"


class Trouble(Exception):  # noqa: N818 - trouble passes; an error would not
    """Something remote failed in a way that a later try may not."""


class StoreTrouble(Trouble):
    """The bucket could not be asked or written. Says nothing about what it holds."""

    def __init__(self, reason: StoreReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class KubeTrouble(Trouble):
    """The API server could not be asked, or refused for a reason other than a failed `test`."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Superseded(Exception):  # noqa: N818 - not an error: another writer came first
    """A compare-and-set did not apply: what the decision rested on is no longer so."""
