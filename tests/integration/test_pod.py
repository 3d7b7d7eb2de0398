"""The pod runner: the process is what the Deployment says, so that a fault of the chart makes it fail."""

import copy
import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from podrunner import container, release, volumes
from podrunner.pod import Pod, PodError
from podrunner.release import Release
from servers.api_client import ApiError
from servers.control_plane import ControlPlaneError
from stack import Stack

# What a process here needs beyond its Deployment's env, and what the image or the node gives to every container.
OF_THE_MACHINE = {"PATH", "PYTHONPATH", "HOME", "HOSTNAME", "TMPDIR", "VIDEOGEN_SERVICE_ACCOUNT_DIR"}
OF_THE_NODE = {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS"}
OF_THE_IMAGE = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def container_of(found: Release) -> dict[str, Any]:
    """The container in the Deployment."""
    (only,) = found.deployment["spec"]["template"]["spec"]["containers"]
    return dict(only)


def changed(found: Release, change: Callable[[dict[str, Any]], None]) -> Release:
    """The release as if the chart had made another pod template's spec."""
    deployment = copy.deepcopy(dict(found.deployment))
    change(deployment["spec"]["template"]["spec"])
    return dataclasses.replace(found, deployment=deployment)


@contextmanager
def running(stack: Stack, found: Release | None = None) -> Iterator[Pod]:
    with Pod(stack.plane, found or stack.release) as pod:
        yield pod.start()


def environment_of(pid: int) -> dict[str, str]:
    """What the kernel says the process was started with."""
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().rstrip("\0").split("\0")
    return dict(entry.split("=", 1) for entry in entries)


def test_the_process_has_the_deployments_env_and_nothing_of_the_caller(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-caller")
    with running(stack) as pod:
        pod.wait_ready()
        given = environment_of(pod.pid)
    declared = {entry["name"] for entry in container_of(stack.release)["env"]}
    assert set(given) == declared | OF_THE_MACHINE | OF_THE_NODE | OF_THE_IMAGE


def test_plain_values_are_the_deployments_but_for_paths_and_the_port(stack: Stack) -> None:
    declared = {one["name"]: one["value"] for one in container_of(stack.release)["env"] if "value" in one}
    with Pod(stack.plane, stack.release) as pod:
        differing = {name for name, value in declared.items() if pod.environment[name] != value}
        assert pod.environment["VIDEOGEN_TEMP_DIR"] == str(pod.folder / "volumes" / "temp")
    assert differing == {"VIDEOGEN_TEMP_DIR", "VIDEOGEN_HTTP_PORT"}


def test_fields_of_the_pod_are_resolved(stack: Stack) -> None:
    with Pod(stack.plane, stack.release, name="operator-a") as pod:
        assert pod.environment["VIDEOGEN_NAMESPACE"] == stack.release.namespace
        assert pod.environment["VIDEOGEN_POD_NAME"] == "operator-a"


def test_the_command_line_is_the_deployments(stack: Stack) -> None:
    declared = container_of(stack.release)
    with running(stack) as pod:
        pod.wait_ready()
        given = Path(f"/proc/{pod.pid}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    assert given == [*declared["command"], *declared.get("args", [])]


def test_the_images_environment_is_read_from_its_dockerfile() -> None:
    assert set(container.image_environment(release.ROOT / "Dockerfile")) == OF_THE_IMAGE


def test_the_token_is_the_service_accounts_and_bound_to_the_pod(stack: Stack, tmp_path: Path) -> None:
    with Pod(stack.plane, stack.release) as pod:
        token = (Path(pod.environment["VIDEOGEN_SERVICE_ACCOUNT_DIR"]) / "token").read_text()
        kubeconfig = stack.plane.kubeconfig_for_token(token, tmp_path / "kubeconfig")
        said = stack.plane.kubectl("--kubeconfig", kubeconfig, "auth", "whoami", "--output", "json").stdout
        assert f'"{stack.release.user}"' in said
        assert f'"{pod.name}"' in said


def test_the_token_is_renewed_before_it_expires(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "_RENEW_AT", 0.002)  # of 600 s, the shortest life that the API server grants
    with Pod(stack.plane, stack.release, token_seconds=600) as pod:
        file = Path(pod.environment["VIDEOGEN_SERVICE_ACCOUNT_DIR"]) / "token"
        first, until = file.stat().st_ino, time.monotonic() + 30
        while file.stat().st_ino == first and time.monotonic() < until:
            time.sleep(0.05)
        assert file.stat().st_ino != first


def test_two_pods_of_one_deployment_run_side_by_side(stack: Stack) -> None:
    with running(stack) as one, running(stack) as other:
        one.wait_ready()
        other.wait_ready()
        assert one.name != other.name
        assert one.url != other.url


def test_a_killed_container_starts_again_in_the_same_volumes(stack: Stack) -> None:
    with running(stack) as pod:
        pod.wait_ready()
        pod.kill()
        assert pod.exit_code() == -9
        (pod.folder / "volumes" / "temp" / "left").touch()
        pod.start().wait_ready()
        assert (pod.folder / "volumes" / "temp" / "left").exists()


def test_sigterm_ends_it_with_code_0(stack: Stack) -> None:
    with running(stack) as pod:
        assert pod.wait_ready().terminate() == 0


def test_a_paused_pod_answers_no_probe_until_it_goes_on(stack: Stack) -> None:
    with running(stack) as pod:
        pod.wait_ready()
        pod.pause()
        assert not pod.is_live()
        pod.resume()
        assert pod.is_live()


def test_its_folder_and_process_go_with_the_block(stack: Stack) -> None:
    with running(stack) as pod:
        pid, folder = pod.pid, pod.folder
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_value_that_is_no_setting_makes_it_fail(stack: Stack) -> None:
    def misspell(spec: dict[str, Any]) -> None:
        spec["containers"][0]["env"].append({"name": "VIDEOGEN_WORKRES", "value": "8"})

    with (
        running(stack, changed(stack.release, misspell)) as pod,
        pytest.raises(PodError, match="WORKRES is no setting"),
    ):
        pod.wait_ready()


def test_a_wrong_argument_makes_it_fail(stack: Stack) -> None:
    def misspell(spec: dict[str, Any]) -> None:
        spec["containers"][0]["command"] = ["python", "-m", "videogen_operater"]

    with running(stack, changed(stack.release, misspell)) as pod, pytest.raises(PodError, match="exit code 1"):
        pod.wait_ready()


def test_a_missing_right_makes_it_fail(stack: Stack) -> None:
    """An account that the chart's roles are not about."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bare", "namespace": "videogen"}}
    stack.apply(account)
    bare = changed(stack.release, lambda spec: spec.update(serviceAccountName="bare", serviceAccount="bare"))
    with running(stack, bare) as pod, pytest.raises(PodError, match="403"):
        pod.wait_ready(timeout=6)


def test_a_missing_service_account_makes_it_fail(stack: Stack) -> None:
    nobody = changed(stack.release, lambda spec: spec.update(serviceAccountName="nobody", serviceAccount="nobody"))
    with pytest.raises(ControlPlaneError, match="nobody"), Pod(stack.plane, nobody):
        pass


def test_no_mounted_token_makes_it_fail(stack: Stack) -> None:
    without = changed(stack.release, lambda spec: spec.update(automountServiceAccountToken=False))
    with running(stack, without) as pod, pytest.raises(PodError, match="no ServiceAccount"):
        pod.wait_ready()


def test_a_pod_that_is_not_restricted_is_refused(stack: Stack) -> None:
    def loosen(spec: dict[str, Any]) -> None:
        spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True

    with pytest.raises(ApiError, match="allowPrivilegeEscalation"), Pod(stack.plane, changed(stack.release, loosen)):
        pass


def test_a_folder_outside_the_volumes_is_refused_on_a_read_only_root(stack: Stack) -> None:
    def unmount(spec: dict[str, Any]) -> None:
        spec["containers"][0]["volumeMounts"][0]["mountPath"] = "/scratch"

    with pytest.raises(PodError, match="read-only"), Pod(stack.plane, changed(stack.release, unmount)):
        pass


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, "secretKeyRef"),
        ({"valueFrom": {"fieldRef": {"fieldPath": "spec.hostname.x"}}}, "spec.hostname.x"),
    ],
)
def test_a_source_that_is_not_known_is_refused(entry: Mapping[str, Any], words: str) -> None:
    pod = {"metadata": {}, "spec": {"containers": [{"env": [{"name": "A", **entry}]}]}}
    with pytest.raises(PodError, match=words):
        container.environment(pod, container.Mounts({}), {})


def test_references_to_earlier_variables_are_expanded() -> None:
    env = [{"name": "A", "value": "x"}, {"name": "B", "value": "$(A)/y/$(C)"}]
    pod = {"metadata": {}, "spec": {"containers": [{"env": env}]}}
    assert container.environment(pod, container.Mounts({}), {})["B"] == "x/y/$(C)"


def test_only_paths_below_a_mount_are_rewritten() -> None:
    mounts = container.Mounts({"/data": Path("/here"), "/data/deep": Path("/there")})
    texts = ["/data", "/data/a", "/data/deep/b", "/database", "a/data"]
    assert [mounts.local(text) for text in texts] == ["/here", "/here/a", "/there/b", "/database", "a/data"]
