"""Builds the control plane from the Go modules that `hack/tools` pins, and other Go programs."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from provision import steps
from provision.failure import PartError
from provision.keeper import Keeper

VERSION = "v1.36.2"
TOOLS = Path(__file__).parent.parent / "tools"
SUMS = TOOLS / "go.sum"

# Without these the API server calls itself v0.0.0-master, and Helm's kubeVersion check fails.
_STAMP = "-X k8s.io/component-base/version."
_LDFLAGS = f"-s -w {_STAMP}gitVersion={VERSION} {_STAMP}gitMajor=1 {_STAMP}gitMinor=36"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Program:
    """A Go package, how long its build takes on two cores, and how many packages that compiles."""

    package: str
    usually: str
    packages: int


_PROGRAMS = {
    "etcd": _Program(package="go.etcd.io/etcd/server/v3", usually="1 to 2 min", packages=570),
    "kube-apiserver": _Program(package="k8s.io/kubernetes/cmd/kube-apiserver", usually="3 to 9 min", packages=1570),
    "kubectl": _Program(package="k8s.io/kubernetes/cmd/kubectl", usually="20 s to 1 min", packages=200),
}


def build(keeper: Keeper, folder: Path, names: Iterable[str]) -> None:
    """Build the named programs into `folder`, each whole or not at all. Raises PartError."""
    go = go_command("kube-apiserver, etcd and kubectl, or put them somewhere and set KUBEBUILDER_ASSETS")
    for name in names:
        partial = folder / f".{name}.partial"
        steps.run(keeper, _step(go, name, partial))
        partial.rename(folder / name)


def go_command(wanted: str) -> str:
    """Where the Go tool is. Raises PartError that says what to install."""
    if go := shutil.which("go"):
        return go
    raise PartError(f"Go is not installed: install Go 1.26 or newer (https://go.dev/dl) to build {wanted}")


def _step(go: str, name: str, target: Path) -> steps.Step:
    program = _PROGRAMS[name]
    return steps.Step(
        part="control plane",
        what=f"building {name} {VERSION if name != 'etcd' else ''}".strip() + " from source",
        usually=f"{program.usually} on two cores",
        # -v names each package as it is compiled: that is the measure of how far the build is.
        argv=[go, "build", "-v", "-trimpath", "-ldflags", _LDFLAGS, "-o", target, program.package],
        env={"CGO_ENABLED": "0"},
        cwd=TOOLS,
        how_far=lambda log: _how_far(log, program.packages),
    )


def _how_far(log: Path, packages: int) -> str:
    lines = log.read_text(errors="replace").splitlines()
    if lines and lines[-1].startswith("go: downloading"):
        return f"{len(lines)} modules downloaded"
    compiled = sum(not line.startswith("go: ") for line in lines)
    return f"{compiled} packages compiled ({packages} when Go's own cache is empty)"
