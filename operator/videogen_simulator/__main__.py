"""`python -m videogen_simulator`: run the simulator until SIGTERM or Ctrl-C."""

import argparse
import json
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from decimal import Decimal

from . import settings
from .server import Simulator
from .settings import Settings, SettingsError

EXIT_USAGE = 2
EXIT_ADDRESS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; the exit code. 0: told to stop. 2: a setting is wrong. 3: the address cannot be had."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.WARNING, stream=sys.stderr)
    try:
        chosen, balances = chosen_settings(options)
    except SettingsError as error:
        return complain(str(error), EXIT_USAGE)
    control_key = None if options.no_auth_control else options.control_key or secrets.token_urlsafe(24)
    try:
        simulator = Simulator(chosen, host=options.host, port=options.port, seed=options.seed, control_key=control_key)
    except OSError as error:
        return complain(f"cannot listen on {options.host}:{options.port}: {error}", EXIT_ADDRESS)
    with simulator:
        for account, dollars in balances.items():
            simulator.set_balance(account, dollars)
        serve(simulator, control_key)
    return 0


def serve(simulator: Simulator, control_key: str | None) -> None:
    """Say where it listens, in one line of JSON, and wait for a signal."""
    told, telling = socket.socketpair()
    telling.setblocking(False)  # noqa: FBT003 -- takes no keyword
    # Not an Event: a handler that sets it deadlocks when the signal meets the inside of its wait().
    signal.set_wakeup_fd(telling.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    ready = {
        "url": simulator.url,
        "base_url": simulator.base_url,
        "control_key": control_key,
        "pid": os.getpid(),
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    told.recv(1)
    signal.set_wakeup_fd(-1)
    told.close()
    telling.close()


def complain(text: str, code: int) -> int:
    """Say what is wrong; the exit code."""
    sys.stderr.write(f"videogen_simulator: {text}\n")
    return code


def parser() -> argparse.ArgumentParser:
    """The command line."""
    line = argparse.ArgumentParser(
        prog="python -m videogen_simulator",
        description="A stand-in for the video API: real protocol, real MP4 files, no money.",
    )
    _add_server(line.add_argument_group("the server"))
    _add_offer(line.add_argument_group("accounts and models; each may be given more than once"))
    _add_pace(line.add_argument_group("tasks"))
    _add_clips(line.add_argument_group("clips"))
    return line


def _add_server(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port; 0 takes a free one, which the first line says (default: 0)")
    control = "key of the endpoints below /_sim (default: made up, the first line says it)"
    add("--control-key", metavar="KEY", help=control)
    add("--no-auth-control", action="store_true", help="the endpoints below /_sim need no key")
    add("--seed", help="makes task ids and times repeat from run to run (default: another each time)")
    add("--verbose", action="store_true", help="log to standard error")


def _add_offer(group: argparse._ArgumentGroup) -> None:
    lists = {
        "--key": (
            "KEY[=ACCOUNT]",
            "an API key and its account; keys of one account see the same tasks (default: sim-key=default)",
        ),
        "--balance": ("ACCOUNT=DOLLARS", "what an account has (default: money without end)"),
        "--model": (
            "NAME=DOLLARS",
            "a model and its price (default: the channel's two models at 0.30 and 1.20)",
        ),
        "--duration": (
            "TIER=SECONDS-SECONDS",
            "how long a tier takes (default: 720p=60-90, 1080p=80-120, 4k=300-360)",
        ),
    }
    for name, (form, told) in lists.items():
        group.add_argument(name, action="append", default=[], metavar=form, help=told)


def _add_pace(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--time-scale", default="1", metavar="N", help="tasks go N times as fast (default: 1)")
    add("--max-open", default="10", metavar="N", help="open tasks of an account, then 429 (default: 10)")
    delay = "how long /content says 400 after completion, in simulated time (default: 4)"
    add("--content-delay", default="4", metavar="SECONDS", help=delay)
    retention = "how long content is kept, in simulated time (default: two days)"
    add("--retention", default="172800", metavar="SECONDS", help=retention)


def _add_clips(group: argparse._ArgumentGroup) -> None:
    size = "size of each clip: 4MB, 400MB, or auto: 4, 10 and 40 MB by tier (default: as small as it is)"
    group.add_argument("--pad-bytes", default="0", metavar="SIZE", help=size)
    group.add_argument("--c2pa", action="store_true", help="put a C2PA box into each clip")


def chosen_settings(options: argparse.Namespace) -> tuple[Settings, dict[str, Decimal]]:
    """The settings and balances that the command line asks for. Raises `SettingsError`."""
    changes: dict[str, object] = {
        "time_scale": options.time_scale,
        "max_open": options.max_open,
        "content_delay": options.content_delay,
        "retention": options.retention,
        "pad_bytes": options.pad_bytes,
        "c2pa": options.c2pa,
        "durations": pairs("--duration", options.duration),
    }
    base = Settings()
    if options.key:
        changes["keys"] = {**dict.fromkeys(base.keys), **accounts(options.key)}
    if options.model:
        changes["models"] = {**dict.fromkeys(base.models), **pairs("--model", options.model)}
    balances = {
        name: settings.price(f"--balance {name}", value) for name, value in pairs("--balance", options.balance).items()
    }
    return settings.changed(base, changes), balances


def accounts(keys: Sequence[str]) -> dict[str, str]:
    """Keys and their accounts; a key alone belongs to the account `default`."""
    return {key: account or "default" for key, _, account in (text.partition("=") for text in keys)}


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` options as a map."""
    found = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals or not name or not value:
            raise SettingsError(f"{option}: needs NAME=VALUE, got {text!r}")
        found[name] = value
    return found


if __name__ == "__main__":
    sys.exit(main())
