"""The two processes of a control plane: started, watched until ready, stopped."""

import time
from dataclasses import dataclass
from pathlib import Path

from provision.keeper import Keeper, last_lines
from servers import flags
from servers.api_client import ApiClient, ApiError
from servers.certificates import Certificates
from servers.ports import PortTaken, says_port_taken

_READY_WITHIN = 90.0  # seconds; 3 to 5 on two idle cores
_ANSWER_WITHIN = 3.0  # a stranger on our port may never answer
_LOOK_AGAIN = 0.1
_OWN_NAMESPACE = "/api/v1/namespaces/default"


class ControlPlaneError(RuntimeError):
    """The control plane did not become ready, or a command against it failed."""


@dataclass(kw_only=True, slots=True)
class Processes:
    """etcd and kube-apiserver under one keeper, on ports that do not change."""

    keeper: Keeper
    programs: Path
    ports: flags.Ports
    certificates: Certificates
    client: ApiClient
    unsafe_no_fsync: bool

    def start(self) -> dict[str, int]:
        """Start both, wait until ready and return the pids. Raises PortTaken, ControlPlaneError."""
        folder, fsync_off = self.keeper.directory, self.unsafe_no_fsync
        etcd = flags.etcd(self.programs / "etcd", folder, self.ports, unsafe_no_fsync=fsync_off)
        pids = {"etcd": self.keeper.start("etcd", etcd)}
        return pids | self.start_apiserver()

    def start_apiserver(self) -> dict[str, int]:
        """Start the API server, wait until it is ready and return its pid. Raises as `start` does."""
        program, folder = self.programs / "kube-apiserver", self.keeper.directory
        command = flags.apiserver(program, folder, self.ports, self.certificates)
        pid = self.keeper.start("kube-apiserver", command)
        self._wait_until_ready()
        return {"kube-apiserver": pid}

    def stop_apiserver(self, grace: float) -> None:
        """Stop the API server: SIGTERM, then SIGKILL after `grace` seconds."""
        self.keeper.stop("kube-apiserver", grace=grace)

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + _READY_WITHIN
        while not self._is_ready_or_ended():
            if time.monotonic() > until:
                raise self._failure("kube-apiserver", f"was not ready after {_READY_WITHIN:g} s")
            time.sleep(_LOOK_AGAIN)

    def _is_ready_or_ended(self) -> bool:
        """Raises PortTaken, ControlPlaneError when one of the two has ended."""
        self._check_alive()
        try:
            # A namespace of the server's own, too: it makes them a moment after it says that it is ready.
            return all(self.client.get(path, timeout=_ANSWER_WITHIN) for path in ("/readyz", _OWN_NAMESPACE))
        except (OSError, ApiError):
            return False

    def _check_alive(self) -> None:
        for name in ("etcd", "kube-apiserver"):
            if (code := self.keeper.poll(name)) is None:
                continue
            if says_port_taken(self.keeper.log(name)):
                raise PortTaken(name)
            raise self._failure(name, f"ended with code {code}")

    def _failure(self, name: str, what: str) -> ControlPlaneError:
        return ControlPlaneError(f"{name} {what}. Last lines:\n{last_lines(self.keeper.log(name))}")
