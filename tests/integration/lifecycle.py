"""What happens to objects in their lives: deletion and re-creation, lost status, edits, rotated keys, answers."""

import copy
import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import class_manifests
from integration.harness import Site
from podrunner.pod import Pod
from podrunner.release import Release
from stack import Object, Stack

PATIENCE = 60.0
UNTIL_TOLD = "a kite over dunes [[sim:takes seconds=600000]]"  # until the test completes it
LOST_ANSWER = "a kite over dunes [[sim:answer-lost times=1]]"
REFUSED = "a kite over dunes [[sim:content-policy]]"


def until(stack: Stack, met: Callable[[], object], what: str) -> None:
    """Wait for something that is not in a status. Raises StackError with the operator's last lines."""
    stack._wait(lambda: {"met": bool(met())}, lambda seen: seen["met"], what, PATIENCE)


@pytest.fixture
def only_own_classes(stack: Stack) -> Iterator[None]:
    """Take the test's classes away after it: each would be probed every few seconds for the rest of the session."""
    before = _class_names(stack)
    yield
    for name in sorted(_class_names(stack) - before):
        stack.plane.kubectl("delete", "--wait=false", name)


@contextmanager
def another_operator(stack: Stack, running: Pod, **settings: str) -> Iterator[Pod]:
    """In place of the running pod, one with other settings in its environment."""
    deployment: dict[str, Any] = copy.deepcopy(dict(stack.release.deployment))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    kept = [one for one in container["env"] if one["name"] not in settings]
    container["env"] = [*kept, *({"name": name, "value": value} for name, value in settings.items())]
    with in_place_of(stack, running, dataclasses.replace(stack.release, deployment=deployment)) as pod:
        yield pod


@contextmanager
def in_place_of(stack: Stack, running: Pod, release: Release) -> Iterator[Pod]:
    """In place of the running pod, one of another release; the next test starts the first again."""
    running.terminate()
    with Pod(stack.plane, release) as pod:
        yield pod.start().wait_ready()


def reapply(site: Site, name: str = "clip", /, **spec: Any) -> tuple[str, str]:
    """Delete the object and apply the manifest again; both UIDs."""
    before = uid(site, name)
    site.delete(name)
    site.order(name, **spec)
    return before, uid(site, name)


def uid(site: Site, name: str = "clip") -> str:
    """The UID of the object as it is now."""
    found = site.read(name)
    assert found is not None
    return str(found["metadata"]["uid"])


def complete_and_store(site: Site, name: str = "clip") -> Object:
    """Let the only task end, and wait until its video is stored."""
    site.stack.simulator.complete(site.only_task()["id"])
    return site.stored(name)


def assert_bought_once(site: Site) -> None:
    """One POST, one task, one bill."""
    assert len(site.posts()) == 1
    assert site.only_task()["billed"] == 0.3


def answer(site: Site, value: str, name: str = "clip") -> None:
    """A person's answer to an unknown outcome."""
    words = ["annotate", "videogeneration", name, f"videogen.dev/resolve={value}", "--overwrite"]
    site.stack.plane.kubectl(*words, "--namespace", site.namespace)


def wipe_status(site: Site, name: str = "clip") -> None:
    """As a restore does that leaves the status out."""
    patch = json.dumps([{"op": "replace", "path": "/status", "value": {"observedGeneration": -1}}])
    words = ["patch", "videogeneration", name, "--subresource=status", "--type=json", "--patch", patch]
    site.stack.plane.kubectl(*words, "--namespace", site.namespace)


def rotate_key(site: Site, token: str) -> None:
    """Another key in the Secret of the site's class."""
    secret = class_manifests.secret(site.stack.release.namespace, f"{site.class_name}-key", {"token": token})
    site.stack.apply(secret)


def change_class(site: Site, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the class's spec with kubectl."""
    found = site.stack.read_class(site.class_name)
    assert found is not None
    change(found["spec"])
    kept = {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": {"name": site.class_name}}
    site.stack.apply({**kept, "spec": found["spec"]})


def _class_names(stack: Stack) -> set[str]:
    return set(stack.plane.kubectl("get", "videogenerationclasses", "--output", "name").stdout.split())
