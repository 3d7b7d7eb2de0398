"""Everything on real parts: API server, bucket, simulator, the installed chart, and pods of the operator."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import class_manifests
from podrunner.pod import Pod
from podrunner.release import Release, install
from provision.keeper import last_lines
from servers.api_client import ApiError
from servers.control_plane import ControlPlane
from servers.s3 import S3Server
from simulator_process import SimulatorProcess

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Object = dict[str, Any]
Stage = Callable[[str], AbstractContextManager[None]]

BUCKET_SECRET = "rehearsal-bucket"  # noqa: S105  # a name
_GROUP = "/apis/videogen.dev/v1alpha1"
_LOOK_AGAIN = 0.1


class StackError(RuntimeError):
    """Something that was waited for did not happen."""


@contextmanager
def _silently(_what: str) -> Iterator[None]:
    yield


class Stack:
    """Starts the parts side by side and installs the chart; pods are started by `start_operator` or `pod`.

    `settings` are the chart's `settings` (the operator's timings, for one), `values` further values of the chart,
    `simulator` options of its command line. `stage` is entered around each step, with its name.
    It all goes when the block ends or this process dies.

    Inside the block: `plane`, `s3`, `simulator`, `release`, and `operator` once it was started.
    """

    plane: ControlPlane
    s3: S3Server
    simulator: SimulatorProcess
    release: Release
    operator: Pod

    def __init__(
        self,
        *,
        settings: Mapping[str, object] | None = None,
        values: Mapping[str, object] | None = None,
        simulator: Sequence[str] = ("--time-scale", "20"),
        volumes: int | None = None,
        stage: Stage = _silently,
    ) -> None:
        self._values = {**(values or {}), "settings": {"httpHost": "127.0.0.1", **(settings or {})}}
        self.plane = ControlPlane()
        self.s3 = S3Server(volumes=volumes)
        self.simulator = SimulatorProcess(*simulator)
        self._stage = stage
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start_servers()
            with self._stage("chart"):
                self.release = install(self.plane, self._values)
                self.apply(self._bucket_secret())
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    # ------------------------------------------------------------ the operator

    def start_operator(self) -> Pod:
        """Start the pod that the Deployment asks for, and wait until it is ready."""
        with self._stage("operator"):
            self.operator = self.pod().start().wait_ready()
        return self.operator

    def pod(self, name: str | None = None) -> Pod:
        """One more pod of the Deployment, not started; it goes with the stack."""
        return self._exits.enter_context(Pod(self.plane, self.release, name=name))

    # ------------------------------------------------------------ classes

    def class_parts(self, name: str, *, bucket: str, prefix: str | None = None) -> class_manifests.Parts:
        """A key of an account of its own at the simulator, stored in a Secret, and a bucket that exists."""
        self.simulator.add_key(f"key-{name}", name)
        self.apply(class_manifests.secret(self.release.namespace, f"{name}-key", {"token": f"key-{name}"}))
        return class_manifests.Parts(
            endpoint=self.simulator.base_url,
            key_secret=f"{name}-key",
            store_endpoint=self.s3.endpoint,
            bucket=bucket,
            bucket_secret=BUCKET_SECRET,
            prefix=prefix,
        )

    def _bucket_secret(self) -> Object:
        keys = {"accessKeyID": self.s3.access_key, "secretAccessKey": self.s3.secret_key}
        return class_manifests.secret(self.release.namespace, BUCKET_SECRET, keys)

    # ------------------------------------------------------------ objects

    def apply(self, *manifests: Mapping[str, Any] | str, namespace: str | None = None) -> str:
        """`kubectl apply`; what it said. Raises ControlPlaneError with the API server's refusal."""
        texts = [text if isinstance(text, str) else json.dumps(text) for text in manifests]
        where = ["--namespace", namespace] if namespace else []
        return self.plane.kubectl("apply", *where, "--filename", "-", input="\n---\n".join(texts)).stdout

    def delete(self, namespace: str, name: str) -> None:
        """`kubectl delete` of a VideoGeneration, until it is gone."""
        self.plane.kubectl("delete", "videogeneration", name, "--namespace", namespace)

    def read(self, namespace: str, name: str) -> Object | None:
        """A VideoGeneration as the API server has it; None when there is none."""
        return self._get(f"{_GROUP}/namespaces/{namespace}/videogenerations/{name}")

    def read_class(self, name: str) -> Object | None:
        """A class as the API server has it; None when there is none."""
        return self._get(f"{_GROUP}/videogenerationclasses/{name}")

    def list(self, namespace: str) -> Sequence[Object]:
        """Every VideoGeneration of a namespace."""
        found = self._get(f"{_GROUP}/namespaces/{namespace}/videogenerations")
        return found["items"] if found else []

    def events(self, namespace: str, name: str) -> Sequence[Object]:
        """The events about an object, oldest first."""
        found = self._get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
        about = [one for one in found["items"] if one["regarding"].get("name") == name] if found else []
        return sorted(about, key=lambda one: str(one.get("eventTime")))

    def wait(self, namespace: str, name: str, until: Callable[[Object], object], *, timeout: float = 60.0) -> Object:
        """Read an object until `until` says yes. Raises StackError with its status when that takes too long."""
        return self._wait(lambda: self.read(namespace, name), until, f"{namespace}/{name}", timeout)

    def wait_class(self, name: str, until: Callable[[Object], object], *, timeout: float = 60.0) -> Object:
        """The same for a class."""
        return self._wait(lambda: self.read_class(name), until, f"class {name}", timeout)

    # ------------------------------------------------------------ evidence

    def audit(self, user: str | None = None, *, verbs: Sequence[str] = ()) -> Sequence[Object]:
        """The requests that were answered so far: all, or those of one user and with one of some verbs."""
        return [
            event
            for event in self.plane.audit_events()
            if (user is None or event["user"]["username"] == user) and (not verbs or event["verb"] in verbs)
        ]

    def keys(self, bucket: str, prefix: str = "") -> Sequence[str]:
        """The keys in a bucket, sorted."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))

    def bytes_of(self, bucket: str, key: str) -> bytes:
        """The bytes of an object in the bucket."""
        return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()

    @cached_property
    def _client(self) -> "S3Client":
        """One for all looks: each new one parses the service's description again."""
        return self.s3.client()

    def _wait(
        self, read: Callable[[], Object | None], until: Callable[[Object], object], what: str, timeout: float
    ) -> Object:
        end = time.monotonic() + timeout
        while (found := read()) is None or not until(found):
            if time.monotonic() > end:
                status = json.dumps(found.get("status", {}), indent=1) if found else "it does not exist"
                raise StackError(f"{what} after {timeout:g} s: {status}\n{self._operator_log()}")
            time.sleep(_LOOK_AGAIN)
        return found

    def _operator_log(self) -> str:
        return f"The operator's last lines:\n{last_lines(self.operator.log_path)}" if hasattr(self, "operator") else ""

    def _get(self, path: str) -> Object | None:
        try:
            found: Object = json.loads(self.plane.client.get(path))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    def _start_servers(self) -> None:
        parts: list[tuple[str, AbstractContextManager[object]]] = [
            ("API server", self.plane),
            ("bucket", self.s3),
            ("simulator", self.simulator),
        ]
        with ThreadPoolExecutor(len(parts)) as threads:
            starts = [threads.submit(self._start_one, name, part) for name, part in parts]
        for start in starts:
            start.result()

    def _start_one(self, name: str, part: AbstractContextManager[object]) -> None:
        with self._stage(name):
            part.__enter__()
        self._exits.push(part)
