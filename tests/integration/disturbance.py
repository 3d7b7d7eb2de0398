"""What the tests of crashes, rivals and outages share: an operator with short times, orders, evidence.

`Rig` puts the session's own operator to rest, since two would share the work, and installs the chart with shorter
times.
"""

import copy
import dataclasses
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import class_manifests
from integration.harness import FAST, Site, make_site, posts_of
from podrunner.pod import Pod
from podrunner.release import ROOT, Release, install
from servers.api_client import ApiError
from stack import Object, Stack

QUICK: Mapping[str, object] = {
    **FAST,
    "intentFreshSeconds": 5,
    "unknownGraceSeconds": 1,
    "unclaimedSeconds": 4,
    "heldRecheckSeconds": 1,
    "copyTroubleSeconds": 2,
}
DOUBT_SECONDS = 31  # the shortest submitTimeoutSeconds that a class may have, and the grace above
SHORTEST_SUBMIT = {"provider": {"openAIVideos": {"submitTimeoutSeconds": 30}}}
_LOOK_AGAIN = 0.05


class Rig:
    """The session's stack, with pods of a release that has the chart's `settings` of this file."""

    def __init__(self, stack: Stack, **settings: object) -> None:
        self.stack = stack
        self._settings = {**QUICK, **settings}
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        if hasattr(self.stack, "operator") and self.stack.operator.exit_code() is None:
            self.stack.operator.kill()
        _compile()
        self.release: Release = install(self.stack.plane, {"settings": {"httpHost": "127.0.0.1", **self._settings}})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()
        self.stack.simulator.disarm()
        self.stack.simulator.release()

    def pod(self, release: Release | None = None) -> Pod:
        """One more pod of the Deployment, not started; it goes with the rig."""
        return self._exits.enter_context(Pod(self.stack.plane, release or self.release))

    def site(self, changes: Mapping[str, Any] | None = None) -> Site:
        """A site whose orders are in doubt for as short as the API allows."""
        return make_site(self.stack, class_manifests.merged(SHORTEST_SUBMIT, changes or {}))


@dataclass(frozen=True, slots=True)
class Order:
    """One VideoGeneration of a site. Its prompt holds its name in brackets, so that no other prompt contains it."""

    site: Site
    name: str
    prompt: str

    @property
    def key(self) -> str:
        """`namespace/name`, as log lines and reservations have it."""
        return f"{self.site.namespace}/{self.name}"

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    @property
    def status(self) -> dict[str, Any]:
        return dict((self.site.read(self.name) or {}).get("status", {}))

    def posts(self) -> Sequence[dict[str, Any]]:
        """The POSTs that the simulator met for it."""
        return posts_of(self.site.stack, self.prompt)

    def tasks(self) -> Sequence[dict[str, Any]]:
        """The tasks that it made for it."""
        mine = hashlib.sha256(self.prompt.encode()).hexdigest()
        return [task for task in self.site.tasks() if task["request"]["prompt_sha256"] == mine]

    def files(self) -> Sequence[str]:
        """The files in its folder of the bucket, without the folder's name."""
        folder = self.site.folder(self.name)
        return [key.removeprefix(folder) for key in self.site.stack.keys(self.site.bucket, folder)]

    def content(self, file: str) -> bytes:
        """The bytes of a file in its folder."""
        return self.site.stack.bytes_of(self.site.bucket, self.site.folder(self.name) + file)

    def document(self, file: str) -> dict[str, Any]:
        """A file of the ledger."""
        found: dict[str, Any] = json.loads(self.content(file))
        return found

    def answer(self, text: str) -> None:
        """A person's answer to an unknown outcome."""
        annotation = f"videogen.dev/resolve={text}"
        where = ("--namespace", self.site.namespace, "--overwrite")
        self.site.stack.plane.kubectl("annotate", "videogeneration", self.name, *where, annotation)

    def gone(self) -> None:
        """Delete it."""
        self.site.delete(self.name)


def changed(release: Release, **variables: str) -> Release:
    """The release as if its Deployment had other environment variables."""
    deployment = copy.deepcopy(dict(release.deployment))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    kept = [entry for entry in container["env"] if entry["name"] not in variables]
    container["env"] = [*kept, *({"name": name, "value": value} for name, value in variables.items())]
    return dataclasses.replace(release, deployment=deployment)


def order(site: Site, name: str, markers: str = "", **spec: Any) -> Order:
    """Make one; `markers` are the simulator's, by which it rehearses what is to happen."""
    prompt = prompt_of(site, name, markers)
    path = f"/apis/videogen.dev/v1alpha1/namespaces/{site.namespace}/videogenerations"
    site.stack.plane.client.post(path, site.manifest(name, prompt=prompt, **spec))
    return Order(site, name, prompt)


def prompt_of(site: Site, name: str, markers: str = "") -> str:
    """The prompt of an order, which no other order's prompt contains."""
    return f"{markers} a pier in the rain, take ({site.class_name}/{name})".strip()


def assert_one_of_each(one: Order, *, possible: str = "0.00") -> None:
    """One POST, one task, one stored video, one result, one price: in the simulator's ledger and in the bucket.

    `possible`: what an attempt may have cost that a person gave up for another one.
    """
    assert len(one.posts()) == 1, one.posts()
    assert_stored(one, possible=possible)


def assert_stored(one: Order, *, possible: str = "0.00") -> None:
    """The one task that it made is the one that is stored, whole."""
    (task,) = one.tasks()
    status, stored = one.status, one.content(f"{one.name}.mp4")
    assert status["phase"] == "Succeeded"
    assert [file for file in one.files() if file.endswith(".mp4")] == [f"{one.name}.mp4"]
    assert one.document("result.json")["taskID"] == status["taskID"] == task["id"]
    assert hashlib.sha256(stored).hexdigest() == status["output"]["sha256"] == task["content_sha256"]
    assert (status["cost"]["billedUSD"], status["cost"]["possibleUSD"]) == ("0.30", possible)


def until(check: Callable[[], object], what: str, timeout: float = 60.0) -> None:
    """Wait until something holds. An API server that is away holds nothing."""
    end = time.monotonic() + timeout
    while not _holds(check):
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        time.sleep(_LOOK_AGAIN)


def until_phase(orders: Iterable[Order], *phases: str, timeout: float = 90.0) -> None:
    """Wait until every order is in one of some phases."""
    wanted = list(orders)

    def there() -> bool:
        return not waiting()

    def waiting() -> list[str]:
        return [f"{one.name}: {one.phase or 'not seen'}" for one in wanted if one.phase not in phases]

    end = time.monotonic() + timeout
    while not _holds(there):
        if time.monotonic() > end:
            raise AssertionError(f"not {' or '.join(phases)} within {timeout:g} s: {', '.join(waiting())}")
        time.sleep(_LOOK_AGAIN * 4)


def reservations(site: Site) -> list[str]:
    """The entries of the site's class."""
    return [entry["attempt"] for entry in _class_status(site).get("reservations", [])]


def until_settled(site: Site, *kept: str, timeout: float = 30.0) -> None:
    """Wait until no attempt of the class is open any more, but for `kept`, whose outcome nobody knows."""
    try:
        until(lambda: sorted(reservations(site)) == sorted(kept), "", timeout)
    except AssertionError:
        raise AssertionError(f"reserved in {site.class_name}: {reservations(site)} instead of {kept}") from None


def class_condition(site: Site, kind: str) -> dict[str, Any]:
    """A condition of the site's class; empty when it is not there."""
    listed = _class_status(site).get("conditions", [])
    return next((dict(one) for one in listed if one["type"] == kind), {})


def until_class_ready(site: Site, timeout: float = 60.0) -> None:
    """Wait until the class takes orders: its bucket is probed at length the first time."""
    until(lambda: class_condition(site, "Ready").get("status") == "True", f"class {site.class_name} ready", timeout)


def most_at_once(tasks: Iterable[Mapping[str, Any]]) -> int:
    """The most tasks that were open at one moment, by the simulator's own times."""
    moments = []
    for task in tasks:
        end = task["completed_at"] or task["failed_at"] or float("inf")
        moments += [(task["created_at"], 1), (end, -1)]
    most = open_now = 0
    for _, change in sorted(moments):
        open_now += change
        most = max(most, open_now)
    return most


def object_path(site: Site, name: str) -> str:
    """The path of a file in the bucket as a path-style request has it, without the query."""
    return f"/{site.bucket}/{quote(site.folder(name))}"


def _class_status(site: Site) -> Object:
    return dict((site.stack.read_class(site.class_name) or {}).get("status", {}))


def _holds(check: Callable[[], object]) -> bool:
    try:
        return bool(check())
    except (OSError, ApiError):
        return False


def _compile() -> None:
    """Import once with bytecode written: pods write none, and would compile all of it at each of many starts."""
    environment = {"PYTHONPATH": str(ROOT / "operator"), "PATH": ""}
    subprocess.run([sys.executable, "-c", "import videogen_operator.__main__"], env=environment, check=True)
