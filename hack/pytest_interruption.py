"""A pytest plugin: a run leaves nothing behind, however it ends.

SIGTERM ends it as Ctrl-C does, so that fixtures still stop what they started. The folders of `tmp_path` are in one that
goes with the run, by SIGKILL too; `--basetemp` keeps them.
"""

import signal

import pytest

from provision.keeper import Keeper


@pytest.hookimpl(tryfirst=True)  # before pytest reads the option
def pytest_configure(config: pytest.Config) -> None:
    """Set both handlers: a shell starts background jobs with SIGINT ignored, which is inherited.

    A worker of pytest-xdist has its folder from the process that started it.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.basetemp is None:
        keeper = Keeper("videogen-tests")
        config.add_cleanup(keeper.close)
        config.option.basetemp = keeper.directory / "tests"  # one that is there pytest would remove and make anew
