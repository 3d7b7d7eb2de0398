"""Shows the numbers that tests measured, at the end of a run: what they gave to `record_property`."""

import pytest

pytest.register_assert_rewrite("contracts")  # so that a failure in there shows both sides


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a number; with pytest-xdist, too, since properties travel with the reports."""
    reports = [one for key in ("passed", "failed") for one in terminalreporter.stats.get(key, ())]
    lines = [f"{name}: {value}" for report in reports for name, value in report.user_properties]
    if lines:
        terminalreporter.section("measured")
    for line in lines:
        terminalreporter.write_line(line)
