"""What the bucket's adapter sends, what each failure means, and what the probe refuses."""

import base64
import hashlib
import io
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from fakes.raw_server import RawServer, http, replying, reset
from videogen_operator.adapters import store_probe
from videogen_operator.adapters.object_store import S3ObjectStore, S3Stores
from videogen_operator.errors import StoreReason, StoreTrouble
from videogen_operator.ports import Created, StoreAddress, StoreCredentials
from videogen_operator.redaction import Secret

CREDENTIALS = StoreCredentials(access_key_id="AKIDEXAMPLE", secret_access_key=Secret("canary-secret"))
STORES = S3Stores(connections=2)
SESSION = boto3.session.Session()


def store_at(url: str, credentials: StoreCredentials | None = CREDENTIALS) -> S3ObjectStore:
    return STORES.open(StoreAddress(bucket="videos", endpoint=url, path_style=True), credentials)


def error(code: str, message: str = "m") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def trouble(call: Callable[[], object]) -> StoreTrouble:
    with pytest.raises(StoreTrouble) as caught:
        call()
    return caught.value


def headers(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


# ---------------------------------------------------------------- writes


def test_a_record_is_created_only_and_checksummed() -> None:
    with RawServer(replying(http(200))) as server:
        assert store_at(server.url).create("a/b.json", b"{}") is Created.WON
    sent = headers(server.requests[0])
    assert server.requests[0].startswith(b"PUT /videos/a/b.json HTTP/1.1")
    assert sent["if-none-match"] == "*"
    assert sent["content-type"] == "application/json"
    assert sent["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(b"{}").digest()).decode()


def test_a_film_is_one_put_that_says_what_it_is() -> None:
    film, digest = b"film" * 1000, hashlib.sha256(b"film" * 1000)
    with RawServer(replying(http(200))) as server:
        store_at(server.url).create_video(
            "a/clip.mp4", io.BytesIO(film), size=len(film), sha256=digest.hexdigest(), metadata={"Task": "t"}
        )
    (request,) = server.requests
    sent = headers(request)
    assert request.endswith(film)
    assert sent["if-none-match"] == "*"
    assert sent["content-type"] == "video/mp4"
    assert sent["content-disposition"] == 'inline; filename="clip.mp4"'
    assert sent["content-length"] == str(len(film))
    assert sent["x-amz-checksum-sha256"] == base64.b64encode(digest.digest()).decode()
    assert sent["x-amz-meta-task"] == "t"


@pytest.mark.parametrize("reply", [http(500, error("InternalError")), http(503, error("SlowDown")), b"", b"HTTP/1.1 2"])
def test_a_create_is_tried_once(reply: bytes) -> None:
    """A repeated PUT would be answered 412 by its own first try."""
    with RawServer(replying(reply)) as server:
        assert trouble(lambda: store_at(server.url).create("k", b"")).reason is StoreReason.UNAVAILABLE
    assert len(server.requests) == 1


def test_a_create_whose_connection_is_reset_is_tried_once() -> None:
    with RawServer(reset) as server:
        assert trouble(lambda: store_at(server.url).create("k", b"")).reason is StoreReason.UNAVAILABLE
    assert len(server.requests) == 1


def test_a_read_is_tried_again() -> None:
    def script(connection: socket.socket, _: bytes) -> None:
        broken = len(server.requests) < 2
        connection.sendall(http(500, error("InternalError")) if broken else http(200, b"found"))

    with RawServer(script) as server:
        assert store_at(server.url).read("k") == b"found"


# ---------------------------------------------------------------- meanings


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (404, "NoSuchBucket", StoreReason.BUCKET_NOT_FOUND),
        (404, "NoSuchKey", StoreReason.BUCKET_NOT_FOUND),
        (403, "AccessDenied", StoreReason.ACCESS_DENIED),
        (403, "SignatureDoesNotMatch", StoreReason.ACCESS_DENIED),
        (403, "InvalidAccessKeyId", StoreReason.ACCESS_DENIED),
        (400, "ExpiredToken", StoreReason.ACCESS_DENIED),
        (403, "SomethingNew", StoreReason.ACCESS_DENIED),
        (401, "", StoreReason.ACCESS_DENIED),
        (501, "NotImplemented", StoreReason.CONDITIONAL_WRITES_UNSUPPORTED),
        (409, "ConditionalRequestConflict", StoreReason.UNAVAILABLE),
        (400, "BadDigest", StoreReason.UNAVAILABLE),
        (507, "", StoreReason.UNAVAILABLE),
    ],
)
def test_a_refused_write_has_a_reason(status: int, code: str, reason: StoreReason) -> None:
    with RawServer(replying(http(status, error(code)))) as server:
        assert trouble(lambda: store_at(server.url).create("k", b"")).reason is reason


def test_a_create_that_came_second_is_no_trouble() -> None:
    with RawServer(replying(http(412, error("PreconditionFailed")))) as server:
        assert store_at(server.url).create("k", b"") is Created.EXISTS


@pytest.mark.parametrize("status", [403, 400])
def test_a_read_that_is_refused_is_not_an_absence(status: int) -> None:
    """Without the right to list, S3 answers 403 for what is not there: that must never mean "start over"."""
    with RawServer(replying(http(status, error("AccessDenied")))) as server:
        store = store_at(server.url)
        assert trouble(lambda: store.read("k")).reason is StoreReason.ACCESS_DENIED
        trouble(lambda: store.head("k"))
        trouble(lambda: store.keys("k"))


def test_redirects_without_end_are_trouble() -> None:
    """Botocore follows them by recursion."""
    with RawServer(replying(http(301, error("PermanentRedirect")))) as server:
        assert trouble(lambda: store_at(server.url).read("k")).reason is StoreReason.UNAVAILABLE


def test_a_get_in_a_missing_bucket_is_not_an_absence() -> None:
    with RawServer(replying(http(404, error("NoSuchBucket")))) as server:
        assert trouble(lambda: store_at(server.url).read("k")).reason is StoreReason.BUCKET_NOT_FOUND


def test_a_list_that_is_no_list_is_trouble() -> None:
    with RawServer(replying(http(200, b"<html>captive portal"))) as server:
        assert trouble(lambda: store_at(server.url).keys("")).reason is StoreReason.UNAVAILABLE


def test_a_body_that_breaks_off_is_trouble() -> None:
    with RawServer(replying(http(200, b"x" * 100)[:-1])) as server:
        assert trouble(lambda: store_at(server.url).read("k")).reason is StoreReason.UNAVAILABLE


def test_a_refused_connection_is_trouble() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    store = store_at(f"http://127.0.0.1:{port}")
    assert trouble(lambda: store.create("k", b"")).reason is StoreReason.UNAVAILABLE


@pytest.mark.parametrize("endpoint", ["nonsense", "http://", "http://a b"])
def test_an_endpoint_that_is_none_is_trouble(endpoint: str) -> None:
    address = StoreAddress(bucket="videos", endpoint=endpoint, path_style=True)
    trouble(lambda: STORES.open(address, CREDENTIALS).create("k", b""))


def test_an_identity_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    address = StoreAddress(bucket="videos", endpoint="http://127.0.0.1:1", path_style=True)
    found = trouble(lambda: S3Stores(connections=1).open(address, None).create("k", b""))
    assert found.reason is StoreReason.ACCESS_DENIED
    assert "credentials" in str(found)


@pytest.mark.parametrize(("credentials", "signer"), [(None, "AKIDAMBIENT"), (CREDENTIALS, "AKIDEXAMPLE")])
def test_without_credentials_of_the_class_a_request_is_signed_by_the_operators_own_identity(
    monkeypatch: pytest.MonkeyPatch, credentials: StoreCredentials | None, signer: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDAMBIENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ambient-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "ambient-token")
    with RawServer(replying(http(200))) as server:
        address = StoreAddress(bucket="videos", endpoint=server.url, path_style=True)
        S3Stores(connections=1).open(address, credentials).create("k", b"")
    sent = headers(server.requests[0])
    assert f"Credential={signer}/" in sent["authorization"]
    assert sent.get("x-amz-security-token") == (None if credentials else "ambient-token")


def test_a_request_is_signed_for_the_region_of_the_class() -> None:
    with RawServer(replying(http(200))) as server:
        address = StoreAddress(bucket="videos", region="eu-central-1", endpoint=server.url, path_style=True)
        STORES.open(address, CREDENTIALS).create("k", b"")
    assert "/eu-central-1/s3/aws4_request" in headers(server.requests[0])["authorization"]


def test_messages_are_one_short_line_without_the_secret() -> None:
    reply = http(403, error("SignatureDoesNotMatch", "a\nb https://x/?X-Amz-Signature=abc " * 99))
    with RawServer(replying(reply)) as server:
        said = str(trouble(lambda: store_at(server.url).create("k", b"")))
    assert len(said) <= 300
    assert "\n" not in said
    assert "abc" not in said


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RawServer(replying(http(200, b"x"))) as server:
        store_at(server.url).read("k")
    assert caplog.text == ""


def test_equal_addresses_and_credentials_share_a_client() -> None:
    address = StoreAddress(bucket="videos", endpoint="http://store.test")
    other = StoreCredentials(access_key_id="AKIDEXAMPLE", secret_access_key=Secret("rotated"))
    assert STORES.open(address, CREDENTIALS) is STORES.open(address, CREDENTIALS)
    assert STORES.open(address, CREDENTIALS) is not STORES.open(address, other)


# ---------------------------------------------------------------- addresses


KEYS = ["team/film/r1/film.mp4", "a b+c/ä&?#=%.mp4", "~x/_-.mp4"]


@pytest.mark.parametrize(
    "address",
    [
        StoreAddress(bucket="videos", region="eu-central-1"),
        StoreAddress(bucket="videos", region="us-east-1"),
        StoreAddress(bucket="videos", region="cn-north-1"),
        StoreAddress(bucket="videos", region="eu-central-1", path_style=True),
        StoreAddress(bucket="my.videos", region="eu-central-1"),
        StoreAddress(bucket="videos", endpoint="https://store.test"),
        StoreAddress(bucket="videos", endpoint="https://store.test:9000", path_style=True),
        StoreAddress(bucket="videos", endpoint="http://127.0.0.1:8333", path_style=True),
        StoreAddress(bucket="videos", endpoint="http://127.0.0.1:8333"),
        StoreAddress(bucket="videos", endpoint="http://[::1]:8333"),
        StoreAddress(bucket="videos", endpoint="https://store.test/base", path_style=True),
    ],
    ids=lambda address: address.endpoint + address.region + address.bucket,
)
def test_the_address_is_where_the_client_itself_would_look(address: StoreAddress) -> None:
    client = SESSION.client(
        "s3",
        endpoint_url=address.endpoint or None,
        region_name=address.region or "us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path" if address.path_style else "virtual"}),
    )
    store = STORES.open(address, CREDENTIALS)
    for key in KEYS:
        signed = client.generate_presigned_url("get_object", Params={"Bucket": address.bucket, "Key": key})
        assert store.url(key) == signed.partition("?")[0]


def test_the_uri_is_not_encoded() -> None:
    assert store_at("http://store.test").uri("a b/c.mp4") == "s3://videos/a b/c.mp4"


@pytest.mark.parametrize("base", ["https://media.example.net", "https://media.example.net/"])
def test_a_public_base_comes_before_the_whole_key(base: str) -> None:
    found = store_at("http://store.test").url("p/team/ä film.mp4", base)
    assert found == "https://media.example.net/p/team/%C3%A4%20film.mp4"


# ---------------------------------------------------------------- the probe


class Honest:
    """A store of a dictionary; subclasses cheat."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.lock = threading.Lock()

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self.content if key.startswith(prefix)]

    def read(self, key: str, *, limit: int = 1 << 20) -> bytes | None:
        return self.content.get(key)

    def create(self, key: str, body: bytes, *, content_type: str = "application/json") -> Created:
        with self.lock:
            if key in self.content:
                return Created.EXISTS
            self.content[key] = body
            return Created.WON

    def forget(self, key: str) -> None:
        self.content.pop(key, None)


class IgnoresTheCondition(Honest):
    def create(self, key: str, body: bytes, *, content_type: str = "application/json") -> Created:
        self.content[key] = body
        return Created.WON


class Races(Honest):
    """Looks whether the key is there, and writes later, as some servers do with large bodies."""

    def __init__(self) -> None:
        super().__init__()
        self.both = threading.Barrier(2, timeout=5)

    def create(self, key: str, body: bytes, *, content_type: str = "application/json") -> Created:
        free = key not in self.content
        if "race" in key:
            self.both.wait()
        if free:
            self.content[key] = body
        return Created.WON if free else Created.EXISTS


class RefusesAll(Honest):
    def create(self, key: str, body: bytes, *, content_type: str = "application/json") -> Created:
        return Created.EXISTS


class ListsLate(Honest):
    def keys(self, prefix: str) -> list[str]:
        return []


class ReadsStale(Honest):
    def read(self, key: str, *, limit: int = 1 << 20) -> bytes | None:
        return None


class Invents(Honest):
    def read(self, key: str, *, limit: int = 1 << 20) -> bytes | None:
        return b"first"


class Conflicts(Honest):
    """AWS tells one of two writers at the same moment to try again."""

    def create(self, key: str, body: bytes, *, content_type: str = "application/json") -> Created:
        if super().create(key, body) is Created.EXISTS and "race" in key:
            raise StoreTrouble(StoreReason.UNAVAILABLE, "409")
        return Created.WON if self.content[key] is body else Created.EXISTS


UNSUPPORTED = StoreReason.CONDITIONAL_WRITES_UNSUPPORTED


@pytest.mark.parametrize(
    ("store", "thorough", "reason"),
    [
        (IgnoresTheCondition, False, UNSUPPORTED),
        (RefusesAll, False, UNSUPPORTED),
        (ReadsStale, False, UNSUPPORTED),
        (Invents, False, UNSUPPORTED),
        (ListsLate, False, StoreReason.UNAVAILABLE),
        (Races, True, UNSUPPORTED),
    ],
)
def test_the_probe_refuses_a_store_that_cheats(store: type[Honest], thorough: bool, reason: StoreReason) -> None:
    assert trouble(lambda: store_probe.run(store(), "p/", thorough=thorough)).reason is reason


@pytest.mark.parametrize("store", [Honest, Conflicts])
def test_the_probe_passes_an_honest_store_and_leaves_nothing(store: type[Honest]) -> None:
    probed = store()
    store_probe.run(probed, "p/", thorough=True)
    assert probed.content == {}


def test_the_brief_probe_does_not_see_a_race() -> None:
    """That is what the thorough one is for."""
    store_probe.run(Races(), "p/", thorough=False)


def test_the_probes_keys_lie_below_the_prefix() -> None:
    seen: list[str] = []

    class Watched(Honest):
        def create(self, key: str, body: bytes, *, content_type: str = "application/json") -> Created:
            seen.append(key)
            return super().create(key, body)

    store_probe.run(Watched(), "p/", thorough=True)
    assert {key[: len("p/.videogen-probe/")] for key in seen} == {"p/.videogen-probe/"}


def test_metadata_of_a_stranger_is_read_too() -> None:
    reply = http(200, b"", "x-amz-meta-Attempt: team/a/r1/a1", "x-amz-meta-task: a%20b", 'ETag: "abc"')
    with RawServer(replying(reply)) as server:
        found = store_at(server.url).head("k")
    assert found is not None
    metadata: Mapping[str, str] = found.metadata
    assert (found.size, dict(metadata), found.etag) == (0, {"attempt": "team/a/r1/a1", "task": "a b"}, "abc")
