"""A pod of the chart's Deployment as a process of this machine."""

import os
import secrets
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from podrunner import container as containers
from podrunner import volumes
from podrunner.container import PodError
from podrunner.release import ROOT, Release
from provision.keeper import Keeper, last_lines
from servers.control_plane import ControlPlane
from servers.ports import free_ports

__all__ = ["Pod", "PodError"]

_NAME = "container"
_LOOK_AGAIN = 0.05


class Pod:
    """Makes the Pod in the API server as the Deployment's controller would, and runs it as a node would.

    So admission (Pod Security too) judges it, and the process has the Deployment's command, arguments, environment,
    mounts and the token of its ServiceAccount, and nothing of the caller's environment but PATH. `start` may be
    called again after the process ended: volumes stay, as they do when a container is restarted. The process and
    its folders go when the block ends or this process dies, by whatever signal.

    Inside the block: `name`, `pid` (of the last start), `environment`, `argv`, `folder`, `log_path`, `url`.
    """

    name: str
    pid: int
    argv: list[str]
    environment: dict[str, str]
    folder: Path
    log_path: Path
    url: str

    def __init__(
        self, plane: ControlPlane, release: Release, *, name: str | None = None, token_seconds: int = 3600
    ) -> None:
        self._plane = plane
        self._release = release
        self._token_seconds = token_seconds
        self._token: volumes.Token | None = None
        self.name = name or f"{release.deployment['metadata']['name']}-{secrets.token_hex(3)}"

    def __enter__(self) -> Self:
        self._keeper = Keeper("videogen-pod")
        self.folder = self._keeper.directory
        try:
            self._prepare(self._create())
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def start(self) -> Self:
        """Start the container's process; its output is added to the log."""
        self.pid = self._keeper.start(
            _NAME, self.argv, env=self.environment, inherit=False, cwd=self.folder / "root", log=self.log_path
        )
        return self

    def wait_ready(self, timeout: float = 60.0) -> Self:
        """Wait until the container's readiness probe succeeds. Raises PodError when it ends or takes too long."""
        until = time.monotonic() + timeout
        while (answer := self._probe("readinessProbe"))[0] != "ok":
            if (code := self.exit_code()) is not None:
                raise PodError(f"the pod ended (exit code {code}). Last lines of its log:\n{last_lines(self.log_path)}")
            if time.monotonic() > until:
                raise PodError(f"not ready: {answer[1]}. Last lines of its log:\n{last_lines(self.log_path)}")
            time.sleep(_LOOK_AGAIN)
        return self

    def is_live(self) -> bool:
        """Whether the liveness probe succeeds."""
        return self._probe("livenessProbe")[0] == "ok"

    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._keeper.poll(_NAME)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self._keeper.stop(_NAME, grace=0)

    def terminate(self, timeout: float | None = None) -> int:
        """SIGTERM, then SIGKILL after `timeout` (by default the pod's grace period); the exit code."""
        return self._keeper.stop(_NAME, grace=self.grace if timeout is None else timeout)

    def signal_stop(self) -> None:
        """SIGTERM, without waiting."""
        os.kill(self.pid, signal.SIGTERM)

    def wait_end(self, timeout: float) -> int:
        """Wait for the end and return the exit code. Raises PodError when it still runs after `timeout`."""
        if (code := self._keeper.wait(_NAME, timeout)) is None:
            raise PodError(f"the pod still runs after {timeout:g} s")
        return code

    def pause(self) -> None:
        """SIGSTOP: it holds its connections and does nothing, as on a node that has lost its processor."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def logs(self) -> str:
        """Everything it wrote, over all starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def grace(self) -> float:
        """The pod's grace period in seconds."""
        return float(self._pod["spec"].get("terminationGracePeriodSeconds", 30))

    def _create(self) -> dict[str, Any]:
        template = self._release.deployment["spec"]["template"]
        metadata = {**template["metadata"], "name": self.name, "namespace": self._release.namespace}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        return self._plane.client.post(f"/api/v1/namespaces/{self._release.namespace}/pods", body)

    def _prepare(self, pod: dict[str, Any]) -> None:
        self._pod = pod
        self._container = containers.only_container(pod)
        self.log_path = self.folder / "container.log"
        (self.folder / "root").mkdir(mode=0o500)
        mounts = volumes.make(pod, self._container, self.folder / "volumes")
        self._ports = self._own_ports()
        self.argv = containers.argv(self._container, mounts)
        self.environment = {
            **self._image_and_machine(mounts),
            **containers.environment(pod, mounts, self._ports),
            **self._credentials(),
        }
        self.url = f"http://127.0.0.1:{self._local_port('http')}"

    def _own_ports(self) -> dict[int, int]:
        # A pod has a network namespace for itself, so two of one Deployment have the same port; two processes cannot.
        named = containers.container_ports(self._container).values()
        return dict(zip(named, free_ports(len(named)), strict=True))

    def _image_and_machine(self, mounts: containers.Mounts) -> dict[str, str]:
        server = urlsplit(self._plane.url)
        programs = Path(sys.executable).parent  # not resolved: the folder of the virtual environment
        return {
            **containers.image_environment(ROOT / "Dockerfile"),
            "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": str(ROOT / "operator"),
            "HOME": str(self.folder / "root"),
            "HOSTNAME": self.name,
            # Where a program looks for /tmp by itself.
            "TMPDIR": mounts.local("/tmp") if mounts.covers("/tmp") else str(self.folder / "root"),  # noqa: S108
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(server.port),
        }

    def _credentials(self) -> dict[str, str]:
        """Where the token is: the fixed path in a pod is nobody's to write here."""
        folder = self.folder / "serviceaccount"
        if volumes.wants_token(self._plane, self._pod):
            self._token = volumes.Token(self._plane, self._pod, folder, seconds=self._token_seconds)
        return {"VIDEOGEN_SERVICE_ACCOUNT_DIR": str(folder)}

    def _probe(self, kind: str) -> tuple[str, str]:
        probe = self._container[kind]["httpGet"]
        address = f"http://127.0.0.1:{self._local_port(probe['port'])}{probe['path']}"
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                return "ok", answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            with error:
                return "refused", f"{error.code} {error.read().decode(errors='replace').strip()}"
        except OSError as error:
            return "no answer", f"{address}: {error}"

    def _local_port(self, port: str | int) -> int:
        number = port if isinstance(port, int) else containers.container_ports(self._container)[port]
        return self._ports[number]

    def _leave(self) -> None:
        if self._token is not None:
            self._token.stop()
        self._keeper.close()
