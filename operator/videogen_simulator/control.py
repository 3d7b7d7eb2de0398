"""The control endpoints below `/_sim`: the ledger, scenarios, settings, and the life of tasks by hand."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from urllib.parse import parse_qs

from . import markers, settings
from .answers import Answer, document
from .gateway import Gateway
from .reading import Request
from .scenario import ScenarioError
from .scenarios import SCENARIOS
from .settings import SettingsError

PREFIX = "/_sim"
Body = Mapping[str, object]


class ControlError(ValueError):
    """A control request that cannot be followed; the text says why."""


def answer(gateway: Gateway, request: Request, *, allowed: bool) -> Answer:
    """The reply to a request below `/_sim`; `health` needs no permission."""
    call = CALLS.get((request.method, request.path.removeprefix(PREFIX)))
    if call is None:
        known = ", ".join(f"{method} {PREFIX}{path}" for method, path in CALLS)
        return control_error(404, f"no such control endpoint; there are: {known}")
    if not allowed and request.path != PREFIX + "/health":
        return control_error(401, "the control endpoints need `Authorization: Bearer` with the control key")
    try:
        return document(call(gateway, request))
    except (ControlError, SettingsError, ScenarioError) as error:
        return control_error(400, str(error))


def control_error(status: int, text: str) -> Answer:
    """An error of the control endpoints."""
    return document({"error": {"message": text, "type": "simulator_error"}}, status, "control")


def body_of(request: Request) -> Body:
    """The JSON object that a control request carries; nothing is an empty one."""
    if not request.body.strip():
        return {}
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        raise ControlError("the body is not JSON") from None
    if not isinstance(content, dict):
        raise ControlError("the body must be a JSON object")
    return content


def only(body: Body, *names: str) -> None:
    """Refuse fields that mean nothing."""
    unknown = set(body) - set(names)
    if unknown:
        raise ControlError(f"unknown field {min(unknown)[:60]!r}; there are: {', '.join(names)}")


def name_in(body: Body, name: str) -> str | None:
    """A text, or nothing."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise ControlError(f"{name} must be a string")
    return value


def health(gateway: Gateway, _: Request) -> Body:
    """Alive, and how busy."""
    gateway.settle()
    counters = gateway.book.counters
    return {"status": "ok", "posts": counters.posts, "tasks": counters.tasks, "open": counters.open}


def read_ledger(gateway: Gateway, request: Request) -> Body:
    """The ledger; `since` takes the `next` of an earlier one, `task` an id."""
    query = parse_qs(request.target.partition("?")[2])
    since = query.get("since", ["0"])[0]
    if not since.isascii() or not since.isdigit() or len(since) > 18:  # noqa: PLR2004 -- below 2**63
        raise ControlError("since must be the `next` of an earlier answer")
    return gateway.record(int(since), query.get("task", [None])[0])


def scenario_table(_: Gateway, __: Request) -> Body:
    """The scenarios that there are."""
    return {name: {"says": row.says, "takes": shown(row.takes)} for name, row in SCENARIOS.items()}


def shown(takes: Mapping[str, object]) -> dict[str, object]:
    """Parameters with their defaults; a choice as the list of its words."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in takes.items()}


def armed(gateway: Gateway, _: Request) -> Body:
    """What is armed, in the order in which it will be met."""
    return {"armed": [{"name": name, "posts": posts or "all"} for name, posts in gateway.rehearsal.armed()]}


def arm(gateway: Gateway, request: Request) -> Body:
    """Arm a scenario for the next POSTs, or let it meet a task that exists."""
    body = body_of(request)
    only(body, "name", "parameters", "posts", "task")
    parameters = body.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise ControlError("parameters must be an object")
    scenario = markers.chosen(name_in(body, "name") or "", parameters)
    task = name_in(body, "task")
    if task is not None:
        if not gateway.afflict(task, scenario.effect):
            raise ControlError("there is no such task")
        return {"task": task}
    gateway.rehearsal.arm(scenario, how_many(body.get("posts", 1)))
    return armed(gateway, request)


def how_many(posts: object) -> int | None:
    """A number of POSTs, or `all`."""
    if posts == "all":
        return None
    if isinstance(posts, bool) or not isinstance(posts, int) or posts < 1:
        raise ControlError('posts must be a number from 1 up, or "all"')
    return posts


def disarm(gateway: Gateway, request: Request) -> Body:
    """Take everything back that is armed, and start the counts of `times` anew."""
    gateway.rehearsal.disarm()
    return armed(gateway, request)


def read_settings(gateway: Gateway, _: Request) -> Body:
    """The settings, without the keys, and what each account has left."""
    return {**settings.shown(gateway.settings), "balances": gateway.balances()}


def write_settings(gateway: Gateway, request: Request) -> Body:
    """Change settings and balances: all of them, or none if one is wrong."""
    changes = dict(body_of(request))
    balances = changes.pop("balances", {})
    if not isinstance(balances, dict):
        raise ControlError("balances must be an object of accounts and dollars")
    dollars = {name: balance(name, value) for name, value in balances.items()}
    gateway.change(changes)
    for name, value in dollars.items():
        gateway.set_balance(name, value)
    return read_settings(gateway, request)


def balance(name: str, value: object) -> Decimal | None:
    """Dollars, or None for money without end."""
    return None if value is None else settings.price(f"balances {name}", value)


def complete(gateway: Gateway, request: Request) -> Body:
    """End open tasks now: one, or all if none is named."""
    body = body_of(request)
    only(body, "task")
    return {"completed": gateway.complete(name_in(body, "task"))}


def release(gateway: Gateway, _: Request) -> Body:
    """Let all held answers go."""
    return {"released": gateway.holds.release()}


CALLS: Mapping[tuple[str, str], Callable[[Gateway, Request], Body]] = {
    ("GET", "/health"): health,
    ("GET", "/ledger"): read_ledger,
    ("GET", "/scenarios"): scenario_table,
    ("GET", "/scenario"): armed,
    ("POST", "/scenario"): arm,
    ("DELETE", "/scenario"): disarm,
    ("GET", "/settings"): read_settings,
    ("POST", "/settings"): write_settings,
    ("POST", "/complete"): complete,
    ("POST", "/release"): release,
}
