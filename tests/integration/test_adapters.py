"""The promises of the ports on real parts: kube-apiserver and SeaweedFS."""

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from contracts.kube import Cluster, KubeContract
from contracts.object_store import Bucket, ChecksumContract, ObjectStoreContract
from servers.control_plane import ControlPlane
from servers.s3 import S3Server
from videogen_operator.adapters.kube import KubeApi
from videogen_operator.adapters.object_store import S3Stores
from videogen_operator.errors import KubeTrouble, StoreReason, StoreTrouble
from videogen_operator.ports import Kind, StoreAddress, StoreCredentials
from videogen_operator.redaction import Secret

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parent.parent.parent
_FOLDERS = (f"team/film-{number}/r1/" for number in itertools.count())


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as running:
        running.kubectl("apply", "-f", str(ROOT / "crds"))
        running.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield running


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with S3Server("videos") as running:
        yield running


@pytest.fixture
def folder() -> str:
    return next(_FOLDERS)


def credentials(s3: S3Server, *, key: str | None = None, secret: str | None = None) -> StoreCredentials:
    return StoreCredentials(access_key_id=key or s3.access_key, secret_access_key=Secret(secret or s3.secret_key))


def address(s3: S3Server, bucket: str = "videos") -> StoreAddress:
    return StoreAddress(bucket=bucket, region=s3.region, endpoint=s3.endpoint, path_style=True)


class TestKube(KubeContract):
    @pytest.fixture
    def cluster(self, control_plane: ControlPlane) -> Cluster:
        return user_of(control_plane, control_plane.namespace("contract", labels={"team": "film"}))


class TestSeaweed(ObjectStoreContract, ChecksumContract):
    @pytest.fixture
    def bucket(self, s3: S3Server) -> Bucket:
        stores = S3Stores(connections=8)
        opened = [stores.open(address(s3, name), credentials(s3)) for name in ("videos", "none")]
        return Bucket(store=opened[0], missing=opened[1])


def user_of(control_plane: ControlPlane, namespace: str) -> Cluster:
    kube = KubeApi.from_kubeconfig(control_plane.kubeconfig, namespace=namespace, workers=2)

    def apply(manifest: Mapping[str, Any]) -> None:
        control_plane.kubectl("apply", "-f", "-", input=json.dumps(manifest))

    def put_secret(name: str, data: Mapping[str, str]) -> None:
        meta = {"name": name, "namespace": namespace}
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": dict(data)})

    def events() -> list[Mapping[str, Any]]:
        shown = control_plane.kubectl("get", "events.v1.events.k8s.io", "-n", namespace, "-o", "json")
        items: list[Mapping[str, Any]] = json.loads(shown.stdout)["items"]
        return items

    return Cluster(
        kube=kube,
        namespace=namespace,
        apply=apply,
        delete=lambda kind, where, name: (control_plane.kubectl("delete", kind.value, name, "-n", where), None)[1],
        put_secret=put_secret,
        events=events,
    )


# ---------------------------------------------------------------- what only the real parts can show


def test_a_schema_error_names_the_field_and_not_its_value(control_plane: ControlPlane) -> None:
    cluster = user_of(control_plane, control_plane.namespace("schema", labels={}))
    cluster.make("x")
    with pytest.raises(Exception, match=r"422 Invalid status\.attempt$"):
        cluster.patch("x", {"op": "add", "path": "/status/attempt", "value": "canary " * 9})


def test_a_missing_right_is_named_without_the_whole_message(control_plane: ControlPlane, tmp_path: Path) -> None:
    namespace = control_plane.namespace("rights", labels={})
    control_plane.kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    token = control_plane.token(namespace, "nobody")
    config = control_plane.kubeconfig_for_token(token, tmp_path / "kubeconfig")
    kube = KubeApi.from_kubeconfig(config, namespace=namespace, workers=1)
    with pytest.raises(KubeTrouble) as caught:
        kube.read(Kind.GENERATION, namespace, "x")
    assert caught.value.status == 403
    assert 'cannot get resource "videogenerations" in API group "videogen.dev"' in str(caught.value)
    assert "nobody" not in str(caught.value)


def test_a_service_account_directory_is_enough(control_plane: ControlPlane, tmp_path: Path) -> None:
    namespace = control_plane.namespace("account", labels={"a": "b"})
    control_plane.kubectl("create", "serviceaccount", "operator", "-n", namespace)
    control_plane.kubectl(
        "create",
        "clusterrolebinding",
        namespace,
        "--clusterrole=cluster-admin",
        f"--serviceaccount={namespace}:operator",
    )
    (tmp_path / "token").write_text(control_plane.token(namespace, "operator") + "\n")
    (tmp_path / "ca.crt").write_bytes(control_plane.ca.read_bytes())
    host, _, port = control_plane.url.removeprefix("https://").partition(":")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    kube = KubeApi.from_service_account(tmp_path, environ, namespace=namespace, workers=1)
    labels = kube.namespace_labels(namespace)
    assert labels is not None
    assert labels["a"] == "b"


def test_names_are_read_over_pages(control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = user_of(control_plane, control_plane.namespace("pages", labels={}))
    for number in range(5):
        cluster.make(f"n{number}")
    monkeypatch.setattr("videogen_operator.adapters.kube._PAGE", 2)
    assert {(cluster.namespace, f"n{number}") for number in range(5)} <= cluster.kube.names(Kind.GENERATION)


def test_a_wrong_secret_key_is_denied(s3: S3Server) -> None:
    store = S3Stores(connections=1).open(address(s3), credentials(s3, secret="wrong"))
    with pytest.raises(StoreTrouble) as caught:
        store.probe(thorough=False)
    assert caught.value.reason is StoreReason.ACCESS_DENIED
