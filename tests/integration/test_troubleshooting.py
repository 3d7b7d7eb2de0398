"""`docs/troubleshooting.md` shows what kubectl really shows: every mistake on it is made here and compared.

To write the page's blocks anew after a change:
`python3 hack/bootstrap.py python controlplane helm -- python tests/integration/test_troubleshooting.py`.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from class_manifests import EXAMPLE, merged, rehearsal_class, secret
from fakes.raw_server import RawServer
from provision import binaries
from stack import Stack

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
BLOCK = re.compile(r"(<!-- shown: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
NAMESPACE = "default"
READY = "kubectl get vgen {name} -o jsonpath='{{.status.conditions[?(@.type==\"Ready\")].message}}'"
CONDITIONS = (
    "kubectl get vgclass {name} -o jsonpath='"
    '{{range .status.conditions[?(@.status!="True")]}}{{.type}}={{.status}} {{.reason}}: {{.message}}{{"\\n"}}{{end}}\''
)
EVENTS = "kubectl describe vgen {name} | sed -n '/^Events/,$p'"

pytestmark = pytest.mark.timeout(600)  # all cases are performed before the first comparison

Object = Mapping[str, Any]


class Desk:
    """Somebody with kubectl in an empty folder; keeps what the page shows of it."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.shown: list[str] = []
        self._folder = folder
        path = f"{binaries.find()}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**stack.plane.environment(), "PATH": path}

    def file(self, name: str, text: str, *, show: bool = True) -> None:
        """A manifest, ready to apply."""
        (self._folder / name).write_text(text)
        if show:
            self.shown.append(f"```yaml\n{text}```\n")

    def order(self, name: str, *, show: tuple[str, ...] = (), **spec: object) -> str:
        """Write `<name>.yaml`, showing the lines of these fields only; its name."""
        manifest = an_order(name, **spec)
        self.file(f"{name}.yaml", json.dumps(manifest), show=False)
        if show:
            lines = [f"  {field}: {json.dumps(manifest['spec'][field])}" for field in show]
            self.shown.append("\n".join(["```yaml", "spec:", *lines, "```", ""]))
        return name

    def type(self, *commands: str) -> None:
        """Commands of a shell and what they say, as one block."""
        self.shown.append("```\n" + "".join(f"$ {one}\n{self.say(one)}" for one in commands) + "```\n")

    def quietly(self, command: str) -> None:
        """A command that the page does not show."""
        self.say(command)

    def say(self, command: str) -> str:
        """What a command says."""
        ran = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return ran.stdout if not ran.stdout or ran.stdout.endswith("\n") else f"{ran.stdout}\n"

    def wait(self, name: str, reason: str) -> None:
        """Until the object shows this reason."""
        self.stack.wait(NAMESPACE, name, lambda found: ready(found)["reason"] == reason)

    def wait_class(self, name: str, reason: str) -> None:
        """Until the class shows this reason."""
        self.stack.wait_class(name, lambda found: ready(found)["reason"] == reason)

    def offer(self, name: str, changes: Object | None = None, *, bucket: str | None = None) -> None:
        """A class like the one of the examples, with an account and a prefix of its own."""
        parts = self.stack.class_parts(name, bucket=bucket or "videos", prefix=f"{name}/")
        self.stack.apply(rehearsal_class(name, parts, changes))


def ready(found: Object) -> Object:
    conditions = found.get("status", {}).get("conditions", ())
    return next((one for one in conditions if one["type"] == "Ready"), {"reason": ""})


def an_order(name: str, **spec: object) -> dict[str, Any]:
    wanted = {"classRef": {"name": "veo"}, "model": "fast", "prompt": "a cat", "tier": "1080p",
              "aspectRatio": "16:9", "durationSeconds": 8, "maxCostUSD": "0.30"}  # fmt: skip
    body = {"apiVersion": "videogen.dev/v1alpha1", "kind": "VideoGeneration", "metadata": {"name": name}}
    return {**body, "spec": merged(wanted, spec)}


# ---------------------------------------------------------------- the mistakes


def wrong_pair(desk: Desk) -> None:
    desk.order("lighthouse", durationSeconds=4, show=("tier", "durationSeconds"))
    desk.type("kubectl apply -f lighthouse.yaml")


def unknown_model(desk: Desk) -> None:
    desk.order("lighthouse", model="veo-4", show=("model",))
    desk.type("kubectl apply -f lighthouse.yaml")


def price_above_max(desk: Desk) -> None:
    desk.order("lighthouse", model="standard", show=("model", "maxCostUSD"))
    desk.type("kubectl apply -f lighthouse.yaml")


def missing_class(desk: Desk) -> None:
    name = desk.order("early-bird", classRef={"name": "sora"}, show=("classRef",))
    desk.quietly(f"kubectl apply -f {name}.yaml")
    desk.wait(name, "ClassNotFound")
    desk.type(f"kubectl get vgen {name}", READY.format(name=name))


def offered_later(desk: Desk) -> None:
    """The class comes after the object, and does not make that length."""
    name = desk.order("early-bird-4s", classRef={"name": "late"}, durationSeconds=4)
    desk.quietly(f"kubectl apply -f {name}.yaml")
    desk.wait(name, "ClassNotFound")
    desk.offer("late")
    desk.wait(name, "DurationNotOffered")
    desk.type(f"kubectl get vgen {name}", READY.format(name=name))


def wrong_key(desk: Desk) -> None:
    desk.offer("wrong-key")
    desk.stack.apply(secret(desk.stack.release.namespace, "wrong-key-key", {"token": "sk-nobody-knows-this-one"}))
    desk.wait_class("wrong-key", "CredentialsRejected")
    desk.type("kubectl get vgclass wrong-key", CONDITIONS.format(name="wrong-key"))
    name = desk.order("waits-for-key", classRef={"name": "wrong-key"})
    desk.quietly(f"kubectl apply -f {name}.yaml")
    desk.wait(name, "BreakerOpen")
    desk.type(f"kubectl get vgen {name}", READY.format(name=name))


def missing_secret(desk: Desk) -> None:
    desk.offer("no-secret", {"provider": {"openAIVideos": {"apiKeySecretRef": {"name": "video-api-kye"}}}})
    desk.wait_class("no-secret", "SecretNotFound")
    desk.type("kubectl get vgclass no-secret", CONDITIONS.format(name="no-secret"))


def wrong_group(desk: Desk) -> None:
    """A key that the gateway knows, of a mode or group that may not use the model."""
    with forbidding() as endpoint:
        desk.offer("wrong-group", {"provider": {"openAIVideos": {"endpoints": [endpoint]}}})
        desk.wait_class("wrong-group", "Ready")
        name = desk.order("waits-for-group", classRef={"name": "wrong-group"})
        desk.quietly(f"kubectl apply -f {name}.yaml")
        desk.wait(name, "ModelUnavailable")
        desk.stack.wait_class("wrong-group", lambda found: "ModelUnavailable" in json.dumps(found["status"]))
        desk.type(f"kubectl get vgen {name}", READY.format(name=name))
        desk.type(CONDITIONS.format(name="wrong-group"))
        desk.quietly(f"kubectl delete vgen {name}; kubectl delete vgclass wrong-group")


def no_balance(desk: Desk) -> None:
    desk.offer("no-balance")
    desk.wait_class("no-balance", "Ready")
    name = desk.order("waits-for-money", classRef={"name": "no-balance"}, prompt="a cat [[sim:no-balance]]")
    desk.quietly(f"kubectl apply -f {name}.yaml")
    desk.wait_class("no-balance", "InsufficientBalance")
    desk.wait(name, "BreakerOpen")
    desk.type(CONDITIONS.format(name="no-balance"))
    desk.type(f"kubectl get vgen {name}", READY.format(name=name))


def missing_bucket(desk: Desk) -> None:
    desk.offer("no-bucket", bucket="vidoes")
    desk.wait_class("no-bucket", "BucketNotFound")
    desk.type("kubectl get vgclass no-bucket", CONDITIONS.format(name="no-bucket"))
    name = desk.order("waits-for-bucket", classRef={"name": "no-bucket"})
    desk.quietly(f"kubectl apply -f {name}.yaml")
    desk.wait(name, "LedgerUnavailable")
    desk.type(f"kubectl get vgen {name}", READY.format(name=name))


def held(desk: Desk) -> None:
    name = desk.order("lost-answer", prompt="a cat [[sim:answer-lost]]")
    desk.quietly(f"kubectl apply -f {name}.yaml")
    desk.wait(name, "SubmissionOutcomeUnknown")
    desk.stack.wait(NAMESPACE, name, lambda found: found["status"]["phase"] == "Held")
    desk.type(f"kubectl get vgen {name}", READY.format(name=name))
    desk.type(f"kubectl get vgen {name} -o jsonpath='{{.status.cost}}'")
    desk.stack.wait(NAMESPACE, name, lambda _: desk.stack.events(NAMESPACE, name))
    desk.type(EVENTS.format(name=name))


def answered_for_another(desk: Desk) -> None:
    """After `held`: an answer that was left behind names another attempt."""
    name = "lost-answer"
    desk.type(f"kubectl annotate vgen {name} videogen.dev/resolve=r1-a2:resubmit")
    desk.stack.wait(NAMESPACE, name, lambda found: "not taken" in ready(found)["message"])
    desk.type(READY.format(name=name))


def adopted(desk: Desk) -> None:
    """After `held`: the task is in the gateway's console, and is adopted."""
    name = "lost-answer"
    posts = desk.stack.simulator.ledger(account="veo")["posts"]
    task = next(one["task"] for one in reversed(posts) if one.get("task"))
    desk.type(f"kubectl annotate --overwrite vgen {name} videogen.dev/resolve=r1-a1:adopt={task}")
    desk.wait(name, "VideoStored")
    desk.type(f"kubectl get vgen {name}")


def refused_prompt(desk: Desk) -> None:
    name = desk.order("refused-prompt", prompt="a cat [[sim:content-policy]]")
    desk.quietly(f"kubectl apply -f {name}.yaml")
    desk.wait(name, "ContentPolicyRejected")
    desk.type(f"kubectl get vgen {name}", READY.format(name=name))


def late_task(desk: Desk) -> None:
    desk.offer("slow", {"tiers": quick_tiers()})
    name = desk.order("late-task", classRef={"name": "slow"}, prompt="a cat [[sim:endless]]")
    desk.quietly(f"kubectl apply -f {name}.yaml")
    desk.wait(name, "GenerationOverdue")
    desk.type(f"kubectl get vgen {name}", READY.format(name=name))


def locked_field(desk: Desk) -> None:
    name = desk.order("bought", prompt="a cat")
    desk.quietly(f"kubectl apply -f {name}.yaml")
    desk.wait(name, "VideoStored")
    desk.type(f'kubectl patch vgen {name} --type merge -p \'{{"spec":{{"prompt":"a dog"}}}}\'')


def changed_request(desk: Desk) -> None:
    """After `locked_field`: deleted, and made anew with another prompt."""
    name = desk.order("bought", prompt="a dog")
    desk.type(f"kubectl delete vgen {name}", f"kubectl apply -f {name}.yaml")
    desk.wait(name, "RequestChanged")
    desk.type(f"kubectl get vgen {name}", READY.format(name=name))


def clip_of_another_length(desk: Desk) -> None:
    name = desk.order("short-clip", prompt="a cat [[sim:clip-short]]")
    desk.quietly(f"kubectl apply -f {name}.yaml")
    desk.wait(name, "VideoStored")
    desk.type(f"kubectl get vgen {name}", READY.format(name=name))


CASES: Mapping[str, Callable[[Desk], None]] = {
    "wrong-pair": wrong_pair,
    "unknown-model": unknown_model,
    "price-above-max": price_above_max,
    "missing-class": missing_class,
    "offered-later": offered_later,
    "wrong-key": wrong_key,
    "missing-secret": missing_secret,
    "wrong-group": wrong_group,
    "no-balance": no_balance,
    "missing-bucket": missing_bucket,
    "held": held,
    "answered-for-another": answered_for_another,
    "adopted": adopted,
    "refused-prompt": refused_prompt,
    "late-task": late_task,
    "locked-field": locked_field,
    "changed-request": changed_request,
    "clip-of-another-length": clip_of_another_length,
}


def quick_tiers() -> list[Object]:
    """The example's tiers, late after a second."""
    tiers = yaml.safe_load(EXAMPLE.read_text())["spec"]["tiers"]
    return [{**tier, "firstPollSeconds": 0, "overdueAfterSeconds": 1} for tier in tiers]


@contextmanager
def forbidding() -> Iterator[str]:
    """A gateway that knows the key and forbids its group the model, in new-api's shape."""

    def script(connection: socket.socket, request: bytes) -> None:
        said: dict[str, object] = {"code": "task_not_exist", "message": "task_not_exist"}
        status = b"400 Bad Request"
        if request.startswith(b"POST"):
            said = {"error": {"code": "", "message": "this token may not use model veo-3.1-fast-generate-preview",
                              "type": "new_api_error"}}  # fmt: skip
            status = b"403 Forbidden"
        body = json.dumps(said).encode()
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        connection.sendall(head + body)

    with RawServer(script) as server:
        yield f"{server.url}/v1"


# ---------------------------------------------------------------- the page

_AS_ANY = (
    (re.compile(r"127\.0\.0\.1:[0-9]+"), "127.0.0.1:18080"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z"), "2026-11-22T10:40:04Z"),
    (re.compile(r"task_[A-Za-z0-9]{32}"), "task_ZsZU394wV4g8nLDeQfbPXhnou1Ycq39K"),
    (re.compile(r"(?m)(?<=\s)([0-9]+m)?[0-9]+s$"), "12s"),
    (re.compile(r"(?m)^(  (?:Normal|Warning) +\w+ +)[0-9]+s +"), r"\g<1>2s    "),
    (re.compile(r"probe/[0-9a-f]{16}/"), "probe/5f1c0a7be2d94386/"),
)


def alike(text: str) -> str:
    """Text with what differs from run to run made the same: ports, times, task IDs, ages."""
    for pattern, instead in _AS_ANY:
        text = pattern.sub(instead, text)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """What the cases showed, and what the commands of `docs/operations.md` said."""

    shown: Mapping[str, str]
    watched: Mapping[str, str]


@pytest.fixture(scope="module")
def performed() -> Performed:
    """All cases, in order, on one set of servers."""
    return perform()


def perform() -> Performed:
    settings = {"probeSeconds": 1, "earlyPollSeconds": 1, "retryBaseSeconds": 1}
    with tempfile.TemporaryDirectory(prefix="videogen-page-") as folder, _stack(settings) as stack:
        stack.s3.make_bucket("videos")
        desk = Desk(stack, Path(folder))
        stack.start_operator()
        desk.offer("veo")
        desk.wait_class("veo", "Ready")
        shown = {name: _one(desk, case) for name, case in CASES.items()}
        return Performed(shown=shown, watched={command: desk.say(command) for command in watching()})


def _stack(settings: Object) -> Stack:
    return Stack(settings=settings, simulator=("--time-scale", "100"))


def _one(desk: Desk, case: Callable[[Desk], None]) -> str:
    desk.shown.clear()
    case(desk)
    return alike("\n".join(desk.shown))


def blocks() -> dict[str, str]:
    return {name: body for _, name, body, _ in BLOCK.findall(PAGE.read_text(encoding="utf-8"))}


def test_every_mistake_is_shown_and_nothing_else_is() -> None:
    assert set(blocks()) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_the_page_shows_what_kubectl_shows(name: str, performed: Performed) -> None:
    assert blocks()[name] == f"\n{performed.shown[name]}\n"


def watching() -> list[str]:
    """The commands of `docs/operations.md` that find what needs a person."""
    page = (PAGE.parent / "operations.md").read_text(encoding="utf-8")
    block = page.partition("## What to look at")[2].split("```")[1]
    return [line.partition("#")[0].strip() for line in block.strip().splitlines()]


@pytest.mark.parametrize(
    ("number", "finds"),
    [(0, "CredentialsRejected"), (1, "No resources found"), (2, "No resources found"), (3, "GenerationOverdue")],
)
def test_what_needs_a_person_is_found(number: int, finds: str, performed: Performed) -> None:
    assert finds in performed.watched[watching()[number]]


def rewrite() -> None:
    fresh = perform().shown
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda found: f"{found[1]}\n{fresh[found[2]]}\n{found[4]}", text), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
