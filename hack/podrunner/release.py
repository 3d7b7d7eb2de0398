"""Installs the chart with Helm into a running control plane and reads back what it made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from podrunner import rights
from servers.api_client import ApiError
from servers.control_plane import ControlPlane

ROOT = Path(__file__).absolute().parent.parent.parent
CHART = ROOT / "charts" / "videogen-operator"
# The pods of this namespace must be as restricted as Pod Security can ask for.
_LABELS = {"pod-security.kubernetes.io/enforce": "restricted"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """An installed chart, and its Deployment as the API server has it."""

    name: str
    namespace: str
    deployment: Mapping[str, Any]

    @property
    def account(self) -> rights.Account:
        """The operator's ServiceAccount."""
        name = self.deployment["spec"]["template"]["spec"].get("serviceAccountName", "default")
        return rights.Account(self.namespace, name)

    @property
    def user(self) -> str:
        """The user name of the operator's requests, as audit events have it."""
        return self.account.user


def install(
    plane: ControlPlane,
    values: Mapping[str, Any] | None = None,
    *,
    namespace: str = "videogen",
    name: str = "videogen-operator",
    helm: int = 4,
) -> Release:
    """Make the namespace if need be, install or upgrade, wait until the CRDs are served, and compare the rights.

    Raises ControlPlaneError with Helm's or kubectl's words, and RightsError when the operator has other rights than are
    listed.
    """
    make_namespace(plane, namespace)
    given = plane.directory / f"{namespace}-{name}-values.json"
    given.write_text(json.dumps(dict(values or {})))  # JSON is YAML
    plane.helm("upgrade", "--install", name, CHART, "--namespace", namespace, "--values", given, version=helm)
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
    release = installed(plane, namespace=namespace, name=name)
    rights.compare(rights.granted(plane.client, release.account), rights.listed())
    return release


def installed(plane: ControlPlane, *, namespace: str = "videogen", name: str = "videogen-operator") -> Release:
    """A release that is there already. Raises ValueError when it has not exactly one Deployment."""
    selector = f"app.kubernetes.io/instance={name}"
    listed = plane.kubectl("get", "deployments", "--namespace", namespace, "--selector", selector, "--output", "json")
    (deployment,) = json.loads(listed.stdout)["items"]
    return Release(name=name, namespace=namespace, deployment=deployment)


def make_namespace(plane: ControlPlane, name: str) -> None:
    """Make a namespace whose pods must be restricted; one that is there stays as it is."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": _LABELS}}
    try:
        plane.client.post("/api/v1/namespaces", body)
    except ApiError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
