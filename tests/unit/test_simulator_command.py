"""`python -m videogen_simulator` as a process."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

import videogen_simulator

SOURCE_ROOT = pathlib.Path(videogen_simulator.__file__).parent.parent


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-I", "-c", RUN_ISOLATED, str(SOURCE_ROOT), *arguments]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


# Isolated and without site-packages: the run-time image's interpreter has to be enough.
RUN_ISOLATED = """
import runpy, sys
sys.path = [path for path in sys.path if "site-packages" not in path]
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("videogen_simulator", run_name="__main__", alter_sys=True)
"""


def ready_line(running: subprocess.Popen[str]) -> dict[str, Any]:
    assert running.stdout is not None
    return dict(json.loads(running.stdout.readline()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_at_once_when_told(number: signal.Signals) -> None:
    with process("--port", "0") as running:
        ready = ready_line(running)
        assert httpx.get(f"{ready['url']}/_sim/health", trust_env=False).json()["status"] == "ok"
        with socket.create_connection(("127.0.0.1", int(ready["url"].rpartition(":")[2]))):
            start = time.monotonic()
            running.send_signal(number)
            assert running.wait(5) == 0
        assert time.monotonic() - start < 2


def test_the_options_reach_the_settings() -> None:
    arguments = [
        *("--key", "k1=a", "--key", "k2=b", "--key", "bare", "--balance", "a=5", "--model", "m=0.1"),
        *("--duration", "4k=1-2", "--time-scale", "60", "--max-open", "3", "--content-delay", "1"),
        *("--retention", "9", "--pad-bytes", "4MB", "--c2pa", "--seed", "1", "--no-auth-control"),
    ]
    with process(*arguments) as running:
        ready = ready_line(running)
        shown = httpx.get(f"{ready['url']}/_sim/settings", trust_env=False).json()
    assert ready["control_key"] is None
    assert shown == {
        "accounts": ["a", "b", "default"],
        "models": {"m": 0.1},
        "durations": {"720p": [60, 90], "1080p": [80, 120], "4k": [1, 2]},
        "time_scale": 60,
        "max_open": 3,
        "content_delay": 1,
        "retention": 9,
        "pad_bytes": 4_000_000,
        "c2pa": True,
        "outage": None,
        "balances": {"a": 5, "b": None, "default": None},
    }


def test_the_control_key_is_made_up_and_said() -> None:
    with process() as running:
        ready = ready_line(running)
        headers = {"Authorization": f"Bearer {ready['control_key']}"}
        assert httpx.get(f"{ready['url']}/_sim/ledger", headers=headers, trust_env=False).status_code == 200
        assert httpx.get(f"{ready['url']}/_sim/ledger", trust_env=False).status_code == 401


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--time-scale", "fast"], "time_scale: 'fast' is not a number"),
        (["--pad-bytes", "huge"], "pad_bytes: 'huge' is not a size such as 4MB"),
        (["--model", "m"], "--model: needs NAME=VALUE, got 'm'"),
        (["--balance", "a=much"], "--balance a: 'much' is not a price"),
        (["--duration", "720p=9-1"], "durations 720p: 9 is above 1"),
        (["--duration", "8k=1-9"], "durations: needs 720p, 1080p, 4k and no other"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], says: str) -> None:
    with process(*arguments) as running:
        _, errors = running.communicate(timeout=10)
    assert (running.returncode, errors.strip().removeprefix("videogen_simulator: ")[: len(says)]) == (2, says)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with process("--port", str(port)) as running:
            _, errors = running.communicate(timeout=10)
    assert running.returncode == 3
    assert f"cannot listen on 127.0.0.1:{port}" in errors


def test_the_package_imports_the_standard_library_only() -> None:
    """Isolated and without site-packages, every module loads."""
    names = sorted(path.stem for path in (SOURCE_ROOT / "videogen_simulator").glob("*.py") if path.stem != "__main__")
    code = (
        "import sys, importlib; sys.path=[p for p in sys.path if 'site-packages' not in p];"
        f"sys.path.insert(0, {str(SOURCE_ROOT)!r});"
        f"[importlib.import_module('videogen_simulator.' + name) for name in {names!r}];"
        "sys.exit(any(name.startswith('videogen_operator') for name in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-I", "-c", code], env={**os.environ}, check=False, capture_output=True)
    assert (result.returncode, result.stderr) == (0, b"")
