"""How all tests run, and the numbers they measured, shown at the end of a run: what they gave to `record_property`."""

import os

import pytest
from hypothesis import settings

# The gate tries the same examples each time, and never judges a test by how fast a busy machine is.
settings.register_profile("gate", derandomize=True, max_examples=200, deadline=None)
settings.register_profile("search", max_examples=20_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

pytest.register_assert_rewrite("contracts")  # so that a failure in there shows both sides


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a number; with pytest-xdist, too, since properties travel with the reports."""
    reports = [one for key in ("passed", "failed") for one in terminalreporter.stats.get(key, ())]
    lines = [f"{name}: {value}" for report in reports for name, value in report.user_properties]
    if lines:
        terminalreporter.section("measured")
    for line in lines:
        terminalreporter.write_line(line)
