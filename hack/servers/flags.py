"""The command lines of etcd and kube-apiserver, as envtest of the Kubernetes project runs them."""

from dataclasses import dataclass
from pathlib import Path

from servers.certificates import Certificates

AUDIT_POLICY = Path(__file__).with_name("audit-policy.yaml")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Loopback ports of one control plane."""

    etcd: int
    etcd_peer: int
    api: int


def etcd(program: Path, folder: Path, ports: Ports, *, unsafe_no_fsync: bool) -> list[str]:
    """One etcd member; without fsync it loses data when the machine stops, which a test does not mind."""
    client, peer = f"http://127.0.0.1:{ports.etcd}", f"http://127.0.0.1:{ports.etcd_peer}"
    command = [
        str(program),
        "--name=default",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--quota-backend-bytes=8589934592",
        "--log-level=warn",
    ]
    return [*command, "--unsafe-no-fsync"] if unsafe_no_fsync else command


def apiserver(program: Path, folder: Path, ports: Ports, certificates: Certificates) -> list[str]:
    """An API server with RBAC, admission on and an audit log.

    ServiceAccount admission is off: it refuses pods until a controller has made the `default`
    ServiceAccount, and no controllers run here.
    """
    return [
        str(program),
        f"--etcd-servers=http://127.0.0.1:{ports.etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--secure-port={ports.api}",
        f"--cert-dir={folder / 'apiserver'}",
        f"--tls-cert-file={certificates.server.certificate}",
        f"--tls-private-key-file={certificates.server.key}",
        f"--client-ca-file={certificates.authority}",
        "--authorization-mode=RBAC",
        "--enable-admission-plugins=NamespaceLifecycle,PodSecurity,ValidatingAdmissionPolicy",
        "--disable-admission-plugins=ServiceAccount",
        "--allow-privileged=true",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={certificates.account_key}",
        f"--service-account-signing-key-file={certificates.account_key}",
        f"--audit-policy-file={AUDIT_POLICY}",
        f"--audit-log-path={folder / 'audit.log'}",
        "--audit-log-maxsize=100000",
        "--profiling=false",
    ]
