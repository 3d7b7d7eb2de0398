"""The control plane and the S3 server are what the other tests take them for."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provision.processes import is_running
from servers import ports
from servers.api_client import ApiError
from servers.control_plane import ControlPlane, ControlPlaneError
from servers.s3 import S3Server

_ROOT = Path(__file__).parents[2]
_CLUSTER = [sys.executable, str(_ROOT / "hack" / "cluster.py")]
_PRIVILEGED = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "privileged"},
    "spec": {"containers": [{"name": "c", "image": "x", "securityContext": {"privileged": True}}]},
}
_POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "short-names.test"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}
            ]
        },
        "validations": [{"expression": "size(object.metadata.name) < 5", "message": "too long"}],
    },
}


def _until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for what other processes bring about, and fail when they do not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_a_service_account_may_only_do_what_rbac_grants(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """Secrets are refused until a Role grants them."""
    control_plane.kubectl("-n", namespace, "create", "serviceaccount", "reader")
    token = control_plane.token(namespace, "reader")
    config = control_plane.kubeconfig_for_token(token, tmp_path / "reader.kubeconfig", namespace)
    read = ("--kubeconfig", config, "get", "secrets")
    refused = control_plane.kubectl(*read, check=False)
    assert "Forbidden" in refused.stderr
    control_plane.kubectl("-n", namespace, "create", "role", "reader", "--verb=list", "--resource=secrets")
    binding = ("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={namespace}:reader")
    control_plane.kubectl("-n", namespace, *binding)
    assert control_plane.kubectl(*read).returncode == 0


def test_a_restricted_namespace_refuses_a_privileged_pod(control_plane: ControlPlane) -> None:
    restricted = control_plane.namespace(labels={"pod-security.kubernetes.io/enforce": "restricted"})
    with pytest.raises(ApiError, match="violates PodSecurity") as refused:
        control_plane.client.post(f"/api/v1/namespaces/{restricted}/pods", _PRIVILEGED)
    assert refused.value.status == 403


def test_a_namespace_without_a_label_takes_a_privileged_pod(control_plane: ControlPlane, namespace: str) -> None:
    """So it is PodSecurity that refuses in the other one, not the missing ServiceAccount."""
    created = control_plane.client.post(f"/api/v1/namespaces/{namespace}/pods", _PRIVILEGED)
    assert created["metadata"]["name"] == "privileged"


def test_an_admission_policy_refuses_what_it_says(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("apply", "-f", "-", input=json.dumps(_POLICY))
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "short-names.test"},
        "spec": {
            "policyName": "short-names.test",
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
        },
    }
    control_plane.kubectl("apply", "-f", "-", input=json.dumps(binding))

    def refused() -> bool:
        dry = ("-n", namespace, "create", "configmap", "longer", "--dry-run=server")
        return "too long" in control_plane.kubectl(*dry, check=False).stderr

    _until(refused)
    control_plane.kubectl("-n", namespace, "create", "configmap", "good")


def test_the_audit_log_has_requests_without_bodies(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("-n", namespace, "create", "secret", "generic", "key", "--from-literal=k=hidden")
    events = [event for event in control_plane.audit_events() if _is_about(event, namespace, "key")]
    assert [(event["verb"], event["level"], event["responseStatus"]["code"]) for event in events] == [
        ("create", "Metadata", 201)
    ]
    assert not {"requestObject", "responseObject"} & events[0].keys()


def _is_about(event: dict[str, Any], namespace: str, name: str) -> bool:
    about = event.get("objectRef", {})
    return (about.get("namespace"), about.get("name")) == (namespace, name)


def test_kubectl_says_why_it_failed(control_plane: ControlPlane) -> None:
    with pytest.raises(ControlPlaneError, match=r"kubectl get pod none .*NotFound"):
        control_plane.kubectl("get", "pod", "none")


@pytest.mark.parametrize("version", [3, 4])
def test_helm_sees_the_cluster(control_plane: ControlPlane, version: int) -> None:
    """And is the major version that was asked for."""
    assert control_plane.helm("list", "--all-namespaces", version=version).returncode == 0
    assert control_plane.helm("version", "--short", version=version).stdout.startswith(f"v{version}.")


def test_two_control_planes_run_side_by_side_and_one_comes_back_with_its_data(control_plane: ControlPlane) -> None:
    with ControlPlane(unsafe_no_fsync=False) as other:
        name = other.namespace("only-here")
        assert name not in control_plane.kubectl("get", "namespaces", "-o", "name").stdout
        before = other.pids["kube-apiserver"]
        other.restart_apiserver()
        assert other.pids["kube-apiserver"] != before
        assert name in other.kubectl("get", "namespaces", "-o", "name").stdout


def test_a_stopped_api_server_answers_nobody(tmp_path: Path) -> None:
    """What an outage test needs; the same address answers again afterwards."""
    with ControlPlane() as plane:
        plane.stop_apiserver()
        with pytest.raises(OSError, match="refused"):
            plane.client.get("/readyz")
        plane.start_apiserver()
        assert plane.client.get("/readyz") == b"ok"


def test_nothing_is_left_after_exit() -> None:
    with ControlPlane() as plane, S3Server("videos") as store:
        pids, folders = [*plane.pids.values(), store.pid], [plane.directory, store.directory]
        assert all(is_running(pid) for pid in pids)
    assert not [pid for pid in pids if is_running(pid)]
    assert not [folder for folder in folders if folder.exists()]


_OWNER = """
import json, sys
from servers.control_plane import ControlPlane
from servers.s3 import S3Server
with ControlPlane() as plane, S3Server() as store:
    folders = [str(plane.directory), str(store.directory)]
    print(json.dumps({"pids": [*plane.pids.values(), store.pid], "folders": folders}), flush=True)
    sys.stdin.read()  # ends, too, when the test does
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_owner_is_ended(end: signal.Signals) -> None:
    """Neither a process nor a folder, nor the socket files that SeaweedFS puts beside it."""
    environment = {**os.environ, "PYTHONPATH": str(_ROOT / "hack")}
    sockets = set(Path("/tmp").glob("seaweedfs-*.sock"))  # noqa: S108  # where SeaweedFS puts them
    command, pipe = [sys.executable, "-c", _OWNER], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as owner:
        assert owner.stdout is not None
        held = json.loads(owner.stdout.readline())
        assert all(is_running(pid) for pid in held["pids"])
        mine = _listening_files(held["pids"][-1])
        assert mine - sockets
        owner.send_signal(end)
    _until(lambda: not any(is_running(pid) for pid in held["pids"]))
    _until(lambda: not any(Path(folder).exists() for folder in held["folders"]))
    assert not [path for path in mine if path.exists()]


def _listening_files(pid: int) -> set[Path]:
    """Socket files in /tmp that a process listens on."""
    mine = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    named = {row[7]: f"socket:[{row[6]}]" for row in rows if len(row) > 7}
    return {
        Path(path) for path, inode in named.items() if inode in mine and path.startswith("/") and "/seaweedfs-" in path
    }


def test_the_command_starts_shows_and_stops_a_cluster(tmp_path: Path) -> None:
    name = f"test-{os.getpid()}"
    up = subprocess.run([*_CLUSTER, "up", "--name", name], capture_output=True, text=True, check=False)
    assert up.returncode == 0, up.stderr
    try:
        again = subprocess.run([*_CLUSTER, "status", "--name", name], capture_output=True, text=True, check=False)
        assert (again.returncode, again.stdout) == (0, up.stdout)
        script = f"{up.stdout}\nkubectl get namespace default -o name"
        seen = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert seen.stdout == "namespace/default\n"
    finally:
        subprocess.run([*_CLUSTER, "down", "--name", name], check=True)
    after = subprocess.run([*_CLUSTER, "status", "--name", name], capture_output=True, text=True, check=False)
    assert (after.returncode, after.stdout) == (3, f"{name} is not running\n")


@pytest.mark.parametrize("server", [ControlPlane, S3Server])
def test_a_lost_race_for_a_port_is_run_again(
    server: type[ControlPlane] | type[S3Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody listens on one of the first ports by the time the server wants it, and answers nothing."""
    asked: list[list[int]] = []
    free_ports = ports.free_ports
    with socket.socket() as rival:

        def ports_of_which_one_is_lost(count: int) -> list[int]:
            found = free_ports(count)
            if not asked:
                rival.bind(("127.0.0.1", found[2]))
                rival.listen()
            asked.append(found)
            return found

        monkeypatch.setattr(ports, "free_ports", ports_of_which_one_is_lost)
        with server():
            assert len(asked) == 2


def test_one_of_sixteen_rivals_wins_a_conditional_put(s3: S3Server, bucket: str) -> None:
    """Two rounds, all rivals let go at once: the fence before a purchase stands on this."""
    client, start = s3.client(), threading.Barrier(16)

    def put(rival: int, key: str) -> int:
        start.wait()
        try:
            client.put_object(Bucket=bucket, Key=key, Body=str(rival).encode(), IfNoneMatch="*")
        except ClientError as refused:
            return int(refused.response["ResponseMetadata"]["HTTPStatusCode"])
        return 200

    for turn in range(2):
        with ThreadPoolExecutor(16) as pool:
            codes = list(pool.map(lambda rival: put(rival, f"round-{turn}"), range(16)))  # noqa: B023  # awaited here
        assert sorted(codes) == [200] + [412] * 15


def test_a_wrong_secret_is_refused(s3: S3Server) -> None:
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3.client(secret_key="wrong").list_buckets()


def test_a_missing_bucket_is_not_made_by_a_put(s3: S3Server) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.client().put_object(Bucket="misspelt", Key="k", Body=b"v")
    assert "misspelt" not in [found["Name"] for found in s3.client().list_buckets()["Buckets"]]


def test_a_wrong_checksum_is_refused(s3: S3Server, bucket: str) -> None:
    with pytest.raises(ClientError, match="BadDigest"):
        s3.client().put_object(Bucket=bucket, Key="k", Body=b"v", ChecksumSHA256="A" * 43 + "=")


def test_the_store_comes_back_with_its_data() -> None:
    with S3Server("videos") as store:
        store.client().put_object(Bucket="videos", Key="k", Body=b"kept")
        store.stop()
        store.start()
        assert store.client().get_object(Bucket="videos", Key="k")["Body"].read() == b"kept"


def test_a_store_for_load_runs_takes_a_video() -> None:
    """It is another command of SeaweedFS than the small one, with larger volumes."""
    with S3Server("videos", volumes=3) as store:
        store.client().put_object(Bucket="videos", Key="v.mp4", Body=bytes(40_000_000))
        assert store.client().head_object(Bucket="videos", Key="v.mp4")["ContentLength"] == 40_000_000
