"""What people are told once, as Kubernetes Events. For people only: no decision rests on one.

Reasons, types and actions are API, as those of conditions are: alerts and scripts filter by them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .conditions import Reason


class Action(StrEnum):
    """What the operator was at."""

    SUBMIT = "Submit"
    GENERATE = "Generate"
    STORE = "Store"
    ADOPT = "Adopt"


@dataclass(frozen=True, slots=True)
class Told:
    """How an Event of some reason looks; a normal life has two, and neither is a warning."""

    action: Action
    warning: bool = True


RESUBMITTED: Final = "Resubmitted"
ANSWER_REFUSED: Final = "AnswerRefused"
DUPLICATE_SPEND: Final = "DuplicateSpend"

EVENTS: Final[Mapping[str, Told]] = {
    Reason.TASK_CREATED: Told(Action.SUBMIT, warning=False),
    Reason.VIDEO_STORED: Told(Action.STORE, warning=False),
    Reason.TASK_ADOPTED: Told(Action.ADOPT, warning=False),
    Reason.OUTPUT_ADOPTED: Told(Action.ADOPT, warning=False),
    Reason.SUBMISSION_OUTCOME_UNKNOWN: Told(Action.SUBMIT),
    RESUBMITTED: Told(Action.SUBMIT),
    ANSWER_REFUSED: Told(Action.ADOPT),
    Reason.REJECTED_BY_GATEWAY: Told(Action.SUBMIT),
    Reason.MODEL_UNAVAILABLE: Told(Action.SUBMIT),
    Reason.CONTENT_POLICY_REJECTED: Told(Action.GENERATE),
    Reason.GENERATION_FAILED: Told(Action.GENERATE),
    Reason.ATTEMPTS_EXHAUSTED: Told(Action.GENERATE),
    Reason.CANCELED: Told(Action.GENERATE),
    Reason.GENERATION_OVERDUE: Told(Action.GENERATE),
    Reason.TASK_NOT_FOUND: Told(Action.GENERATE),
    Reason.TASK_LOST: Told(Action.GENERATE),
    Reason.ABANDONED: Told(Action.GENERATE),
    Reason.STORAGE_UNAVAILABLE: Told(Action.STORE),
    Reason.OUTPUT_MISMATCH: Told(Action.STORE),
    Reason.SOURCE_EXPIRED: Told(Action.STORE),
    Reason.COMPLETED_WITHOUT_VIDEO: Told(Action.STORE),
    Reason.OUTPUT_MISSING: Told(Action.ADOPT),
    DUPLICATE_SPEND: Told(Action.SUBMIT),
}
"""Every Event that the operator writes."""
