"""One stack for a test session, and a place of its own in it for each test.

`stack` has the servers and the installed chart, `operator` is its running pod, `site` is a namespace with a class,
an account at the simulator and a prefix in the bucket that no other test uses; `new_site` makes more of them, with
other classes. What is asserted comes from the simulator's ledger, the audit log and the bucket.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

import class_manifests
from podrunner.pod import Pod
from stack import Object, Stack

BUCKET = "videos"
TIME_SCALE = 60  # a video of 720p takes 1 to 1.5 s
# The operator's timings, shortened as the gateway's are; none is a limit that money rests on.
FAST: Mapping[str, object] = {
    "earlyPollSeconds": 0.5,
    "walkSeconds": 2,
    "settleSeconds": 0.5,
    "retryBaseSeconds": 0.2,
    "contentRetrySeconds": 0.2,
    "probeSeconds": 1,
    "slowPollSeconds": 1,
    "storageRecheckSeconds": 3,
    "heldRecheckSeconds": 2,
}
_numbers = itertools.count(1)


def condition(found: Object, kind: str) -> dict[str, str]:
    """One condition of an object, empty when it has none of that type."""
    all_of_them = found.get("status", {}).get("conditions", ())
    return next((dict(one) for one in all_of_them if one["type"] == kind), {})


def _says_stored(found: Object) -> bool:
    """Whether the status shows the video of the revision that spec asks for."""
    status = found.get("status", {})
    return bool(status.get("phase") == "Succeeded" and status["output"]["revision"] == found["spec"]["revision"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A namespace, a class, an account at the simulator (named as the class) and a prefix in the bucket."""

    stack: Stack
    namespace: str
    class_name: str
    bucket: str
    prefix: str

    def manifest(self, name: str = "clip", /, **spec: Any) -> Object:
        """A VideoGeneration of 4 seconds in 720p; `spec` replaces or adds fields, None takes one away."""
        usual = {
            "classRef": {"name": self.class_name},
            "model": "fast",
            "prompt": f"a lighthouse, {name}",
            "tier": "720p",
            "aspectRatio": "16:9",
            "durationSeconds": 4,
        }
        return {
            "apiVersion": "videogen.dev/v1alpha1",
            "kind": "VideoGeneration",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": class_manifests.merged(usual, spec),
        }

    def order(self, name: str = "clip", /, **spec: Any) -> None:
        """Apply such a manifest with kubectl."""
        self.stack.apply(self.manifest(name, **spec))

    def read(self, name: str = "clip") -> Object | None:
        """The object as the API server has it."""
        return self.stack.read(self.namespace, name)

    def delete(self, name: str = "clip") -> None:
        """`kubectl delete`, until it is gone."""
        self.stack.delete(self.namespace, name)

    def wait(self, until: Callable[[Object], object], name: str = "clip", *, timeout: float = 60.0) -> Object:
        """Read the object until `until` says yes. Raises StackError."""
        return self.stack.wait(self.namespace, name, until, timeout=timeout)

    def wait_phase(self, *phases: str, name: str = "clip", timeout: float = 60.0) -> Object:
        """Wait for one of some phases; the object."""
        return self.wait(lambda found: found.get("status", {}).get("phase") in phases, name, timeout=timeout)

    def wait_reason(self, reason: str, kind: str = "Ready", name: str = "clip", *, timeout: float = 60.0) -> Object:
        """Wait until a condition has a reason; the object."""
        return self.wait(lambda found: condition(found, kind).get("reason") == reason, name, timeout=timeout)

    def stored(self, name: str = "clip", *, timeout: float = 60.0) -> Object:
        """Wait until the video of the revision that is asked for is stored; the object's status.

        The status says when to look. What is there to see is the bucket's bytes, and they must be what the simulator
        made of this object's prompt.
        """
        found = self.wait(_says_stored, name, timeout=timeout)
        spec, status = found["spec"], found["status"]
        video, (task,) = self.video(name, spec["revision"]), self.stack.simulator.ledger(task=status["taskID"])["tasks"]
        seen = {"sha256": hashlib.sha256(video).hexdigest(), "sizeBytes": len(video)}
        made = {"sha256": task["content_sha256"], "sizeBytes": task["content_bytes"]}
        told = {key: status["output"][key] for key in seen}
        assert seen == made == told, f"stored: {seen}, made by the gateway: {made}, said by the status: {told}"
        assert task["account"] == self.class_name
        assert task["request"]["prompt_sha256"] == hashlib.sha256(spec["prompt"].encode()).hexdigest()
        return dict(status)

    def folder(self, name: str = "clip", revision: int = 1) -> str:
        """Where a revision lies in the bucket."""
        return f"{self.prefix}{self.namespace}/{name}/r{revision}/"

    def keys(self) -> Sequence[str]:
        """Every key below the site's prefix."""
        return self.stack.keys(self.bucket, self.prefix)

    def video(self, name: str = "clip", revision: int = 1) -> bytes:
        """The stored bytes."""
        return self.stack.bytes_of(self.bucket, f"{self.folder(name, revision)}{name}.mp4")

    def posts(self) -> Sequence[dict[str, Any]]:
        """Every submission that the simulator met from this site's account."""
        return list(self.stack.simulator.ledger(account=self.class_name)["posts"])

    def tasks(self) -> Sequence[dict[str, Any]]:
        """Every task that it made for this site's account."""
        return list(self.stack.simulator.ledger(account=self.class_name)["tasks"])

    def only_task(self) -> dict[str, Any]:
        """The task, when there must be one."""
        (task,) = self.tasks()
        return task


def make_site(
    stack: Stack, changes: Mapping[str, Any] | None = None, *, bucket: str = BUCKET, prefix: str | None = None
) -> Site:
    """A site whose class has `changes` in its spec."""
    site = site_without_class(stack, bucket=bucket, prefix=prefix)
    make_class(site, changes)
    return site


def site_without_class(stack: Stack, *, bucket: str = BUCKET, prefix: str | None = None) -> Site:
    """A site whose orders name a class that is not there before `make_class`."""
    number = next(_numbers)
    inside = prefix if prefix is not None else f"site-{number}/"
    namespace = stack.plane.namespace("site")
    return Site(stack=stack, namespace=namespace, class_name=f"class-{number}", bucket=bucket, prefix=inside)


def make_class(site: Site, changes: Mapping[str, Any] | None = None) -> None:
    """The site's class, with `changes` in its spec (maps merged, lists replaced, None removes)."""
    parts = site.stack.class_parts(site.class_name, bucket=site.bucket, prefix=site.prefix)
    fast = {"tiers": fast_tiers()}
    manifest = class_manifests.rehearsal_class(site.class_name, parts, class_manifests.merged(fast, changes or {}))
    site.stack.apply(manifest)


def posts_of(stack: Stack, prompt: str) -> Sequence[dict[str, Any]]:
    """Every submission of a prompt that the simulator met, from whatever account."""
    digest = hashlib.sha256(prompt.encode()).hexdigest()
    return [post for post in stack.simulator.ledger()["posts"] if post["prompt_sha256"] == digest]


def open_to_readers(stack: Stack, bucket: str) -> None:
    """Let everyone get the bucket's objects, so that the URL of a video can be fetched."""
    read = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": [f"arn:aws:s3:::{bucket}/*"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [read]})
    stack.s3.client().put_bucket_policy(Bucket=bucket, Policy=policy)


def fast_tiers() -> Sequence[dict[str, Any]]:
    """The rehearsal class's tiers, asked about earlier, since the session's simulator is faster."""
    example = yaml.safe_load(class_manifests.EXAMPLE.read_text())
    return [{**tier, "firstPollSeconds": 1} for tier in example["spec"]["tiers"]]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Servers, bucket `videos` and the installed chart; no pod runs unless `operator` is asked for."""
    with Stack(settings=FAST, simulator=("--time-scale", str(TIME_SCALE))) as whole:
        whole.s3.make_bucket(BUCKET)
        yield whole


@pytest.fixture(scope="session")
def session_pod(stack: Stack) -> Pod:
    """The pod that `operator` hands to each test."""
    return stack.start_operator()


@pytest.fixture
def operator(stack: Stack, session_pod: Pod) -> Iterator[Pod]:
    """The running operator. A test may kill, stop or pause it: the next one finds it running again."""
    if session_pod.exit_code() is not None:
        session_pod.start()
    yield session_pod.wait_ready()
    if session_pod.exit_code() is None:
        session_pod.resume()
    stack.simulator.disarm()
    stack.simulator.release()


@pytest.fixture
def site(stack: Stack) -> Site:
    """A place for this test alone, with the rehearsal class."""
    return make_site(stack)


@pytest.fixture
def new_site(stack: Stack) -> Callable[..., Site]:
    """`new_site(changes_of_the_class, bucket=..., prefix=...)`, as `make_site`."""
    return lambda changes=None, **where: make_site(stack, changes, **where)
