"""The control plane that the Kubernetes project publishes for tests (envtest), checked by its sum."""

import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provision import downloads
from provision.downloads import DownloadError

_PUBLISHED = "https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-v1.36.2"
# envtest-releases.yaml of kubernetes-sigs/controller-tools
_SHA512 = {
    "linux-amd64": "ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dc"
    "f30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08",
    "linux-arm64": "2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae2818"
    "1afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """Where the archive for one kind of machine is, and the sum it must have."""

    url: str
    sha512: str


def published(machine: str, environ: Mapping[str, str]) -> Archive:
    """The archive for a machine; `VIDEOGEN_ENVTEST_URL` names a mirror's folder. Raises DownloadError."""
    if machine not in _SHA512:
        raise DownloadError(f"none is pinned for {machine}")
    base = environ.get("VIDEOGEN_ENVTEST_URL", _PUBLISHED).rstrip("/")
    return Archive(url=f"{base}/envtest-v1.36.2-{machine}.tar.gz", sha512=_SHA512[machine])


def unpack_into(folder: Path, names: Iterable[str], machine: str, temporary: Path, environ: Mapping[str, str]) -> None:
    """Download, check, then put the named programs into `folder`. Raises DownloadError."""
    take(published(machine, environ), folder, names, temporary)


def take(source: Archive, folder: Path, names: Iterable[str], temporary: Path) -> None:
    """Put the named programs of an archive into `folder`, each whole or not at all. Raises DownloadError."""
    packed = temporary / "envtest.tar.gz"
    try:
        downloads.fetch(source.url, packed, sha512=source.sha512, part="control plane")
        with tarfile.open(packed) as tar:
            for name in names:
                _put(tar, f"controller-tools/envtest/{name}", folder / name)
    except (tarfile.TarError, KeyError, OSError) as error:
        raise DownloadError(f"the archive does not unpack: {error}") from error
    finally:
        packed.unlink(missing_ok=True)


def _put(tar: tarfile.TarFile, member: str, target: Path) -> None:
    content = tar.extractfile(member)
    if content is None:
        raise KeyError(f"{member} is no file")
    partial = target.with_name(f".{target.name}.partial")
    with content, partial.open("wb") as file:
        while data := content.read(1 << 20):
            file.write(data)
    partial.chmod(0o755)
    partial.rename(target)
