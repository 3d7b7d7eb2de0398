"""The effects of one life, as proxies in front of API server, bucket and gateway see them: where a crash is tried."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from integration.disturbance import object_path
from integration.effect_proxy import Effect, EffectProxy, Moment, effect
from integration.harness import Site

Meets = Callable[[Effect], bool]
BEFORE, AFTER = Moment.BEFORE, Moment.AFTER


@dataclass(kw_only=True)
class Ports:
    """The three proxies."""

    kube: EffectProxy
    bucket: EffectProxy
    gateway: EffectProxy


# ------------------------------------------------------------ the effects of a life


def changes(effect_: Effect, test: Callable[[dict[str, Any]], bool]) -> bool:
    """Whether one operation of a JSON patch passes a test."""
    return effect_.method == "PATCH" and any(test(operation) for operation in json.loads(effect_.body))


def status_write(site: Site, name: str, field_: str) -> Meets:
    """The write to the object that sets a field of its status."""
    path = f"/namespaces/{site.namespace}/videogenerations/{name}/status?"
    return lambda one: (
        path in one.target and changes(one, lambda o: o["op"] == "add" and o["path"] == f"/status/{field_}")
    )


def class_write(site: Site, name: str, kind: str) -> Meets:
    """The write to the class that adds or removes the order's entry."""
    path, entry = f"/videogenerationclasses/{site.class_name}/status?", f"{site.namespace}/{name}/r1/a1"

    def meets(one: Effect) -> bool:
        if path not in one.target or not changes(one, lambda o: o["op"] == kind and "reservations" in o["path"]):
            return False
        return changes(one, lambda o: entry in json.dumps(o.get("value")))

    return meets


def event(site: Site, name: str, reason: str) -> Meets:
    about = f'"reason": "{reason}"'
    return lambda one: (
        one.method == "POST"
        and f"/namespaces/{site.namespace}/events" in one.target
        and f'"name": "{name}"'.encode() in one.body
        and about.encode() in one.body
    )


def file(method: str, site: Site, name: str, file_: str) -> Meets:
    return effect(method, re.escape(f"{object_path(site, name)}{file_}") + r"(\?.*)?")


def listing(site: Site, name: str) -> Meets:
    words = f"prefix={object_path(site, name).removeprefix(f'/{site.bucket}/')}".replace("/", "%2F")
    return lambda one: one.method == "GET" and words in one.target.replace("/", "%2F")


def about_task(ports: Ports, prompt: str, pattern: str) -> Meets:
    """A request about the task that the order's POST made."""

    def meets(one: Effect) -> bool:
        task = ports.gateway.task_of(prompt)
        return task is not None and re.fullmatch(pattern.format(task), one.target) is not None

    return meets


@dataclass(frozen=True)
class Point:
    """An effect of a life: the proxy that sees it, and how to recognise it for one order."""

    name: str
    proxy: str
    meets: Callable[[Ports, Site, str, str], Meets]
    moments: Sequence[Moment] = (BEFORE, AFTER)
    alone: bool = False  # it is shared by all orders of a class, so this order has a class of its own


POINTS = [
    Point("read the ledger", "bucket", lambda _, s, n, __: listing(s, n), (AFTER,)),
    Point("reserve", "kube", lambda _, s, n, __: class_write(s, n, "add"), (AFTER,), alone=True),
    Point("intent in the status", "kube", lambda _, s, n, __: status_write(s, n, "submittedRevision")),
    Point("intent in the ledger", "bucket", lambda _, s, n, __: file("PUT", s, n, "a1.intent.json")),
    Point("POST", "gateway", lambda _, __, n, p: effect("POST", "/v1/videos", p)),
    Point("task in the ledger", "bucket", lambda _, s, n, __: file("PUT", s, n, "a1.task.json")),
    Point("task in the status", "kube", lambda _, s, n, __: status_write(s, n, "taskID")),
    Point("event TaskCreated", "kube", lambda _, s, n, __: event(s, n, "TaskCreated"), (BEFORE,)),
    Point("poll", "gateway", lambda ports, _, n, p: about_task(ports, p, "/v1/videos/{}")),
    Point("look for the video", "bucket", lambda _, s, n, __: file("HEAD", s, n, f"{n}.mp4"), (AFTER,)),
    Point("download", "gateway", lambda ports, _, n, p: about_task(ports, p, "/v1/videos/{}/content")),
    Point("video", "bucket", lambda _, s, n, __: file("PUT", s, n, f"{n}.mp4")),
    Point("result in the ledger", "bucket", lambda _, s, n, __: file("PUT", s, n, "result.json")),
    Point("result in the status", "kube", lambda _, s, n, __: status_write(s, n, "output")),
    Point("event VideoStored", "kube", lambda _, s, n, __: event(s, n, "VideoStored"), (BEFORE,)),
    Point("settle", "kube", lambda _, s, n, __: class_write(s, n, "remove"), alone=True),
]
CASES = [(point, moment) for point in POINTS for moment in point.moments]


def case_name(case: tuple[Point, Moment]) -> str:
    return f"{case[0].name}-{case[1].name}".replace(" ", "-").lower()
