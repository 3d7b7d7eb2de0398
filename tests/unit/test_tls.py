"""No key leaves for a server that cannot prove its name."""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fakes.raw_server import RawServer, http, replying
from videogen_operator.adapters.object_store import S3Stores
from videogen_operator.adapters.video_api import HttpVideoApi
from videogen_operator.errors import StoreTrouble
from videogen_operator.ports import Answer, Created, NoAnswer, StoreAddress, StoreCredentials, Wire
from videogen_operator.redaction import Secret

KEY = Secret("sk-canary-0123456789")
CREDENTIALS = StoreCredentials(access_key_id="k", secret_access_key=Secret("s"))
REFUSED = ["expired", "other name", "unknown authority", "signed by itself"]


@dataclass(frozen=True)
class Authority:
    """Signs certificates of 127.0.0.1."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey

    @property
    def file(self) -> Path:
        path = self.folder / f"{self.name}.pem"
        path.write_bytes(self._built(self.name, self.key, days=1, host=None).public_bytes(serialization.Encoding.PEM))
        return path

    def server(self, host: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        path = self.folder / f"server-{self.name}-{days}-{host}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        built = self._built("server", key, days=days, host=host)
        path.write_bytes(secret + built.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _built(self, name: str, key: ec.EllipticCurvePrivateKey, *, days: int, host: str | None) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=9))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host is not None:
            address = x509.IPAddress(ipaddress.ip_address(host))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def contexts(folder: Path) -> dict[str, ssl.SSLContext]:
    known = Authority(folder, "known", ec.generate_private_key(ec.SECP256R1()))
    other = Authority(folder, "other", ec.generate_private_key(ec.SECP256R1()))
    own = Authority(folder, "server", ec.generate_private_key(ec.SECP256R1()))
    known.file.rename(folder / "trusted.pem")
    return {
        "good": known.server(),
        "expired": known.server(days=-1),
        "other name": known.server(host="127.0.0.2"),
        "unknown authority": other.server(),
        "signed by itself": own.server(),
    }


@pytest.fixture
def trusted(folder: Path, contexts: dict[str, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch) -> None:
    """One authority is trusted, by the environment variables that a pod would set."""
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(folder / "trusted.pem"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("case", REFUSED)
def test_a_gateway_that_cannot_prove_its_name_gets_nothing(contexts: dict[str, ssl.SSLContext], case: str) -> None:
    with RawServer(replying(http(200, b"{}")), tls=contexts[case]) as server:
        answer = HttpVideoApi(trust_env=True).submit(server.url, KEY, b"{}", timeout=5)
    assert isinstance(answer, NoAnswer)
    assert answer.wire is Wire.NOT_SENT
    assert "certificate" in answer.detail.lower()
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
def test_a_gateway_of_a_trusted_authority_is_taken(contexts: dict[str, ssl.SSLContext]) -> None:
    with RawServer(replying(http(200, b"{}")), tls=contexts["good"]) as server:
        assert isinstance(HttpVideoApi(trust_env=True).submit(server.url, KEY, b"{}", timeout=5), Answer)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("case", REFUSED)
def test_a_store_that_cannot_prove_its_name_gets_nothing(contexts: dict[str, ssl.SSLContext], case: str) -> None:
    with RawServer(replying(http(200)), tls=contexts[case]) as server:
        address = StoreAddress(bucket="videos", endpoint=server.url, path_style=True)
        with pytest.raises(StoreTrouble, match="SSL"):
            S3Stores(connections=1).open(address, CREDENTIALS).create("k", b"")
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
def test_a_store_of_a_trusted_authority_is_taken(contexts: dict[str, ssl.SSLContext]) -> None:
    with RawServer(replying(http(200)), tls=contexts["good"]) as server:
        address = StoreAddress(bucket="videos", endpoint=server.url, path_style=True)
        assert S3Stores(connections=1).open(address, CREDENTIALS).create("k", b"") is Created.WON
