"""The virtual environment of checks, tests and demo, in the cache, from requirements pinned by hash."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from provision import cache, progress, steps
from provision.failure import PartError
from provision.keeper import Keeper

PART = "python"
REQUIREMENTS = Path(__file__).parent.parent / "requirements"
_WHOLE = ".complete"  # written last: a folder without it is half made and worth nothing
_NO_VENV = "python3 could not make a virtual environment: on Debian or Ubuntu install python3-venv.\n"


def folder() -> Path:
    """Where the environment for these requirements and this Python belongs, whether it is there or not."""
    return cache.root() / f"venv-{_key(REQUIREMENTS / 'dev.txt')}"


def provide(keeper: Keeper) -> Path:
    """The environment's folder, made where needed. Raises PartError."""
    target = folder()
    if (target / _WHOLE).exists():
        progress.say(PART, f"packages from the cache, {target}")
        return target
    uv = provide_uv(keeper)
    return _whole(target, lambda: _install(keeper, uv, target))


def provide_uv(keeper: Keeper) -> Path:
    """The folder of a small environment with pip and uv, made where needed. Raises PartError."""
    target = cache.root() / f"uv-{_key(REQUIREMENTS / 'uv.txt')}"
    return _whole(target, lambda: _install_uv(keeper, target))


def index_settings() -> dict[str, str]:
    """What pip knows about its index and certificates, in uv's words; the environment goes first."""
    told = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    return translate(told.stdout, os.environ)


def translate(pip_settings: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Turn the lines of `pip config list` into uv's environment, leaving alone what is set already."""
    meaning = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    settings: dict[str, str] = {}
    for line in pip_settings.splitlines():
        name, _, value = line.partition("=")
        variable = meaning.get(name.rpartition(".")[2])
        if variable and variable not in environ:
            settings[variable] = value.strip("'\"").replace("\\n", " ").strip()
    return settings


def _whole(target: Path, make: Callable[[], None]) -> Path:
    with cache.only_one(target.name, lambda: progress.say(PART, "another set-up is at it: waiting")):
        if not (target / _WHOLE).exists():
            shutil.rmtree(target, ignore_errors=True)
            make()
            (target / _WHOLE).touch()
    return target


def _install_uv(keeper: Keeper, target: Path) -> None:
    venv: list[str | Path] = [sys.executable, "-m", "venv", target]
    pip: list[str | Path] = [target / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check"]
    try:
        _run(keeper, "making a virtual environment for the installer", "3 to 10 s", venv)
    except PartError as error:
        raise PartError(f"{_NO_VENV}{error}") from error
    _run(keeper, "installing uv", "3 to 20 s", [*pip, "--require-hashes", "-r", REQUIREMENTS / "uv.txt"])


def _install(keeper: Keeper, uv: Path, target: Path) -> None:
    program, listed = uv / "bin" / "uv", REQUIREMENTS / "dev.txt"
    _run(keeper, "making the virtual environment", "1 s", [program, "venv", "--python", sys.executable, target])
    sync: list[str | Path] = [program, "pip", "sync", "--require-hashes", "--python", target / "bin" / "python"]
    count = sum(line[:1].isalnum() for line in listed.read_text().splitlines())
    _run(keeper, f"installing {count} packages", "15 s to 2 min", [*sync, listed])


def _run(keeper: Keeper, what: str, usually: str, argv: Sequence[str | Path]) -> None:
    env = {"UV_PYTHON_DOWNLOADS": "never", **index_settings()}
    steps.run(keeper, steps.Step(part=PART, what=what, usually=usually, argv=argv, env=env))


def _key(requirements: Path) -> str:
    return cache.key(requirements.read_bytes(), sys.version, sys.base_prefix)
