"""Programs and temporary folders end with the process that wanted them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from provision.keeper import Keeper, ProgramError, last_lines
from provision.processes import is_running

_HACK = Path(__file__).parents[2] / "hack"
# A program that has a child of its own and tells the pids of both.
_FAMILY = ["sh", "-c", "sleep 300 & echo $$ $!; wait"]
# SIGINT may be ignored where the tests run in the background. Ends, too, when this process does.
_OWNER = """
import json, signal, sys
from pathlib import Path
from provision.keeper import Keeper
signal.signal(signal.SIGINT, signal.SIG_DFL)
keeper = Keeper("videogen-test")
keeper.remove_at_end(Path(sys.argv[1]))
keeper.start("family", ["sh", "-c", "sleep 300 & echo $$ $!; wait"])
while not (text := keeper.log("family").read_text()).endswith("\\n"):
    pass
print(json.dumps({"pids": [int(pid) for pid in text.split()], "folder": str(keeper.directory)}), flush=True)
sys.stdin.read()
"""


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def _family(keeper: Keeper) -> list[int]:
    keeper.start("family", _FAMILY)
    log = keeper.log("family")
    _until(lambda: log.read_text().endswith("\n"))
    return [int(pid) for pid in log.read_text().split()]


def test_closing_ends_a_program_with_its_children_and_removes_the_folder() -> None:
    with Keeper("videogen-test") as keeper:
        pids = _family(keeper)
        assert all(is_running(pid) for pid in pids)
    _until(lambda: not any(is_running(pid) for pid in pids))
    assert not keeper.directory.exists()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_however_the_owner_ends(end: signal.Signals, tmp_path: Path) -> None:
    leftover = tmp_path / "written-elsewhere"
    leftover.touch()
    command = [sys.executable, "-c", _OWNER, str(leftover)]
    environment = {**os.environ, "PYTHONPATH": str(_HACK)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as owner:
        assert owner.stdout is not None
        held = json.loads(owner.stdout.readline())
        assert all(is_running(pid) for pid in held["pids"])
        owner.send_signal(end)
    _until(lambda: not any(is_running(pid) for pid in held["pids"]))
    _until(lambda: not Path(held["folder"]).exists())
    assert not leftover.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does this on Linux only")
def test_a_program_ends_when_its_guard_is_killed() -> None:
    with Keeper("videogen-test") as keeper:
        pid = keeper.start("sleep", ["sleep", "300"])
        guard = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(guard, signal.SIGKILL)
        _until(lambda: not is_running(pid))
        with pytest.raises(ProgramError, match="its guard process has ended"):
            keeper.poll("sleep")
    assert not keeper.directory.exists()


def test_a_program_outlives_the_thread_that_started_it() -> None:
    """The kernel's own signal at a parent's death is bound to the thread that forked."""
    with Keeper("videogen-test") as keeper:
        thread = threading.Thread(target=keeper.start, args=("sleep", ["sleep", "300"]))
        thread.start()
        thread.join()
        assert keeper.wait("sleep", 0.3) is None


def test_the_exit_code_and_the_output_are_kept() -> None:
    with Keeper("videogen-test") as keeper:
        keeper.start("failing", ["sh", "-c", "echo to say; exit 3"], env={"A": "b"})
        assert keeper.wait("failing", 10) == 3
        assert keeper.log("failing").read_text() == "to say\n"


def test_what_a_program_leaves_in_its_group_ends_with_it() -> None:
    with Keeper("videogen-test") as keeper:
        keeper.start("parent", ["sh", "-c", "sleep 300 & echo $!"])
        assert keeper.wait("parent", 10) == 0
        child = int(keeper.log("parent").read_text())
        _until(lambda: not is_running(child))


def test_stop_asks_first() -> None:
    with Keeper("videogen-test") as keeper:
        keeper.start("polite", ["sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"])
        _until(lambda: keeper.log("polite").read_text() == "ready\n")
        assert keeper.stop("polite", grace=10) == 7


def test_stop_kills_what_does_not_listen() -> None:
    with Keeper("videogen-test") as keeper:
        keeper.start("deaf", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"])
        _until(lambda: keeper.log("deaf").read_text() == "ready\n")
        assert keeper.stop("deaf", grace=0.2) == -signal.SIGKILL


def test_a_program_that_is_not_there_is_told_by_name() -> None:
    with Keeper("videogen-test") as keeper, pytest.raises(ProgramError, match=r"cannot start ghost: .*no-such-program"):
        keeper.start("ghost", ["no-such-program"])


def test_the_last_lines_of_a_log_are_for_people(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_lines(log) == ""
    log.write_text("a\nb\nc\n")
    assert last_lines(log, 2) == "b\nc"
