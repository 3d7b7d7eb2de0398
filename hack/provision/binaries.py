"""Finds etcd, kube-apiserver and kubectl: environment, cache, published archive, build from source."""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from provision import archive, cache, gobuild, progress
from provision.downloads import DownloadError
from provision.failure import PartError
from provision.keeper import Keeper

NAMES = ("etcd", "kube-apiserver", "kubectl")
PART = "control plane"


def machine() -> str:
    """System and processor as Go names them, such as linux-amd64."""
    processor = platform.machine().lower()
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    return f"{sys.platform}-{names.get(processor, processor)}"


def cached() -> Path:
    """The folder of the cache for this version, whether it is filled or not."""
    return cache.root() / f"controlplane-{gobuild.VERSION}-{cache.key(gobuild.SUMS.read_bytes())}-{machine()}"


def missing(folder: Path) -> list[str]:
    """Which of the three programs a folder lacks."""
    return [name for name in NAMES if not os.access(folder / name, os.X_OK)]


def find(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder with all three programs, without fetching or building. Raises PartError."""
    named = environ.get("KUBEBUILDER_ASSETS")
    if named and not missing(Path(named)):
        return Path(named)
    if not missing(cached()):
        return cached()
    raise PartError("etcd, kube-apiserver and kubectl are not there yet: `make test` or `make demo` gets them")


def provide(keeper: Keeper, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder with all three programs, fetched or built where needed; says which way and why.

    Raises PartError when no way worked; it says what to install.
    """
    return _from_environment(environ) or _from_cache() or _made(keeper, environ)


def _from_environment(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("KUBEBUILDER_ASSETS")
    if not named:
        return None
    if lacks := missing(Path(named)):
        progress.say(PART, f"KUBEBUILDER_ASSETS={named} lacks {', '.join(lacks)}: looking elsewhere")
        return None
    progress.say(PART, f"from KUBEBUILDER_ASSETS={named}")
    return Path(named)


def _from_cache() -> Path | None:
    if missing(cached()):
        return None
    progress.say(PART, f"{gobuild.VERSION} from the cache, {cached()}")
    return cached()


def _made(keeper: Keeper, environ: Mapping[str, str]) -> Path:
    folder = cached()
    progress.say(PART, f"{gobuild.VERSION} is not in the cache, {folder}")
    with cache.only_one(folder.name, lambda: progress.say(PART, "another set-up is getting it: waiting")):
        folder.mkdir(parents=True, exist_ok=True)
        if missing(folder) and not _downloaded(keeper, folder, environ):
            gobuild.build(keeper, folder, missing(folder))
    return folder


def _downloaded(keeper: Keeper, folder: Path, environ: Mapping[str, str]) -> bool:
    try:
        archive.unpack_into(folder, NAMES, machine(), keeper.directory, environ)
    except DownloadError as error:
        progress.say(PART, f"the published archive is of no use: {error}; building from source")
        return False
    return not missing(folder)
