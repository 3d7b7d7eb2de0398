"""The command lines and ports of the development servers."""

import socket
from pathlib import Path

import pytest

from servers import flags, seaweedfs
from servers.certificates import Certificates, Pair
from servers.ports import PortTaken, free_ports, says_port_taken, with_free_ports

_HERE = Path("/run/one")
_PORTS = flags.Ports(etcd=1, etcd_peer=2, api=3)
_PAIR = Pair(certificate=Path("a.crt"), key=Path("a.key"))
_CERTIFICATES = Certificates(authority=Path("ca.crt"), server=_PAIR, admin=_PAIR, account_key=Path("sa.key"))


@pytest.mark.parametrize("off", [True, False])
def test_fsync_is_a_switch(off: bool) -> None:
    assert ("--unsafe-no-fsync" in flags.etcd(Path("etcd"), _HERE, _PORTS, unsafe_no_fsync=off)) is off


def test_the_api_server_has_rbac_admission_and_an_audit_log() -> None:
    command = flags.apiserver(Path("kube-apiserver"), _HERE, _PORTS, _CERTIFICATES)
    assert "--authorization-mode=RBAC" in command
    assert "--enable-admission-plugins=NamespaceLifecycle,PodSecurity,ValidatingAdmissionPolicy" in command
    assert "--audit-log-path=/run/one/audit.log" in command
    assert "level: Metadata" in flags.AUDIT_POLICY.read_text()


def test_all_servers_listen_on_loopback_only(tmp_path: Path) -> None:
    etcd = flags.etcd(Path("etcd"), _HERE, _PORTS, unsafe_no_fsync=True)
    assert all("127.0.0.1" in part for part in etcd if "urls" in part)
    assert "--bind-address=127.0.0.1" in flags.apiserver(Path("a"), _HERE, _PORTS, _CERTIFICATES)
    assert "-ip.bind=127.0.0.1" in seaweedfs.mini(Path("weed"), tmp_path, _weed_ports())


def test_the_s3_server_is_strict_silent_and_on_ports_of_its_own(tmp_path: Path) -> None:
    command = seaweedfs.mini(Path("weed"), tmp_path, _weed_ports())
    assert {"-s3.autoCreateBucket=false", "-master.telemetry=false", "-webdav=false"} <= set(command)
    told = {part.rpartition("=")[2] for part in command if ".port" in part}
    assert told == {str(number) for number in _weed_ports()} | {"0"}


def test_a_server_for_load_runs_has_room(tmp_path: Path) -> None:
    assert "-volume.max=20" in seaweedfs.server(Path("weed"), tmp_path, _weed_ports(), 20)


def test_a_socket_under_another_port_is_known_too() -> None:
    """SeaweedFS takes the next gRPC port when one is taken, and names its socket file after it."""
    log = "W1123 mini.go:1046 gRPC port 13139 for Filer is not available, finding alternative..."
    assert [path.name for path in seaweedfs.other_sockets(log)] == ["seaweedfs-filer-grpc-13140.sock"]
    assert seaweedfs.other_sockets("ready") == []


def _weed_ports() -> seaweedfs.Ports:
    return seaweedfs.Ports(*range(101, 101 + seaweedfs.PORTS))


def test_free_ports_are_different_and_below_those_of_outgoing_connections() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    assert max(found) < 32768


def test_a_taken_port_is_not_given() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"), socket.socket() as second:
            second.bind(listener.getsockname())


def test_a_lost_race_for_a_port_is_run_again_with_others() -> None:
    tried: list[list[int]] = []

    def start(ports: list[int]) -> str:
        tried.append(ports)
        if len(tried) < 3:
            raise PortTaken("someone was faster")
        return "started"

    assert with_free_ports(2, start) == "started"
    assert len({tuple(ports) for ports in tried}) == 3


def test_a_race_that_is_always_lost_ends() -> None:
    tried: list[list[int]] = []

    def start(ports: list[int]) -> None:
        tried.append(ports)
        raise PortTaken("someone is always faster")

    with pytest.raises(PortTaken):
        with_free_ports(1, start)
    assert len(tried) == 6


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ('"failed to create listener: listen tcp 127.0.0.1:3: bind: address already in use"', True),
        ("F1123 bind: Address already in use", True),
        ("E1123 mini.go:1244 Port allocation failed: port 26205 for S3 is not available on 127.0.0.1", True),
        ("ready", False),
    ],
)
def test_a_log_tells_whether_a_port_was_taken(line: str, taken: bool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(line)
    assert says_port_taken(log) is taken


def test_no_log_tells_nothing(tmp_path: Path) -> None:
    assert not says_port_taken(tmp_path / "none")
