"""What an answer of the video API means: total, pure functions that never raise, whatever a gateway sends.

Every `detail` and `reason` is scrubbed of the hidden values, is one line and has at most 300 characters.
"""

from .probe_answer import KeyAccepted, KeyRejected, ProbeAnswer, Unclear, Unreachable, read_probe
from .reply import retry_after
from .submit_answer import Accepted, NotSent, Rejected, Rejection, SubmitAnswer, Unknown, read_submit
from .task_answers import (
    Canceled,
    Completed,
    ContentAnswer,
    ContentFailure,
    ErrorWithoutStatus,
    Failed,
    FailureKind,
    Gone,
    NoSuchTask,
    NotReady,
    PollAnswer,
    Refusal,
    Refused,
    Working,
    looks_like_error_page,
    looks_like_video,
    read_content,
    read_poll,
)

__all__ = [
    "Accepted",
    "Canceled",
    "Completed",
    "ContentAnswer",
    "ContentFailure",
    "ErrorWithoutStatus",
    "Failed",
    "FailureKind",
    "Gone",
    "KeyAccepted",
    "KeyRejected",
    "NoSuchTask",
    "NotReady",
    "NotSent",
    "PollAnswer",
    "ProbeAnswer",
    "Refusal",
    "Refused",
    "Rejected",
    "Rejection",
    "SubmitAnswer",
    "Unclear",
    "Unknown",
    "Unreachable",
    "Working",
    "looks_like_error_page",
    "looks_like_video",
    "read_content",
    "read_poll",
    "read_probe",
    "read_submit",
    "retry_after",
]
