"""What can be set, at the start and at run time, with every value checked in one place."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
LARGEST_CLIP = 2 * 2**30
TYPICAL_BYTES = {"720p": 4_000_000, "1080p": 10_000_000, "4k": 40_000_000}  # the channel's figures
AUTO = -1
SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([A-Z]*)")


class SettingsError(ValueError):
    """A setting that cannot be taken; the text names it and what it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that changes what the simulator answers. Seconds are of simulated time unless said otherwise."""

    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"sim-key": "default"}))
    models: Mapping[str, Decimal] = field(
        default_factory=lambda: MappingProxyType(
            {"veo-3.1-fast-generate-preview": Decimal("0.30"), "veo-3.1-generate-preview": Decimal("1.20")}
        )
    )
    # The documented ranges from submit to completion.
    durations: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: MappingProxyType({"720p": (60, 90), "1080p": (80, 120), "4k": (300, 360)})
    )
    time_scale: float = 1.0
    max_open: int = 10
    content_delay: float = 4.0
    retention: float = 172_800.0
    pad_bytes: int = 0
    c2pa: bool = False
    outage: str = ""  # "", "close" or an HTTP status with which every /v1 request is answered


def changed(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """The settings with some replaced; maps are merged, and `None` removes an entry.

    Raises `SettingsError` for an unknown name or a value of the wrong kind.
    """
    values: dict[str, object] = {}
    for name, value in changes.items():
        if name not in READERS:
            raise SettingsError(f"unknown setting {name!r}; there are: {', '.join(sorted(READERS))}")
        read = READERS[name]
        values[name] = merged(name, getattr(settings, name), value, read) if name in MAPS else read(name, value)
    new = replace(settings, **values)  # type: ignore[arg-type] # each value came from the field's reader
    if new.durations.keys() != TYPICAL_BYTES.keys():
        raise SettingsError(f"durations: needs {', '.join(TYPICAL_BYTES)} and no other")
    return new


def merged(name: str, old: Mapping[str, object], value: object, read: "Reader") -> Mapping[str, object]:
    """`old` with the entries of `value`; `None` removes one."""
    if not isinstance(value, Mapping):
        raise SettingsError(f"{name}: needs an object of names and values, got {value!r}")
    entries = dict(old)
    for key, entry in value.items():
        if entry is None:
            entries.pop(str(key), None)
        else:
            entries[str(key)] = read(f"{name} {key}", entry)
    return MappingProxyType(entries)


NOT_WANTED = "{name}: {value!r} is not {wanted}"


def positive(name: str, value: object) -> float:
    """A number above zero."""
    number = not_negative(name, value)
    if number == 0:
        raise SettingsError(f"{name}: must be above 0")
    return number


def not_negative(name: str, value: object) -> float:
    """A finite number, zero or above."""
    try:
        number = float(value)  # type: ignore[arg-type] # any object may come in from JSON
    except (TypeError, ValueError):
        raise SettingsError(NOT_WANTED.format(name=name, value=value, wanted="a number")) from None
    if isinstance(value, bool) or not 0 <= number < float("inf"):
        raise SettingsError(NOT_WANTED.format(name=name, value=value, wanted="a number from 0 up"))
    return number


def count(name: str, value: object) -> int:
    """A whole number above zero."""
    number = positive(name, value)
    if number != int(number):
        raise SettingsError(NOT_WANTED.format(name=name, value=value, wanted="a whole number"))
    return int(number)


def size(name: str, value: object) -> int:
    """Bytes as a number or as text with a unit (`4MB`, `512KiB`), or `auto` for the channel's typical sizes."""
    text = str(value).strip().upper()
    if text in {"AUTO", str(AUTO)}:
        return AUTO
    found = SIZE.fullmatch(text)
    if not found or found[2] not in UNITS:
        raise SettingsError(NOT_WANTED.format(name=name, value=value, wanted="a size such as 4MB"))
    number = int(float(found[1]) * UNITS[found[2]])
    if number > LARGEST_CLIP:
        raise SettingsError(f"{name}: at most {LARGEST_CLIP} bytes")
    return number


def word(name: str, value: object) -> str:
    """Text that is not empty and has no spaces."""
    if not isinstance(value, str) or not value or set(value) & set(" \t\r\n"):
        raise SettingsError(NOT_WANTED.format(name=name, value=value, wanted="a word"))
    return value


def price(name: str, value: object) -> Decimal:
    """US dollars a video."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise SettingsError(NOT_WANTED.format(name=name, value=value, wanted="a price")) from None
    if not amount.is_finite() or amount < 0:
        raise SettingsError(NOT_WANTED.format(name=name, value=value, wanted="a price from 0 up"))
    return amount


def seconds_range(name: str, value: object) -> tuple[float, float]:
    """`60-90`, or a list of two numbers: the shortest and the longest."""
    ends = value.split("-") if isinstance(value, str) else value
    if not isinstance(ends, list | tuple) or len(ends) not in {1, 2}:
        raise SettingsError(NOT_WANTED.format(name=name, value=value, wanted="a range such as 60-90"))
    low, high = not_negative(name, ends[0]), not_negative(name, ends[-1])
    if low > high:
        raise SettingsError(f"{name}: {low:g} is above {high:g}")
    return low, high


def switch(name: str, value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise SettingsError(NOT_WANTED.format(name=name, value=value, wanted="true or false"))
    return value


def outage(name: str, value: object) -> str:
    """Empty for none, `close`, or the HTTP status of every answer."""
    text = "" if value is None else str(value)
    if text in {"", "close"} or (text.isascii() and text.isdigit() and 400 <= int(text) <= 599):  # noqa: PLR2004
        return text
    raise SettingsError(NOT_WANTED.format(name=name, value=value, wanted="close, a status from 400 to 599, or null"))


Reader = Callable[[str, object], object]
READERS: Mapping[str, Reader] = {
    "keys": word,
    "models": price,
    "durations": seconds_range,
    "time_scale": positive,
    "max_open": count,
    "content_delay": not_negative,
    "retention": not_negative,
    "pad_bytes": size,
    "c2pa": switch,
    "outage": outage,
}
MAPS = frozenset({"keys", "models", "durations"})


def shown(settings: Settings) -> dict[str, object]:
    """The settings as JSON, without the keys themselves: accounts only."""
    return {
        "accounts": sorted(set(settings.keys.values())),
        "models": {name: float(amount) for name, amount in settings.models.items()},
        "durations": {name: list(ends) for name, ends in settings.durations.items()},
        "time_scale": settings.time_scale,
        "max_open": settings.max_open,
        "content_delay": settings.content_delay,
        "retention": settings.retention,
        "pad_bytes": "auto" if settings.pad_bytes == AUTO else settings.pad_bytes,
        "c2pa": settings.c2pa,
        "outage": settings.outage or None,
    }
