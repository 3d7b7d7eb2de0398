"""A pytest plugin: SIGTERM ends a test run as Ctrl-C does, so that fixtures still stop what they started."""

import signal


def pytest_configure() -> None:
    """Set both handlers: a shell starts background jobs with SIGINT ignored, which is inherited."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
