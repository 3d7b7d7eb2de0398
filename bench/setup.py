"""`make bench-setup`: how long `make demo` takes in a fresh clone. A benchmark, no gate.

python -m bench.setup                 # from nothing, then with the control plane cached, then with everything cached
python -m bench.setup --only cached   # one of them: nothing, controlplane or cached

All caches are in a temporary folder that goes at the end, those of Go, uv and pip too. With `--only`, what should be
there already is taken from the user's own cache.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import session
from bench.table import Row, at_most, whole_seconds
from provision import cache, progress
from provision.keeper import Keeper, last_lines

ROOT = Path(__file__).absolute().parent.parent
_AN_HOUR = 3600.0
# Of the process that runs us: `make demo` is to begin as in a shell.
_NOT_FOR_OTHERS = ("KUBEBUILDER_ASSETS", "PYTHONPATH", "MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS")
_OURS = "videogen"
_CACHES: Mapping[str, str] = {
    "VIDEOGEN_CACHE": _OURS,
    "XDG_CACHE_HOME": "other",
    "GOCACHE": "go-build",
    "GOMODCACHE": "go-mod",
    "UV_CACHE_DIR": "uv",
    "PIP_CACHE_DIR": "pip",
}


class SetUpError(RuntimeError):
    """The demo did not end well; the message has its last words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is in our own cache before, by names of folders, and within how many seconds the demo should be over."""

    metric: str
    what: str
    cached: Sequence[str]
    goal: float
    usually: str


CASES: Mapping[str, Case] = {
    "nothing": Case(metric="S1", what="from nothing", cached=(), goal=720, usually="1 to 8 min"),
    "controlplane": Case(
        metric="S2", what="with the control plane cached", cached=("controlplane-*",), goal=180, usually="20 s to 2 min"
    ),
    "cached": Case(
        metric="S3",
        what="with everything cached",
        cached=("controlplane-*", "helm-*", "uv-*", "venv-*"),
        goal=60,
        usually="15 to 40 s",
    ),
}


def main() -> int:
    """Run the cases one after another, each in a clone of its own, and print one table."""
    only = _arguments().only
    logs = session.begin()
    began, load = time.monotonic(), os.getloadavg()[0]
    rows: list[Row] = []
    try:
        with Keeper("videogen-bench") as keeper:
            for row in run(keeper, [case for name, case in CASES.items() if only in {None, name}]):
                rows.append(row)  # noqa: PERF402  # what is measured stays when the next one fails
    except SetUpError as error:
        progress.say("bench", f"FAILED: {error}\nThe whole log is in {logs}")
        return 1
    finally:
        if rows:
            print(session.report(rows, time.monotonic() - began, load))
    shutil.rmtree(logs, ignore_errors=True)
    return 0


def run(keeper: Keeper, cases: Sequence[Case]) -> Iterator[Row]:
    """Each case on what the one before left in the caches; the first one on what the user has. Raises SetUpError."""
    caches = keeper.directory / "caches"
    (caches / _OURS).mkdir(parents=True)
    borrow(cache.root(), caches / _OURS, cases[0].cached)
    for case in cases:
        if case is not CASES["cached"]:  # which finds what the others left
            keep_only(caches, case.cached)
        yield _measured(keeper, case, environment(os.environ, caches, _go_flags()))


def borrow(theirs: Path, ours: Path, patterns: Sequence[str]) -> None:
    """Links to the parts of another cache. Raises SetUpError when one is not there."""
    for pattern in patterns:
        found = list(theirs.glob(pattern))
        if not found:
            raise SetUpError(f"there is no {pattern} in {theirs}: `make demo` makes it")
        for part in found:
            (ours / part.name).symlink_to(part.resolve())


def keep_only(caches: Path, patterns: Sequence[str]) -> None:
    """Remove all from the caches but these parts of ours."""
    stay = {part for pattern in patterns for part in (caches / _OURS).glob(pattern)}
    for part in [*(caches / _OURS).iterdir(), *(folder for folder in caches.iterdir() if folder.name != _OURS)]:
        if part not in stay:
            _remove(part)


def environment(environ: Mapping[str, str], caches: Path, go_flags: str) -> dict[str, str]:
    """That of a shell whose caches are elsewhere."""
    kept = {name: value for name, value in environ.items() if name not in _NOT_FOR_OTHERS}
    folders = {variable: str(caches / name) for variable, name in _CACHES.items()}
    return {**kept, **folders, "GOFLAGS": f"{go_flags} -modcacherw".strip()}  # or no user but root could remove it


def origin(log: str) -> str:
    """Which way the control plane came, by what set-up said."""
    said = "\n".join(line for line in log.splitlines() if line.startswith("[control plane]"))
    ways = {
        " from source: done": "control plane built from source",
        "] downloading ": "control plane from the published archive",
        " from the cache": "control plane from the cache",
    }
    return next((way for words, way in ways.items() if words in said), "control plane of unknown origin")


def _measured(keeper: Keeper, case: Case, env: Mapping[str, str]) -> Row:
    clone, name = keeper.directory / f"clone-{case.metric}", f"demo-{case.metric}"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    log = keeper.log(name)
    command: list[str | Path] = ["make", "--directory", clone, f"PYTHON={sys.executable}", "demo"]
    with progress.step("bench", f"make demo {case.what}", case.usually, lambda: last_lines(log, 1)[:100]):
        began = time.monotonic()
        keeper.start(name, command, env=env, inherit=False)
        code = keeper.wait(name, _AN_HOUR)
        took = time.monotonic() - began
    if code != 0:
        raise SetUpError(f"make demo {case.what} (exit code {code}):\n{last_lines(log)}")
    what = f"make demo {case.what}: {origin(log.read_text(errors='replace'))}"
    return at_most(case.metric, what, took, case.goal, whole_seconds)


def _go_flags() -> str:
    """The user's own, wherever Go has them from."""
    go = shutil.which("go")
    return (
        subprocess.run([go, "env", "GOFLAGS"], capture_output=True, text=True, check=True).stdout.strip() if go else ""
    )


def _remove(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part)
    else:
        part.unlink()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(CASES), help="one of them")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
