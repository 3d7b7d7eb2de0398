"""Makes several parts side by side; the first failure ends all."""

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from provision import binaries, helm, python_env
from provision.failure import PartError
from provision.keeper import Keeper, ProgramError

_INTERRUPTED = 128 + signal.SIGINT
PARTS: dict[str, Callable[[Keeper], object]] = {
    "python": python_env.provide,
    "controlplane": binaries.provide,
    "helm": helm.provide,
}


def make(names: Sequence[str]) -> int:
    """Make the named parts and return an exit code: 0, or 1 after the failure was told.

    Ctrl-C and SIGTERM leave no process and no temporary folder.
    """
    if unknown := [name for name in names if name not in PARTS]:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 1
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        with Keeper("videogen-setup") as keeper:
            _side_by_side(keeper, names)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (PartError, ProgramError, OSError) as error:
        print(f"\nset-up failed: {error}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def environment(root: Path) -> dict[str, str]:
    """The environment of a command that works on the checkout at `root` with the virtual environment."""
    folder = python_env.folder()
    paths = [str(root / "operator"), str(root / "hack")]
    return {
        **os.environ,
        "VIRTUAL_ENV": str(folder),
        "PATH": os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def _side_by_side(keeper: Keeper, names: Sequence[str]) -> None:
    results: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    for name in names:
        # Daemons: after a failure nobody waits for what the others were at.
        threading.Thread(target=_make_one, args=(PARTS[name], keeper, results), daemon=True).start()
    for _ in names:
        if (error := results.get()) is not None:
            raise error


def _make_one(
    provide: Callable[[Keeper], object], keeper: Keeper, results: "queue.SimpleQueue[BaseException | None]"
) -> None:
    try:
        provide(keeper)
    except BaseException as error:  # noqa: BLE001  # raised again in the main thread
        results.put(error)
    else:
        results.put(None)


def _leave(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
