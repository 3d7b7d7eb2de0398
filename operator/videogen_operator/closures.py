"""Why a class takes no new work, and until when."""

from dataclasses import dataclass
from enum import StrEnum


class Closure(StrEnum):
    """Why a class takes no new work; the words are condition reasons of the class."""

    CREDENTIALS_REJECTED = "CredentialsRejected"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason
    STORAGE = "StorageUnavailable"
    GATEWAY_UNREACHABLE = "GatewayUnreachable"
    INSUFFICIENT_BALANCE = "InsufficientBalance"
    SERVER_ERRORS = "ServerErrors"
    RATE_LIMITED = "RateLimited"
    REBUILDING = "Rebuilding"
    SCHEMA_OUTDATED = "SchemaOutdated"


@dataclass(frozen=True, slots=True)
class Closed:
    """A closure: until `until` (ticks) nothing is sent; afterwards one attempt at a time may try."""

    message: str
    until: float | None = None
    times: int = 1


def is_shut(closed: Closed, ticks: float) -> bool:
    """Whether nothing may be tried now."""
    return closed.until is None or closed.until > ticks
