"""The README, done as it says: its installation ends with a stored video, its manifest and its table are real."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from class_manifests import Parts, rehearsal_class
from podrunner.pod import Pod
from podrunner.release import ROOT, installed
from provision import binaries, helm
from servers.control_plane import ControlPlane
from servers.s3 import S3Server
from simulator_process import SimulatorProcess
from stack import Stack

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What a reader has: a shell in a checkout, a cluster, a gateway and a bucket."""

    plane: ControlPlane
    gateway: SimulatorProcess
    store: S3Server
    folder: Path

    def run(self, commands: str) -> str:
        """Run commands as they are printed; what they wrote."""
        env = self.plane.environment()
        env["PATH"] = os.pathsep.join([str(self.folder / "programs"), env["PATH"]])
        shell = ["bash", "-euo", "pipefail", "-x"]
        done = subprocess.run(
            shell, input=commands, env=env, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The checkout's folders, kubectl and Helm in the PATH, the key files, and `my-class.yaml`, a class named veo."""
    for name in ("charts", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "kubectl").symlink_to(binaries.find() / "kubectl")
    (tmp_path / "programs" / "helm").symlink_to(helm.find(4))
    with ControlPlane() as plane, SimulatorProcess("--time-scale", "60") as gateway, S3Server("videos") as store:
        desk = Desk(plane=plane, gateway=gateway, store=store, folder=tmp_path)
        write_what_the_reader_has(desk)
        yield desk


def write_what_the_reader_has(desk: Desk) -> None:
    """The three key files and the class of a gateway that is live."""
    (desk.folder / "api-key.txt").write_text("sim-key\n")  # an editor ends a file with a newline
    (desk.folder / "access-key-id.txt").write_text(desk.store.access_key)
    (desk.folder / "secret-access-key.txt").write_text(desk.store.secret_key)
    parts = Parts(
        endpoint=desk.gateway.base_url,
        key_secret="video-api-key",
        store_endpoint=desk.store.endpoint,
        bucket="videos",
        bucket_secret="video-bucket",
    )
    (desk.folder / "my-class.yaml").write_text(json.dumps(rehearsal_class("veo", parts)))


def installation() -> Sequence[str]:
    """The shell blocks of the section on installation, but for the image, which no process here needs."""
    section = README.partition("\n## Install into a cluster\n")[2].partition("\n## ")[0]
    blocks = [text for language, text in BLOCK.findall(section) if language in {"", "sh", "bash", "console"}]
    return [re.sub(r"^docker .*\n", "", block, flags=re.MULTILINE) for block in blocks]


def test_the_installation_ends_with_a_stored_video(desk: Desk) -> None:
    """Its commands, in their order, with the operator running from the Deployment that they made."""
    install, *then = installation()
    desk.run(install)
    with Pod(desk.plane, installed(desk.plane)) as pod:
        pod.start().wait_ready()
        desk.run("\n".join(then))
    (task,) = desk.gateway.ledger()["tasks"]
    assert task["downloads"][-1]["whole"]


def test_the_table_has_kubectls_columns(stack: Stack) -> None:
    namespace = stack.plane.namespace("table")
    stack.apply((ROOT / "examples" / "quickstart.yaml").read_text(), namespace=namespace)
    printed = stack.plane.kubectl("get", "videogenerations", "--namespace", namespace).stdout.splitlines()[0]
    (shown,) = re.findall(r"^NAME .*$", README, re.MULTILINE)
    assert shown.split() == printed.split()


def test_the_manifest_is_accepted(stack: Stack) -> None:
    (manifest,) = [yaml.safe_load(text) for language, text in BLOCK.findall(README) if language == "yaml"]
    assert "created" in stack.apply(manifest, namespace=stack.plane.namespace("readme"))
