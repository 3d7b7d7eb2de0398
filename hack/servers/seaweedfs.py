"""The command line of SeaweedFS as one strict S3 server on loopback."""

import json
import re
import urllib.request
from pathlib import Path
from typing import NamedTuple


class Ports(NamedTuple):
    """Every port that SeaweedFS listens on: the default gRPC ports are 10000 higher and may be taken."""

    s3: int
    s3_grpc: int
    master: int
    master_grpc: int
    volume: int
    volume_grpc: int
    filer: int
    filer_grpc: int
    admin: int
    admin_grpc: int


PORTS = len(Ports._fields)


def mini(program: Path, folder: Path, ports: Ports) -> list[str]:
    """A small server, ready in about a second; it holds some hundred MB."""
    admin = [f"-admin.port={ports.admin}", f"-admin.port.grpc={ports.admin_grpc}", "-admin.ui=false"]
    return [str(program), "mini", *_shared(folder, ports), *admin, "-webdav=false"]


def server(program: Path, folder: Path, ports: Ports, volumes: int) -> list[str]:
    """A server for load runs: `volumes` volumes of 1 GB. `mini` gave InternalError after 0.4 GB of 40 MB."""
    room = [f"-volume.max={volumes}", "-master.volumeSizeLimitMB=1024"]
    return [str(program), "server", "-s3", *_shared(folder, ports), *room]


def environment(folder: Path, access_key: str, secret_key: str) -> dict[str, str]:
    """The one identity that the server knows, and a home where it finds no other configuration."""
    return {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }


def sockets(ports: Ports) -> list[Path]:
    """Files that SeaweedFS 4.48 leaves in /tmp, whatever it is told, when it is killed."""
    parts = ("s3", "master", "volume", "filer", "admin")
    return [_socket(part, getattr(ports, f"{part}_grpc")) for part in parts]


def other_sockets(log: str) -> list[Path]:
    """The same for gRPC ports that were taken: SeaweedFS then goes on with the next one."""
    lost = re.findall(r"gRPC port (\d+) for (\w+) is not available", log)
    return [_socket(part.lower(), int(port) + 1) for port, part in lost]


def _socket(part: str, port: int) -> Path:
    return Path("/tmp", f"seaweedfs-{part}-grpc-{port}.sock")  # noqa: S108  # a fixed place in SeaweedFS


def is_whole(master: int) -> bool:
    """True when the volume server has reported to the master: before that nothing can be read."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{master}/dir/status", timeout=2) as answer:
            return bool(json.load(answer)["Topology"].get("DataCenters"))
    except (OSError, ValueError, KeyError):
        return False


def _shared(folder: Path, ports: Ports) -> list[str]:
    data = folder / "data"
    data.mkdir()
    return [
        f"-dir={data}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{part}.port={getattr(ports, part)}" for part in ("s3", "master", "volume", "filer")),
        *(f"-{part}.port.grpc={getattr(ports, f'{part}_grpc')}" for part in ("s3", "master", "volume", "filer")),
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        # Without this a PUT to a misspelt bucket makes the bucket.
        "-s3.autoCreateBucket=false",
        "-master.telemetry=false",
        # Relative to the folder: the default is a file in /tmp, and a socket's path is short by law.
        "-s3.localSocket=s3.sock",
        "-filer.localSocket=filer.sock",
    ]
