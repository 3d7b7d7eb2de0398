"""The law of waiting: bounded, growing, and the same each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videogen_operator import backoff


@given(st.text(), st.integers())
def test_jitter_is_a_fraction_that_depends_on_nothing_else(seed: str, turn: int) -> None:
    found = backoff.jitter(seed, turn)
    assert 0 <= found < 1
    assert found == backoff.jitter(seed, turn)


def test_jitter_spreads_objects_that_wait_for_the_same_thing() -> None:
    assert len({backoff.jitter(f"films/dawn-{n}", 1) for n in range(100)}) == 100


@pytest.mark.parametrize(("tries", "step"), [(0, 30), (1, 30), (2, 120), (3, 480), (4, 480), (10_000, 480)])
def test_the_wait_grows_by_its_factor_up_to_the_most(tries: int, step: float) -> None:
    wait = backoff.delay(tries, "seed", base=30, factor=4, most=480)
    assert step <= wait < step * 1.2


@given(st.integers(min_value=-5, max_value=10**9), st.text())
def test_every_wait_is_positive_and_at_most_a_fifth_above_the_most(tries: int, seed: str) -> None:
    assert 0 < backoff.delay(tries, seed, base=1.0, most=60.0) <= 72
