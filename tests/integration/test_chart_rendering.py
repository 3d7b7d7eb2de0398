"""The chart under Helm 4 and Helm 3, and what its rights amount to on a real API server."""

import subprocess
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from golden import manifests
from provision import helm
from servers.control_plane import ControlPlane

CHART: Final = manifests.ROOT / "charts/videogen-operator"
SUBJECT: Final = "system:serviceaccount:videogen:videogen-operator"

Json = dict[str, Any]


def render(*options: str, version: int = 4) -> dict[str, Json]:
    """What the chart renders to, by kind and name."""
    command = [
        str(helm.find(version)),
        "template",
        "videogen-operator",
        str(CHART),
        "--namespace",
        "videogen",
        *options,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    documents = [document for document in yaml.safe_load_all(text) if document]
    return {f"{document['kind']}/{document['metadata']['name']}": document for document in documents}


def container(*options: str) -> Json:
    """The operator's container."""
    (found,) = render(*options)["Deployment/videogen-operator"]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(*options: str) -> dict[str, Any]:
    """Its environment; None where the value comes from the pod."""
    return {entry["name"]: entry.get("value") for entry in container(*options)["env"]}


@pytest.mark.parametrize("version", [4, 3])
def test_helm_finds_nothing_to_complain_about(version: int) -> None:
    subprocess.run([str(helm.find(version)), "lint", "--strict", str(CHART)], capture_output=True, check=True)


def test_both_helms_render_the_same() -> None:
    assert render(version=3) == render(version=4)


def test_the_chart_renders_these_objects() -> None:
    assert set(render()) == {
        "ClusterRole/videogen-operator",
        "ClusterRole/videogen-operator-edit",
        "ClusterRole/videogen-operator-view",
        "ClusterRoleBinding/videogen-operator",
        "CustomResourceDefinition/videogenerationclasses.videogen.dev",
        "CustomResourceDefinition/videogenerations.videogen.dev",
        "Deployment/videogen-operator",
        "Role/videogen-operator",
        "RoleBinding/videogen-operator",
        "ServiceAccount/videogen-operator",
        "ValidatingAdmissionPolicy/videogen-operator-offers",
        "ValidatingAdmissionPolicyBinding/videogen-operator-offers",
    }


@pytest.mark.parametrize(
    ("value", "gone"),
    [
        ("crds.enabled", "CustomResourceDefinition"),
        ("admissionPolicy.enabled", "ValidatingAdmissionPolicy"),
        ("rbac.create", "RoleBinding"),
        ("rbac.userRoles", "ClusterRole/videogen-operator-view"),
        ("serviceAccount.create", "ServiceAccount"),
    ],
)
def test_a_part_is_switched_off_by_its_value(value: str, gone: str) -> None:
    assert any(name.startswith(gone) for name in render())
    assert not any(name.startswith(gone) for name in render("--set", f"{value}=false"))


@pytest.mark.parametrize(("keep", "expected"), [("true", "keep"), ("false", None)])
def test_crds_are_kept_if_asked(keep: str, expected: str | None) -> None:
    crd = render("--set", f"crds.keep={keep}")["CustomResourceDefinition/videogenerations.videogen.dev"]
    assert crd["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == expected


def test_the_operator_may_write_status_and_events_and_nothing_else() -> None:
    assert render()["ClusterRole/videogen-operator"]["rules"] == [
        {
            "apiGroups": ["videogen.dev"],
            "resources": ["videogenerations", "videogenerationclasses"],
            "verbs": ["get", "list", "watch"],
        },
        {
            "apiGroups": ["videogen.dev"],
            "resources": ["videogenerations/status", "videogenerationclasses/status"],
            "verbs": ["patch"],
        },
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    ]


def test_secrets_can_be_narrowed_to_names() -> None:
    (anything,) = render()["Role/videogen-operator"]["rules"]
    (named,) = render("--set", "secrets={a,b}")["Role/videogen-operator"]["rules"]
    assert anything == {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    assert named == {**anything, "resourceNames": ["a", "b"]}


def test_settings_become_the_environment() -> None:
    told = environment("--set", "settings.walkSeconds=0.5,settings.httpPort=9000,settings.logFormat=plain")
    assert told["VIDEOGEN_WALK_SECONDS"] == "0.5"
    assert told["VIDEOGEN_HTTP_PORT"] == "9000"
    assert told["VIDEOGEN_LOG_FORMAT"] == "plain"
    assert told["VIDEOGEN_NAMESPACE"] is None


def test_the_port_is_the_one_that_is_probed() -> None:
    spec = container("--set", "settings.httpPort=9000")
    assert spec["ports"] == [{"name": "http", "containerPort": 9000}]
    assert {spec[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe", "startupProbe")} == {"http"}


def test_one_value_drives_the_volume_and_what_is_admitted_to_it() -> None:
    options = ("--set", "tempVolume.gibibytes=20")
    (volume,) = render(*options)["Deployment/videogen-operator"]["spec"]["template"]["spec"]["volumes"]
    assert environment(*options)["VIDEOGEN_TEMP_BYTES"] == str(20 * 1024**3)
    assert volume["emptyDir"]["sizeLimit"] == f"{20 * 1024 + 64}Mi"


def test_an_unknown_value_is_refused() -> None:
    with pytest.raises(subprocess.CalledProcessError) as error:
        render("--set", "settings.worker=1")
    assert "worker" in error.value.stderr


@pytest.fixture(scope="module")
def installed() -> Iterator[ControlPlane]:
    """The chart, installed by Helm 3 where the CRDs were never seen, in a namespace that enforces restricted pods."""
    with ControlPlane() as plane:
        plane.kubectl("create", "namespace", "videogen")
        plane.kubectl("label", "namespace", "videogen", "pod-security.kubernetes.io/enforce=restricted")
        plane.helm("install", "videogen-operator", CHART, "--namespace", "videogen", version=3)
        yield plane


def test_a_second_helm_upgrades_what_the_first_installed(installed: ControlPlane) -> None:
    done = installed.helm("upgrade", "videogen-operator", CHART, "--namespace", "videogen", version=4)
    assert "STATUS: deployed" in done.stdout


def test_objects_outlive_an_uninstall_and_are_there_after_the_next_install(installed: ControlPlane) -> None:
    order = manifests.read_yaml(manifests.ROOT / "examples/text-to-video-1080p.yaml")
    namespace = installed.namespace("outlive")
    installed.kubectl("create", "--namespace", namespace, "-f", "-", input=yaml.safe_dump(order))
    installed.helm("uninstall", "videogen-operator", "--namespace", "videogen")
    installed.helm("install", "videogen-operator", CHART, "--namespace", "videogen")
    stored = installed.kubectl("get", "vgen", "--namespace", namespace, "-o", "name").stdout
    assert stored.strip() == f"videogeneration.videogen.dev/{order['metadata']['name']}"


def test_the_pod_is_a_restricted_one(installed: ControlPlane) -> None:
    template = render()["Deployment/videogen-operator"]["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {"name": "operator", "namespace": "videogen"}}
    installed.kubectl("create", "--dry-run=server", "-f", "-", input=yaml.safe_dump(pod))


@pytest.mark.parametrize(
    ("verb", "resource", "namespace", "expected"),
    [
        ("watch", "videogenerations.videogen.dev", "tenant", "yes"),
        ("patch", "videogenerations.videogen.dev/status", "tenant", "yes"),
        ("patch", "videogenerations.videogen.dev", "tenant", "no"),
        ("delete", "videogenerations.videogen.dev", "tenant", "no"),
        ("create", "events.events.k8s.io", "tenant", "yes"),
        ("get", "secrets", "videogen", "yes"),
        ("list", "secrets", "videogen", "no"),
        ("get", "secrets", "tenant", "no"),
        ("get", "configmaps", "videogen", "no"),
        ("get", "pods", "videogen", "no"),
    ],
)
def test_the_operators_rights(installed: ControlPlane, verb: str, resource: str, namespace: str, expected: str) -> None:
    kind, _, subresource = resource.partition("/")
    options = ["--subresource", subresource] if subresource else []
    told = installed.kubectl(
        "auth", "can-i", verb, kind, *options, "--namespace", namespace, "--as", SUBJECT, check=False
    )
    assert told.stdout.strip() == expected
