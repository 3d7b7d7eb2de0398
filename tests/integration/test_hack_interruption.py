"""A run of the tests ends cleanly by a signal and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_HACK = Path(__file__).parents[2] / "hack"
# Its one test lasts for as long as a file is there, and its fixture says where its folder was.
_SUITE = """
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

@pytest.fixture
def part(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    Path("finalized").write_text(str(tmp_path))

def test_that_lasts(part: Path) -> None:
    (part / "file").touch()
    Path("begun").touch()
    while Path("lasting").exists():
        time.sleep(0.01)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A suite, and a temporary folder of its own."""

    suite: Path
    temporary: Path

    @contextmanager
    def run(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Pytest on the suite, with the plugin, once its test has begun."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment |= {"TMPDIR": str(self.temporary), "PYTHONPATH": str(_HACK)}
        plugins = ["-p", "pytest_interruption", "-p", "no:cacheprovider"]
        command = [sys.executable, "-B", "-m", "pytest", *plugins, *options]
        with subprocess.Popen(command, cwd=self.suite, env=environment, stdout=subprocess.DEVNULL) as run:
            try:
                self.until((self.suite / "begun").exists)
                yield run
            finally:
                run.kill()

    def left(self) -> list[str]:
        """What lies in the temporary folder."""
        return [path.name for path in self.temporary.iterdir()]

    def finalized(self) -> bool:
        """Whether the fixture was, after a test that had its folder where it belongs."""
        said = self.suite / "finalized"
        return said.exists() and Path(said.read_text()).is_relative_to(self.temporary)

    @staticmethod
    def until(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end, "it did not come about"
            time.sleep(0.01)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path / "suite", tmp_path / "tmp")
    found.suite.mkdir()
    found.temporary.mkdir()
    (found.suite / "pytest.ini").touch()
    (found.suite / "lasting").touch()
    (found.suite / "test_suite.py").write_text(_SUITE)
    return found


def test_a_run_that_passes_leaves_nothing(place: Place) -> None:
    with place.run() as run:
        assert place.left() != []
        (place.suite / "lasting").unlink()
        assert run.wait(30) == pytest.ExitCode.OK
    assert place.finalized()
    assert place.left() == []


@pytest.mark.parametrize(("end", "workers"), [(signal.SIGTERM, "-n0"), (signal.SIGINT, "-n0"), (signal.SIGTERM, "-n1")])
def test_a_run_that_is_interrupted_finalizes_its_fixtures_and_leaves_nothing(
    place: Place, end: signal.Signals, workers: str
) -> None:
    """Where workers run the tests, the signal goes to their parent alone; it takes ten seconds then."""
    with place.run(workers) as run:
        run.send_signal(end)
        assert run.wait(30) == pytest.ExitCode.INTERRUPTED
    assert place.finalized()
    assert place.left() == []


def test_a_run_that_is_killed_leaves_nothing(place: Place) -> None:
    """Its guard removes the folder a moment later."""
    with place.run() as run:
        run.kill()
        run.wait(30)
        place.until(lambda: place.left() == [])


def test_a_folder_that_was_asked_for_stays(place: Place, tmp_path: Path) -> None:
    (place.suite / "lasting").unlink()
    with place.run(f"--basetemp={tmp_path / 'kept'}") as run:
        run.wait(30)
    assert list((tmp_path / "kept").glob("*/file")) != []
    assert place.left() == []
