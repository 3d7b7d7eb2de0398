"""The law of waiting: one formula, with jitter that follows from a name, so that time and chance are arguments."""

import hashlib


def jitter(seed: str, turn: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{turn}".encode()).digest()[:6], "big") / 2**48


def delay(tries: int, seed: str, *, base: float, factor: float = 2.0, most: float = 600.0) -> float:
    """Seconds to wait after `tries` failures (1 or more): base, base x factor, ... up to `most`, plus up to a fifth."""
    step = min(most, base * factor ** min(max(tries, 1) - 1, 32))
    return step * (1 + jitter(seed, tries) / 5)
