"""Money: US dollars as decimals in Python and as decimal strings on the wire.

Never a float: 0.1 + 0.2 must be 0.3 in a bill. The string form is also a valid Kubernetes Quantity,
so that CEL rules can compare it.
"""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

ZERO: Final = Decimal("0.00")
PATTERN: Final = r"^[0-9]{1,6}(\.[0-9]{1,4})?$"

_CENTS: Final = Decimal("0.01")
_SMALLEST: Final = Decimal("0.0001")


def parse_usd(value: str | int | Decimal) -> Decimal:
    """The amount that a wire string means; ValueError for a float and for anything else that is no amount."""
    amount = Decimal("NaN") if isinstance(value, float) else Decimal(value)
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"money must be a number of dollars, 0 or more, not {value}")
    return amount


def format_usd(amount: Decimal) -> str:
    """The wire string of an amount: cents always, up to four decimals where they are needed ("0.30", "0.0025")."""
    exact = amount.quantize(_SMALLEST)
    return str(exact.quantize(_CENTS) if exact == exact.quantize(_CENTS) else exact.normalize())


Money = Annotated[
    Decimal,
    BeforeValidator(parse_usd),
    PlainSerializer(format_usd, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "maxLength": 11}),
]


def usd(amount: Decimal) -> str:
    """An amount as messages show it."""
    return f"{format_usd(amount)} USD"
