"""Process-wide settings, read once from the environment.

Everything about a gateway or a bucket is data of a class, not a setting. The timings are settings so that
tests can run them faster; the defaults are what production should use.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from math import isfinite
from typing import Any, Final, Literal, Self, get_args

PREFIX: Final = "VIDEOGEN_"

LogFormat = Literal["json", "plain"]
LogLevel = Literal["debug", "info", "warning"]


class SettingsError(Exception):
    """One or more settings are missing, unknown or wrong; the message names each with what is allowed."""


def _setting(default: object, doc: str, *, least: float = 0.01, most: float = float("inf")) -> Any:
    """A field with what the documentation says of it and the bounds of its value."""
    metadata = {"doc": doc, "least": least, "most": most}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What the process was told. `seconds` in a name is a time in seconds, `bytes` a size in bytes."""

    namespace: str = _setting(MISSING, "The operator's own namespace: the only one whose Secrets it reads.")
    pod_name: str = _setting("videogen-operator", "Names this process in reservations and events.")
    service_account_dir: str = _setting(
        "/var/run/secrets/kubernetes.io/serviceaccount",
        "Where token, ca.crt and so on of the ServiceAccount are mounted.",
    )
    kubeconfig: str | None = _setting(None, "A kubeconfig to use instead of the ServiceAccount.")
    http_host: str = _setting("0.0.0.0", "Address that /livez and /readyz are served on.")  # noqa: S104 - probes come from the node
    http_port: int = _setting(8080, "Port that /livez and /readyz are served on; 0: a free one.", least=0, most=65535)
    log_format: LogFormat = _setting("json", "How a log line is written.")  # noqa: RUF009 - a field, as above
    log_level: LogLevel = _setting("info", "The least that is logged.")  # noqa: RUF009 - a field, as above
    drain_seconds: float = _setting(
        140.0,
        "How long the end waits for orders in the air: less than the pod's grace period, so that what is lost is told.",
    )
    workers: int = _setting(8, "Threads that work on objects.", least=1, most=256)
    copy_workers: int = _setting(
        4, "Threads that copy videos, of their own so that copies never delay polls.", least=1, most=64
    )
    temp_dir: str = _setting("/tmp", "Where videos lie while they are verified.")  # noqa: S108 - the pod's own volume
    temp_bytes: int = _setting(8 * 1024**3, "Space of that volume; copies are admitted against it.", least=1)
    intent_fresh_seconds: float = _setting(10.0, "An intent older than this is ended unsent: it may be someone else's.")
    unknown_grace_seconds: float = _setting(
        60.0, "How long, beyond the submit timeout, a lost answer may still be recorded before the object is Held."
    )
    unclaimed_seconds: float = _setting(90.0, "A reservation whose intent was not written for this long is given back.")
    walk_seconds: float = _setting(60.0, "Time between two walks over the reservations.")
    settle_seconds: float = _setting(5.0, "Settlements are written together, at the latest after this.")
    held_recheck_seconds: float = _setting(600.0, "How often the ledger of a Held object is read again.")
    retry_base_seconds: float = _setting(30.0, "First delay after a failed attempt; the next are 4 and 16 times it.")
    probe_seconds: float = _setting(60.0, "How often a gateway that refused is probed, at no cost.")
    early_poll_seconds: float = _setting(10.0, "When the one early status check is made, since refusals come early.")
    slow_poll_seconds: float = _setting(60.0, "Time between two status checks of a late or unreachable task.")
    content_retry_seconds: float = _setting(4.0, "First delay when a completed video cannot be fetched yet.")
    copy_trouble_seconds: float = _setting(30.0, "A copy that takes longer is shown as Storing.")
    storage_warning_seconds: float = _setting(
        300.0, "A bucket that does not take a completed video for this long is warned of by an event."
    )
    give_up_span_seconds: float = _setting(3600.0, "Over how long a gateway must repeat that a task is gone.")
    storage_recheck_seconds: float = _setting(300.0, "How often a bucket is tested with a probe write.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """The settings in VIDEOGEN_* keys; SettingsError names every wrong one at once."""
        known = {environment_key(entry.name): entry for entry in fields(cls)}
        problems = [_unknown(key, known) for key in sorted(environ) if key.startswith(PREFIX) and key not in known]
        values: dict[str, object] = {}
        for key, entry in known.items():
            if environ.get(key, "") != "":
                try:
                    values[entry.name] = _parsed(entry, environ[key])
                except ValueError as error:
                    problems.append(f"{key}={environ[key]!r}: must be {error}")
            elif entry.default is MISSING:
                problems.append(f"{key} is not set: {entry.metadata['doc']}")
        if problems:
            raise SettingsError("; ".join(problems))
        return cls(**values)  # type: ignore[arg-type] # each was parsed by its field's own type


def environment_key(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _unknown(key: str, known: Mapping[str, object]) -> str:
    nearest = get_close_matches(key, known, n=1)
    return f"{key} is no setting" + (f"; did you mean {nearest[0]}?" if nearest else "")


def _parsed(entry: "Field[Any]", text: str) -> object:
    """The value of a setting; ValueError with what is allowed."""
    choices = get_args(entry.type)
    if choices and all(isinstance(choice, str) for choice in choices):
        if text not in choices:
            raise ValueError(" or ".join(choices))
        return text
    return _number(entry, text) if entry.type in (int, float) else text


def _number(entry: "Field[Any]", text: str) -> float:
    least, most = entry.metadata["least"], entry.metadata["most"]
    kind = "a whole number" if entry.type is int else "a number"
    bounds = f"of {least:g} or more" if most == float("inf") else f"from {least:g} to {most:g}"
    try:
        number: float = int(text) if entry.type is int else float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or not least <= number <= most:
        raise ValueError(f"{kind} {bounds}")
    return number
