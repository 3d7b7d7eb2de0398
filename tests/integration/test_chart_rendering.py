"""The chart under Helm 4 and Helm 3, and what its rights amount to on a real API server."""

import subprocess
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from golden import manifests
from podrunner import rights
from podrunner.release import install
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


def test_the_chart_gives_the_listed_rights_and_no_others() -> None:
    rendered = render()
    cluster = rights.of_role(rendered["ClusterRole/videogen-operator"], rights.CLUSTER)
    own = rights.of_role(rendered["Role/videogen-operator"], rights.OWN_NAMESPACE)
    assert cluster | own == rights.listed()


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


def can(plane: ControlPlane, verb: str, resource: str, group: str, namespace: str) -> str:
    """What the API server says of the operator's account: yes or no."""
    kind, _, part = resource.partition("/")
    named = kind if group == "core" else f"{kind}.{group}"
    options = ["--subresource", part] if part else []
    asked = ("auth", "can-i", verb, named, *options, "--namespace", namespace, "--as", SUBJECT)
    return plane.kubectl(*asked, check=False).stdout.strip()


@pytest.mark.parametrize("right", sorted(rights.listed()), ids=str)
def test_the_operators_rights(installed: ControlPlane, right: rights.Right) -> None:
    elsewhere = "yes" if right.where == rights.CLUSTER else "no"
    assert can(installed, right.verb, right.resource, right.group, "videogen") == "yes"
    assert can(installed, right.verb, right.resource, right.group, "tenant") == elsewhere


@pytest.mark.parametrize(
    ("verb", "resource", "group"),
    [
        ("patch", "videogenerations", "videogen.dev"),
        ("delete", "videogenerations", "videogen.dev"),
        ("list", "secrets", "core"),
        ("get", "configmaps", "core"),
        ("get", "pods", "core"),
    ],
)
def test_what_is_not_listed_is_refused(installed: ControlPlane, verb: str, resource: str, group: str) -> None:
    assert can(installed, verb, resource, group, "videogen") == "no"


# ---------------------------------------------------------------- an install with other rights than are listed

# What is there once in a cluster belongs to the release above.
BESIDE: Final[Json] = {"crds": {"enabled": False}, "admissionPolicy": {"enabled": False}}


@pytest.mark.parametrize(
    ("binding", "role", "subject", "named"),
    [
        ("clusterrolebinding", "clusterrole=extra", "serviceaccount={0}:{0}-videogen-operator", "(cluster)"),
        ("clusterrolebinding", "clusterrole=extra", "group=system:serviceaccounts:{0}", "(cluster)"),
        ("rolebinding", "clusterrole=extra", "serviceaccount={0}:{0}-videogen-operator", "(namespace default)"),
    ],
)
def test_an_install_names_a_right_too_many(
    installed: ControlPlane, binding: str, role: str, subject: str, named: str
) -> None:
    namespace = installed.namespace("rich")
    options = [f"--{role}", f"--{subject.format(namespace)}", "--namespace", "default"]
    installed.kubectl("create", "clusterrole", "extra", "--verb=delete", "--resource=pods")
    installed.kubectl("create", binding, "extra", *options)
    try:
        with pytest.raises(rights.RightsError) as error:
            install(installed, BESIDE, namespace=namespace, name=namespace)
    finally:
        installed.kubectl("delete", binding, "extra", "--namespace", "default")
        installed.kubectl("delete", "clusterrole", "extra")
    assert str(error.value).splitlines()[1:] == [f"  too much: core pods delete {named}"]


def test_an_install_names_every_right_that_is_missing(installed: ControlPlane) -> None:
    namespace = installed.namespace("poor")
    with pytest.raises(rights.RightsError) as error:
        install(installed, {**BESIDE, "rbac": {"create": False}}, namespace=namespace, name=namespace)
    assert str(error.value).splitlines()[1:] == [f"  missing: {right}" for right in sorted(rights.listed())]
