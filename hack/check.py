"""The quick gate: format, lint, types, import contracts, generated files, unit tests. Writes nothing.

Run as `python hack/check.py static unit`, or with one of the two groups; what follows after `--` is a
command that takes over when all checks passed.
"""

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from provision import cache, progress
from provision.keeper import Keeper, last_lines

ROOT = Path(__file__).absolute().parent.parent
_PYTHON_FOLDERS = ("operator/videogen_operator", "operator/videogen_simulator", "hack", "tests", "bench")
# Scripts that write committed files; each must find with --check that nothing would change.
_GENERATORS = ("hack/generate_crds.py", "hack/generate_chart_docs.py")
_AT_ONCE = 2
_AN_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A command that must succeed, by the name that people see."""

    name: str
    argv: Sequence[str]


def static() -> list[Check]:
    """What needs no test run; the slowest first, so that the rest runs beside it."""
    folders = [folder for folder in _PYTHON_FOLDERS if any((ROOT / folder).rglob("*.py"))]
    return [
        Check(name="types", argv=["mypy", "--no-error-summary", *folders]),
        Check(name="format", argv=["ruff", "format", "--quiet", "--check", "."]),
        Check(name="lint", argv=["ruff", "check", "--quiet", "."]),
        Check(name="import contracts", argv=["lint-imports"]),
        *(
            Check(name=f"{Path(script).stem} changes nothing", argv=["python", script, "--check"])
            for script in _GENERATORS
            if (ROOT / script).exists()
        ),
    ]


def unit() -> list[Check]:
    """The tests that need nothing but Python; sockets reach loopback only."""
    options = ("-p", "pytest_interruption", "-q", "-n2", "--allow-hosts=127.0.0.1,127.0.0.2,::1,localhost")
    return [Check(name="unit tests", argv=["python", "-m", "pytest", *options, "tests/unit"])]


def run(keeper: Keeper, check: Check) -> bool:
    """Run one check, tell how it went, and return whether it succeeded."""
    log = cache.logs() / f"check-{check.name.replace(' ', '-')}.log"
    log.write_text("")
    begun = time.monotonic()
    keeper.start(check.name, check.argv, cwd=ROOT, log=log)
    code = keeper.wait(check.name, _AN_HOUR)
    took = progress.spent(time.monotonic() - begun)
    if code == 0:
        counts = f": {last_lines(log, 1)}" if check.name == "unit tests" else ""
        progress.say("check", f"ok      {check.name} ({took}){counts}")
        return True
    progress.say("check", f"FAILED  {check.name} ({took})\n{last_lines(log, 40)}\nThe whole log: {log}")
    return False


def main(arguments: Sequence[str]) -> int:
    """Run the named groups of checks, all of them even when one fails."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    groups, command = arguments[:cut], arguments[cut + 1 :]
    known = {"static": static, "unit": unit}
    checks = [check for group in groups for check in known[group]()]
    with Keeper("videogen-check") as keeper, ThreadPoolExecutor(_AT_ONCE) as pool:
        succeeded = list(pool.map(lambda check: run(keeper, check), checks))
    failed = [check.name for check, ok in zip(checks, succeeded, strict=True) if not ok]
    print(f"{len(checks) - len(failed)} of {len(checks)} checks passed", file=sys.stderr)
    if failed:
        return 1
    if command:
        os.execvp(command[0], list(command))  # noqa: S606  # a shell between would not pass SIGTERM on
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
