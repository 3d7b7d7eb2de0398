"""Set-up: parts side by side, the first failure ends all, an interruption leaves nothing."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provision import cache, python_env, setup
from provision.failure import PartError
from provision.keeper import Keeper
from provision.processes import is_running

_ROOT = Path(__file__).parents[2]
# SIGINT may be ignored where the tests run in the background, and what is ignored is inherited.
_HEEDING_SIGINT = "import os, signal, sys; signal.signal(2, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
_LOCKED = [_ROOT / "requirements.txt", *sorted((_ROOT / "hack/requirements").glob("*.txt"))]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    monkeypatch.setenv("VIDEOGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with Keeper("videogen-test") as keeping:
        yield keeping


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


@pytest.mark.parametrize(("end", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_set_up_leaves_neither_process_nor_folder(
    end: signal.Signals, code: int, tmp_path: Path
) -> None:
    """A build is in the air, as a stand-in for `go` that never ends; it has a child, as the real one."""
    go, told, temporary = tmp_path / "bin/go", tmp_path / "pids", tmp_path / "tmp"
    for folder in (go.parent, temporary):
        folder.mkdir()
    go.write_text(f"#!/bin/sh\nmktemp > /dev/null\nsleep 300 &\necho $$ $! > {told}.new\nmv {told}.new {told}\nwait\n")
    go.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{go.parent}:/bin:/usr/bin",
        "TMPDIR": str(temporary),
        "VIDEOGEN_ENVTEST_URL": "http://127.0.0.1:9",
    }
    environment.pop("KUBEBUILDER_ASSETS", None)
    command = [sys.executable, "-c", _HEEDING_SIGINT, sys.executable, str(_ROOT / "hack/bootstrap.py"), "controlplane"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as running:
        _until(told.exists)
        assert list(temporary.iterdir())
        running.send_signal(end)
    assert running.returncode == code
    _until(lambda: not any(is_running(int(pid)) for pid in told.read_text().split()))
    assert list(temporary.iterdir()) == []


def test_the_first_failure_ends_set_up(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Another part that is still at work is not waited for."""

    def fails(_keeper: Keeper) -> None:
        raise PartError("no space left")

    def works_long(keeper: Keeper) -> None:
        keeper.start("long", ["sleep", "300"])
        keeper.wait("long", 300)

    monkeypatch.setattr(setup, "PARTS", {"long": works_long, "failing": fails})
    begun = time.monotonic()
    assert setup.make(["long", "failing"]) == 1
    assert time.monotonic() - begun < 20
    assert "set-up failed: no space left" in capfd.readouterr().err


def test_an_unknown_part_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert setup.make(["pyhton"]) == 1
    assert "no such part: pyhton; there are python, controlplane, helm" in capfd.readouterr().err


def test_a_half_made_environment_is_never_taken_for_a_whole_one(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A set-up that was killed leaves a folder without its mark: the next one makes it anew."""
    remnant = python_env.folder() / "bin" / "python"
    remnant.parent.mkdir(parents=True)
    remnant.touch()
    made: list[Path] = []

    def install(_keeper: Keeper, _uv: Path, target: Path) -> None:
        assert not target.exists()
        target.mkdir()
        made.append(target)

    monkeypatch.setattr(python_env, "provide_uv", lambda _keeper: Path("uv"))
    monkeypatch.setattr(python_env, "_install", install)
    assert python_env.provide(keeper) == python_env.folder()
    assert python_env.provide(keeper) == python_env.folder()
    assert made == [python_env.folder()]


def test_a_failed_install_is_tried_again_the_next_time(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(_keeper: Keeper, _uv: Path, target: Path) -> None:
        target.mkdir()
        raise PartError("the index is down")

    monkeypatch.setattr(python_env, "provide_uv", lambda _keeper: Path("uv"))
    monkeypatch.setattr(python_env, "_install", install)
    for _ in range(2):
        with pytest.raises(PartError, match="the index is down"):
            python_env.provide(keeper)


def test_two_set_ups_at_once_make_a_part_once() -> None:
    """The second one waits, says so, and goes on when the first one is done or dead."""
    script = (
        "import sys; from provision import cache\n"
        "with cache.only_one('part', lambda: print('waiting', flush=True)):\n"
        "    print('inside', flush=True); sys.stdin.read()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(_ROOT / "hack")}

    command = [sys.executable, "-c", script]
    pipes = (subprocess.PIPE, subprocess.PIPE)
    with (
        subprocess.Popen(command, env=environment, text=True, stdin=pipes[0], stdout=pipes[1]) as first,
        subprocess.Popen(command, env=environment, text=True, stdin=pipes[0], stdout=pipes[1]) as second,
    ):
        said = {_line(first): first, _line(second): second}
        assert said.keys() == {"inside", "waiting"}
        said["inside"].kill()
        assert _line(said["waiting"]) == "inside"


def test_parts_of_one_set_up_wait_for_each_other_without_a_word() -> None:
    """Two parts need the installer; whoever makes it shows the progress, and no other set-up is at it."""
    said: list[str] = []
    inside = threading.Barrier(2)

    def one() -> None:
        broken = contextlib.suppress(threading.BrokenBarrierError)
        with cache.only_one("part", lambda: said.append("waiting")), broken:
            inside.wait(0.05)

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(one), pool.submit(one)]:
            future.result()
    assert said == []
    assert inside.broken, "both were inside at once"


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_what_pip_knows_is_told_to_uv_unless_it_is_set_already() -> None:
    told = "global.cert='/etc/ca.pem'\nglobal.index-url='https://mirror.example/simple'\nglobal.timeout='9'\n"
    assert python_env.translate(told, {}) == {
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
    }
    assert python_env.translate(":env:.cert='/etc/ca.pem'\n", {"SSL_CERT_FILE": "/mine"}) == {}


@pytest.mark.parametrize("locked", _LOCKED, ids=lambda path: path.name)
def test_every_requirement_is_pinned_by_hash_and_no_address_is_written(locked: Path) -> None:
    text = locked.read_text()
    assert "://" not in text
    assert "index" not in [word for line in text.splitlines() for word in line.split() if line.startswith("-")]
    blocks = [block for block in text.split("\n") if block and block[0].isalnum()]
    assert blocks
    assert all("==" in block and block.endswith("\\") for block in blocks)
    assert text.count("--hash=sha256:") >= len(blocks)


def test_development_has_the_run_time_versions() -> None:
    run_time, development = (_pins(_ROOT / name) for name in ("requirements.txt", "hack/requirements/dev.txt"))
    assert run_time.items() <= development.items()


def _pins(locked: Path) -> dict[str, str]:
    lines = [line.split(" ")[0] for line in locked.read_text().splitlines() if line and line[0].isalnum()]
    return dict(line.split("==") for line in lines)


def test_the_cache_can_be_named() -> None:
    assert cache.root({"VIDEOGEN_CACHE": "/somewhere"}) == Path("/somewhere")
    assert cache.root({"XDG_CACHE_HOME": "/xdg"}) == Path("/xdg/videogen-operator")
    assert cache.root({}) == Path.home() / ".cache" / "videogen-operator"


def test_keys_keep_their_parts_apart() -> None:
    assert cache.key("ab", "c") != cache.key("a", "bc")


def test_every_make_target_says_what_it_does() -> None:
    shown = subprocess.run(["make", "--no-print-directory"], cwd=_ROOT, capture_output=True, text=True, check=True)
    lines = (_ROOT / "Makefile").read_text().splitlines()
    (phony,) = [line for line in lines if line.startswith(".PHONY:")]
    listed = [line.split()[0] for line in shown.stdout.splitlines()[1:]]
    assert sorted(listed) == sorted(phony.removeprefix(".PHONY:").split())
