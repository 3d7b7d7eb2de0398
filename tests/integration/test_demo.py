"""`make demo`: what it shows, and that it leaves nothing behind, however it ends."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from provision import binaries, cache

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "hack" / "demo.py"
GONE_WITHIN = 20.0


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    """An environment with a temporary folder and a cache of this test alone; the programs are the real ones."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "cache").mkdir()
    for part in (binaries.cached(), *cache.root().glob("helm-*")):
        (tmp_path / "cache" / part.name).symlink_to(part)
    return {
        **os.environ,
        "TMPDIR": str(tmp_path / "tmp"),
        "VIDEOGEN_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT / "hack")]),
    }


def run(place: Mapping[str, str], *options: str, demo: Path = DEMO) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(demo), *options]
    return subprocess.run(command, env=place, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


@contextmanager
def started(place: Mapping[str, str], *options: str) -> Iterator[subprocess.Popen[str]]:
    """A demo whose output, both streams, can be read line by line."""
    command = [sys.executable, "-u", DEMO, *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, env=place, cwd=ROOT, text=True, **pipes) as demo:  # type: ignore[call-overload]
        try:
            yield demo
        finally:
            demo.kill()


def read_until(demo: subprocess.Popen[str], words: str) -> None:
    assert demo.stdout is not None
    seen = []
    for line in demo.stdout:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"never said {words!r}:\n{''.join(seen)}")


def processes_of(place: Mapping[str, str]) -> list[str]:
    """The command lines of processes that were started with the place's temporary folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if place["TMPDIR"].encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def assert_nothing_is_left(place: Mapping[str, str]) -> None:
    until = time.monotonic() + GONE_WITHIN  # guards end programs after the demo itself has ended
    while (left := [*processes_of(place), *map(str, Path(place["TMPDIR"]).iterdir())]) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == []


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310  # an address of this machine
        return bytes(answer.read())


def test_the_demo_ends_with_a_stored_video_and_leaves_nothing(place: dict[str, str]) -> None:
    """Phases, kubectl's table, and four facts measured from the URL that are those of the simulator's record."""
    demo = run(place)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    phases = re.findall(r"^ +\d+\.\d  (\w+)", demo.stdout, re.MULTILINE)
    assert phases[0] in {"Pending", "Submitting"}
    assert phases[-1] == "Succeeded"
    assert re.search(r"^NAME +PHASE +READY .*MODEL +TIER +COST-USD +AGE", demo.stdout, re.MULTILINE)
    assert re.search(r"^URL +http://\S+\.mp4$", demo.stdout, re.MULTILINE)
    assert re.findall(r"^  (\w+) .*  the same$", demo.stdout, re.MULTILINE) == ["size", "sha256", "seconds", "pixels"]
    assert_nothing_is_left(place)
    assert not list(Path(place["VIDEOGEN_CACHE"]).glob("logs/*/demo-*"))


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, "[demo] API server (usually"),
        (signal.SIGTERM, "[demo] operator (usually"),
        (signal.SIGINT, "Generating"),
        (signal.SIGKILL, "[demo] class (usually"),
    ],
)
def test_a_signal_leaves_no_process_and_no_folder(place: dict[str, str], number: int, moment: str) -> None:
    with started(place) as demo:
        read_until(demo, moment)
        demo.send_signal(number)
        code = demo.wait(60)
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    assert_nothing_is_left(place)


def test_a_failure_says_what_failed_and_where_the_logs_are(place: dict[str, str], tmp_path: Path) -> None:
    """An API server that cannot run: its words, and the folder of all logs."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in binaries.NAMES:
        (programs / name).symlink_to(binaries.find() / name)
    (programs / "kube-apiserver").unlink()
    (programs / "kube-apiserver").write_text("#!/bin/sh\necho no room on this machine\nexit 7\n")
    (programs / "kube-apiserver").chmod(0o755)
    demo = run({**place, "KUBEBUILDER_ASSETS": str(programs)})
    assert demo.returncode == 1
    assert "The demo failed at: API server" in demo.stderr
    assert "no room on this machine" in demo.stderr
    logs = Path(demo.stderr.rpartition("All logs: ")[2].strip())
    assert any("no room" in log.read_text() for log in logs.iterdir())
    assert_nothing_is_left(place)


def test_a_right_that_the_operator_does_not_need_ends_the_demo_and_is_named(
    place: dict[str, str], tmp_path: Path
) -> None:
    """A missing one would show by itself. The checkout is a copy whose chart has one verb more."""
    for part in ("hack", "charts", "operator", "examples"):
        shutil.copytree(ROOT / part, tmp_path / "copy" / part, ignore=shutil.ignore_patterns("__pycache__"))
    role = tmp_path / "copy/charts/videogen-operator/templates/rbac.yaml"
    assert "verbs: [patch]" in role.read_text()
    role.write_text(role.read_text().replace("verbs: [patch]", "verbs: [patch, update]"))
    paths = os.pathsep.join(str(tmp_path / "copy" / part) for part in ("operator", "hack"))
    demo = run({**place, "PYTHONPATH": paths}, demo=tmp_path / "copy/hack/demo.py")
    assert demo.returncode == 1
    assert "The demo failed at: chart" in demo.stderr
    assert "too much: videogen.dev videogenerations/status update (cluster)" in demo.stderr
    assert_nothing_is_left(place)


def test_a_kept_demo_serves_its_video_until_it_is_stopped(place: dict[str, str]) -> None:
    try:
        shown = run(place, "--keep")
        assert shown.returncode == 0, shown.stdout
        (state,) = Path(place["VIDEOGEN_CACHE"]).glob("clusters/demo.json")
        kubeconfig = json.loads(state.read_text())["KUBECONFIG"]
        assert f"export KUBECONFIG={kubeconfig}" in shown.stdout
        (url,) = re.findall(r"curl -o lighthouse-dusk.mp4 (\S+)", shown.stdout)
        assert get(url)[4:8] == b"ftyp"
        assert run(place, "--keep").returncode == 1  # one at a time
    finally:
        stopped = run(place, "--stop")
    assert stopped.returncode == 0
    assert_nothing_is_left(place)


def test_an_interrupted_kept_demo_leaves_nothing(place: dict[str, str]) -> None:
    with started(place, "--keep") as demo:
        read_until(demo, "[demo] chart (usually")
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 128 + signal.SIGINT
    assert_nothing_is_left(place)
