"""The local folders that stand for a pod's volumes, and its ServiceAccount's token, kept fresh."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podrunner.container import Mounts, PodError, volume_names
from servers.control_plane import ControlPlane, ControlPlaneError

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_TRY_AGAIN = 2.0
_RENEW_AT = 0.8  # of its life, as the kubelet does


def make(pod: Mapping[str, Any], container: Mapping[str, Any], folder: Path) -> Mounts:
    """Make an empty folder for each mounted emptyDir. Raises PodError for volumes of another kind."""
    kinds = {volume["name"]: set(volume) - {"name"} for volume in pod["spec"].get("volumes", ())}
    folders: dict[str, Path] = {}
    for path, name in volume_names(container).items():
        if kinds.get(name) != {"emptyDir"}:
            raise PodError(f"the pod runner knows emptyDir volumes only; {name} is not one")
        folders[path] = folder / name
        folders[path].mkdir(exist_ok=True, parents=True)
    return Mounts(folders)


def wants_token(plane: ControlPlane, pod: Mapping[str, Any]) -> bool:
    """Whether the pod gets its ServiceAccount's token: the pod's word goes before the account's; the default is yes."""
    said = pod["spec"].get("automountServiceAccountToken")
    if said is None:
        namespace = pod["metadata"]["namespace"]
        account = json.loads(plane.client.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account(pod)}"))
        said = account.get("automountServiceAccountToken", True)
    return bool(said)


def service_account(pod: Mapping[str, Any]) -> str:
    """The pod's own ServiceAccount."""
    return str(pod["spec"].get("serviceAccountName") or "default")


class Token:
    """The folder that a pod finds its credentials in: token, ca.crt, namespace. The token is bound to the pod."""

    def __init__(self, plane: ControlPlane, pod: Mapping[str, Any], folder: Path, *, seconds: int = 3600) -> None:
        self._plane = plane
        self._pod = pod
        self._seconds = seconds
        self._over = threading.Event()
        self.folder = folder
        folder.mkdir(mode=0o700)
        (folder / "ca.crt").write_bytes(plane.ca.read_bytes())
        (folder / "namespace").write_text(pod["metadata"]["namespace"])
        self.renew()
        threading.Thread(target=self._keep_fresh, daemon=True).start()

    def renew(self) -> None:
        """Get another token. Raises ControlPlaneError, for one when the ServiceAccount does not exist."""
        new = self.folder / ".token"
        new.touch(mode=0o600)
        new.write_text(self._create())
        new.rename(self.folder / "token")

    def stop(self) -> None:
        """Let it expire."""
        self._over.set()

    def _create(self) -> str:
        metadata = self._pod["metadata"]
        bound = ["--bound-object-kind", "Pod", "--bound-object-name", metadata["name"]]
        created = self._plane.kubectl(
            *("create", "token", service_account(self._pod), "--namespace", metadata["namespace"]),
            *(*bound, "--bound-object-uid", metadata["uid"], "--duration", f"{self._seconds}s"),
        )
        return created.stdout.strip()

    def _keep_fresh(self) -> None:
        wait = self._seconds * _RENEW_AT
        while not self._over.wait(wait):
            try:
                self.renew()
                wait = self._seconds * _RENEW_AT
            except (ControlPlaneError, OSError):
                wait = _TRY_AGAIN
