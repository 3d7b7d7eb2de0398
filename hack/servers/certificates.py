"""Certificates and keys of one short-lived control plane."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = dt.timedelta(days=30)
_SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Files of a certificate and its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificates:
    """What a control plane needs; the admin is in `system:masters`."""

    authority: Path
    server: Pair
    admin: Pair
    account_key: Path


def make(folder: Path) -> Certificates:
    """Write fresh certificates into `folder`, valid for 30 days, each key readable by its owner alone."""
    folder.mkdir(mode=0o700)
    issuer = _Issuer()
    authority = folder / "ca.crt"
    authority.write_bytes(issuer.certificate.public_bytes(serialization.Encoding.PEM))
    account_key = folder / "service-accounts.key"
    _write_key(account_key, _new_key())
    return Certificates(
        authority=authority,
        server=issuer.issue(folder / "apiserver", "kube-apiserver", None, _server_usage()),
        admin=issuer.issue(folder / "admin", "admin", "system:masters", [_client_usage()]),
        account_key=account_key,
    )


class _Issuer:
    """A certificate authority that lives as long as one call of `make`: its key is never written."""

    def __init__(self) -> None:
        self._key = _new_key()
        name = _name("videogen development", None)
        self.certificate = (
            _builder(name, name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def issue(self, path: Path, user: str, group: str | None, usage: list[x509.ExtensionType]) -> Pair:
        key = _new_key()
        builder = _builder(_name(user, group), self.certificate.subject, key)
        for extension in usage:
            builder = builder.add_extension(extension, critical=False)
        pair = Pair(certificate=path.with_suffix(".crt"), key=path.with_suffix(".key"))
        signed = builder.sign(self._key, hashes.SHA256())
        pair.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        _write_key(pair.key, key)
        return pair


def _server_usage() -> list[x509.ExtensionType]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _SERVER_NAMES]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    return [x509.SubjectAlternativeName(names), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])]


def _client_usage() -> x509.ExtensionType:
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(user: str, group: str | None) -> x509.Name:
    organization = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*organization, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _VALID)
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            # Not PKCS #8: the API server finds no public key for tokens in that.
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
