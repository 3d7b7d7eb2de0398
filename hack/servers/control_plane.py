"""A real etcd and kube-apiserver on free loopback ports, for as long as a `with` block lasts."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from provision import binaries, helm
from provision.keeper import Keeper
from servers import certificates, flags
from servers.api_client import ApiClient
from servers.etcd_and_apiserver import ControlPlaneError, Processes
from servers.kubeconfig import Server, for_certificate, for_token
from servers.ports import with_free_ports

__all__ = ["ControlPlane", "ControlPlaneError"]

_PORTS = 3
# Helm and kubectl take these before the home folder, so a user's own must not shine through.
_PERSONAL = ("HELM_", "XDG_", "KUBE")


class ControlPlane:
    """RBAC, PodSecurity and ValidatingAdmissionPolicy are on, the audit log is at level Metadata.

    No controllers run: a deleted namespace never goes away (take a fresh one from `namespace`), nothing
    is garbage collected, and namespaces have no `default` ServiceAccount. Everything lies in a temporary
    directory; it and the processes go when the block ends or this process dies, by whatever signal.

    Inside the block: `url` of the API server, `ca` (file of the authority that signed its certificate),
    `kubeconfig` (file, as admin), `directory` (temporary: data, logs, audit log), `pids` by program,
    `client` for a plain request.
    """

    url: str
    ca: Path
    kubeconfig: Path
    directory: Path
    pids: dict[str, int]
    client: ApiClient

    def __init__(self, *, unsafe_no_fsync: bool = True) -> None:
        self._unsafe_no_fsync = unsafe_no_fsync
        self._namespaces = 0

    def __enter__(self) -> Self:
        self._programs = binaries.find()
        with_free_ports(_PORTS, self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeper.close()

    def kubectl(
        self,
        *args: str | Path,
        input: str | None = None,  # noqa: A002  # as in subprocess.run
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the admin, blind to the user's own configuration.

        Raises ControlPlaneError with kubectl's words when it fails, unless `check` is false.
        """
        return self._run([self._programs / "kubectl", *args], input, check=check)

    def helm(self, *args: str | Path, version: int = 4, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Helm 4 or 3 as the admin, with folders of its own. Raises as `kubectl` does."""
        return self._run([helm.find(version), *args], None, check=check)

    def environment(self) -> dict[str, str]:
        """The environment of a program that should see this cluster and nothing of the user's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_PERSONAL)}
        return {**kept, "HOME": str(self.directory / "home"), "KUBECONFIG": str(self.kubeconfig)}

    def namespace(self, prefix: str = "test", *, labels: Mapping[str, str] | None = None) -> str:
        """Make a namespace whose name was never used here, and return the name."""
        self._namespaces += 1
        name = f"{prefix}-{self._namespaces}"
        metadata = {"name": name, "labels": dict(labels or {})}
        self.client.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        return name

    def token(self, namespace: str, serviceaccount: str) -> str:
        """A token of a ServiceAccount that exists, good for an hour."""
        return self.kubectl("create", "token", serviceaccount, "--namespace", namespace).stdout.strip()

    def kubeconfig_for_token(self, token: str, path: Path, namespace: str = "default") -> Path:
        """Write a kubeconfig that logs in with `token`, and return its path."""
        return for_token(self._server(), token, namespace, path)

    def audit_events(self) -> list[dict[str, Any]]:
        """Every request that was answered so far, in the order of the log, without bodies."""
        log = self.directory / "audit.log"
        # The last line may be half written.
        lines = log.read_text(encoding="utf-8").rpartition("\n")[0].splitlines() if log.exists() else []
        return [json.loads(line) for line in lines]

    def stop_apiserver(self, *, grace: float = 0.0) -> None:
        """End the API server, at once or with SIGTERM and `grace` seconds; etcd keeps the data."""
        self._processes.stop_apiserver(grace)

    def start_apiserver(self) -> None:
        """Start it again on the same port and data, and wait until it is ready."""
        self.pids |= self._processes.start_apiserver()

    def restart_apiserver(self) -> None:
        """Stop it at once and start it again."""
        self.stop_apiserver()
        self.start_apiserver()

    def _start(self, ports: list[int]) -> None:
        self._keeper = Keeper("videogen-controlplane")
        self.directory = self._keeper.directory
        try:
            self._configure(flags.Ports(etcd=ports[0], etcd_peer=ports[1], api=ports[2]))
            self.pids = self._processes.start()
        except BaseException:
            self._keeper.close()
            raise

    def _configure(self, ports: flags.Ports) -> None:
        (self.directory / "home").mkdir()
        made = certificates.make(self.directory / "certificates")
        self.url, self.ca = f"https://127.0.0.1:{ports.api}", made.authority
        self.kubeconfig = self.directory / "admin.kubeconfig"
        for_certificate(self._server(), made.admin, self.kubeconfig)
        self.client = ApiClient(ports.api, made)
        self._processes = Processes(
            keeper=self._keeper,
            programs=self._programs,
            ports=ports,
            certificates=made,
            client=self.client,
            unsafe_no_fsync=self._unsafe_no_fsync,
        )

    def _server(self) -> Server:
        return Server(url=self.url, authority=self.ca)

    def _run(self, command: list[str | Path], text: str | None, *, check: bool) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, input=text, capture_output=True, text=True, env=self.environment(), check=False)
        if check and done.returncode != 0:
            words = " ".join(str(part) for part in [Path(command[0]).name, *command[1:]])
            raise ControlPlaneError(f"{words} failed (exit code {done.returncode}): {done.stderr.strip()}")
        return done
