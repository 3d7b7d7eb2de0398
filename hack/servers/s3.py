"""A real S3 server (SeaweedFS) on free loopback ports, for as long as a `with` block lasts."""

import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from provision.failure import PartError
from provision.keeper import Keeper, last_lines
from servers import seaweedfs
from servers.ports import PortTaken, says_port_taken, with_free_ports

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_READY_WITHIN = 60.0  # seconds; below 2 on two idle cores
_LOOK_AGAIN = 0.05
_REGION = "us-east-1"
# Addresses are path-style, since names such as videos.localhost do not resolve everywhere.
_PATIENT = Config(s3={"addressing_style": "path"}, retries={"mode": "standard"})
_NO_PATIENCE = Config(
    s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5
)


class S3ServerError(RuntimeError):
    """The S3 server did not become ready."""


class S3Server:
    """Strict as a cloud's store: signatures and checksums are checked, a missing bucket stays missing.

    With `volumes` it is a server for load runs that holds about so many GB; without, some hundred MB.
    Everything lies in a temporary directory; it and the process go when the block ends or this process
    dies, by whatever signal.

    Inside the block: `endpoint`, `access_key`, `secret_key`, `region`, `directory` (temporary), `pid`.
    """

    endpoint: str
    directory: Path
    pid: int

    def __init__(self, *buckets: str, volumes: int | None = None) -> None:
        self.access_key = secrets.token_hex(8)
        self.secret_key = secrets.token_hex(16)
        self.region = _REGION
        self._buckets = buckets
        self._volumes = volumes

    def __enter__(self) -> Self:
        self._program = find()
        with_free_ports(seaweedfs.PORTS, self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeper.close()

    def client(
        self, *, access_key: str | None = None, secret_key: str | None = None, config: Config = _PATIENT
    ) -> "S3Client":
        """A client with path-style addresses, as the owner or with other credentials."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=access_key or self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            config=config,
        )

    def make_bucket(self, name: str) -> str:
        """Make one more bucket and return its name."""
        self.client().create_bucket(Bucket=name)
        return name

    def stop(self) -> None:
        """End the server at once, for outage tests; the data stays."""
        self._keeper.stop("weed", grace=0)

    def start(self) -> None:
        """Start it again on the same ports and data, and wait until it is ready."""
        self.pid = self._keeper.start("weed", self._command, env=self._identity())
        self._wait_until_ready()

    def _start(self, ports: Sequence[int]) -> None:
        self._keeper = Keeper("videogen-s3")
        self.directory = self._keeper.directory
        where = seaweedfs.Ports(*ports)
        self.endpoint = f"http://127.0.0.1:{where.s3}"
        self._ports = where
        self._command = self._command_line(where)
        try:
            for path in seaweedfs.sockets(where):
                self._keeper.remove_at_end(path)
            self.start()
            for path in seaweedfs.other_sockets(self._keeper.log("weed").read_text()):
                self._keeper.remove_at_end(path)
            for bucket in self._buckets:
                self.make_bucket(bucket)
        except BaseException:
            self._keeper.close()
            raise

    def _identity(self) -> dict[str, str]:
        return seaweedfs.environment(self.directory, self.access_key, self.secret_key)

    def _command_line(self, ports: seaweedfs.Ports) -> list[str]:
        if self._volumes is None:
            return seaweedfs.mini(self._program, self.directory, ports)
        return seaweedfs.server(self._program, self.directory, ports, self._volumes)

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + _READY_WITHIN
        while not self._is_ready():
            code, log = self._keeper.poll("weed"), self._keeper.log("weed")
            if code is not None and says_port_taken(log):
                raise PortTaken("weed")
            if code is not None or time.monotonic() > until:
                raise S3ServerError(f"the S3 server is not ready (code {code}):\n{last_lines(log)}")
            time.sleep(_LOOK_AGAIN)

    def _is_ready(self) -> bool:
        """A listing of the buckets answers only when the filer behind the server does, too."""
        probe = self.client(config=_NO_PATIENCE)
        try:
            probe.list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return seaweedfs.is_whole(self._ports.master)


def find() -> Path:
    """The SeaweedFS program that is installed beside this Python. Raises PartError."""
    beside = Path(sys.executable).with_name("weed")
    found = beside if beside.exists() else shutil.which("weed")
    if not found:
        raise PartError("SeaweedFS (weed) is not installed: `make test` or `make demo` installs it")
    return Path(found)
