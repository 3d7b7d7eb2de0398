"""The bucket over S3. Every write is create-only and is tried once."""

import base64
import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import quote, unquote

import boto3
import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from urllib3.exceptions import HTTPError

from videogen_operator.errors import StoreReason, StoreTrouble
from videogen_operator.ports import Created, StoreAddress, StoreCredentials, StoredObject
from videogen_operator.redaction import scrub

from . import store_probe
from .store_url import object_url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONNECT: Final = 5.0  # seconds
_READ: Final = 60.0  # seconds between two bytes of an answer
_DEFAULT_REGION: Final = "us-east-1"  # for servers that have no regions
_ABSENT: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_REASONS: Final[Mapping[str, StoreReason]] = {
    "NoSuchBucket": StoreReason.BUCKET_NOT_FOUND,
    "InvalidBucketName": StoreReason.BUCKET_NOT_FOUND,
    "AccessDenied": StoreReason.ACCESS_DENIED,
    "AllAccessDisabled": StoreReason.ACCESS_DENIED,
    "AccountProblem": StoreReason.ACCESS_DENIED,
    "ExpiredToken": StoreReason.ACCESS_DENIED,
    "InvalidAccessKeyId": StoreReason.ACCESS_DENIED,
    "InvalidToken": StoreReason.ACCESS_DENIED,
    "SignatureDoesNotMatch": StoreReason.ACCESS_DENIED,
    "403": StoreReason.ACCESS_DENIED,
    "401": StoreReason.ACCESS_DENIED,
    "NotImplemented": StoreReason.CONDITIONAL_WRITES_UNSUPPORTED,
}


@dataclass(frozen=True, slots=True)
class _Clients:
    """Two, because a client's retries are fixed: a repeated create could be answered 412 by its own first try."""

    reads: "S3Client"
    writes: "S3Client"


class S3Stores:
    """`ports.Stores` on boto3. Safe for threads; `connections` for each bucket and credential."""

    def __init__(self, *, connections: int) -> None:
        for name in ("boto3", "botocore", "s3transfer", "urllib3"):  # at DEBUG they log signatures
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.WARNING))
        self._connections = connections
        self._opened: dict[tuple[StoreAddress, StoreCredentials | None], S3ObjectStore] = {}
        self._lock = threading.Lock()  # boto3 sessions are not safe for threads, clients are
        self._session = boto3.session.Session()  # one, since each parses the service's description again

    def open(self, address: StoreAddress, credentials: StoreCredentials | None) -> "S3ObjectStore":
        with self._lock:
            if (address, credentials) not in self._opened:
                self._opened[address, credentials] = S3ObjectStore(address, self._clients(address, credentials))
            return self._opened[address, credentials]

    def _clients(self, address: StoreAddress, credentials: StoreCredentials | None) -> _Clients:
        region = address.region or (None if address.endpoint else self._session.region_name) or _DEFAULT_REGION
        with _translated(address.bucket):
            opened = [
                self._session.client(
                    "s3",
                    region_name=region,
                    endpoint_url=address.endpoint or None,
                    aws_access_key_id=credentials.access_key_id if credentials else None,
                    aws_secret_access_key=credentials.secret_access_key.reveal() if credentials else None,
                    config=self._config(address, attempts),
                )
                for attempts in (3, 1)
            ]
        return _Clients(*opened)

    def _config(self, address: StoreAddress, attempts: int) -> Config:
        return Config(
            connect_timeout=_CONNECT,
            read_timeout=_READ,
            max_pool_connections=self._connections,
            retries={"mode": "standard", "total_max_attempts": attempts},
            s3={"addressing_style": "path" if address.path_style else "virtual"},
            signature_version="s3v4",
        )


class S3ObjectStore:
    """`ports.ObjectStore` on one bucket."""

    def __init__(self, address: StoreAddress, clients: _Clients) -> None:
        self._address = address
        self._bucket = address.bucket
        self._reads = clients.reads
        self._writes = clients.writes

    def keys(self, prefix: str) -> list[str]:
        with _translated(f"LIST {prefix}"):
            pages = self._reads.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def read(self, key: str, *, limit: int = 1 << 20) -> bytes | None:
        try:
            with _translated(f"GET {key}"):
                answer = self._reads.get_object(Bucket=self._bucket, Key=key)
                with answer["Body"] as body:
                    data: bytes = body.read(limit + 1) if answer["ContentLength"] > limit else body.read()
        except _AbsentError:
            return None
        if len(data) > limit:
            raise StoreTrouble(StoreReason.UNAVAILABLE, f"GET {key}: more than {limit} bytes")
        return data

    def create(self, key: str, body: bytes, *, content_type: str = "application/json") -> Created:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        return self._put(key, Body=body, ContentType=content_type, ChecksumSHA256=digest)

    def head(self, key: str) -> StoredObject | None:
        try:
            with _translated(f"HEAD {key}"):
                answer = self._reads.head_object(Bucket=self._bucket, Key=key)
        except _AbsentError:
            return None
        metadata = {name.lower(): unquote(value) for name, value in answer.get("Metadata", {}).items()}
        return StoredObject(size=answer["ContentLength"], metadata=metadata, etag=answer.get("ETag", "").strip('"'))

    def create_video(self, key: str, body: BinaryIO, *, size: int, sha256: str, metadata: Mapping[str, str]) -> Created:
        body.seek(0)
        return self._put(
            key,
            Body=body,
            ContentLength=size,
            ContentType="video/mp4",
            ContentDisposition=f'inline; filename="{_header_text(key.rsplit("/", 1)[-1])}"',
            ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
            Metadata={name.lower(): _header_text(value) for name, value in metadata.items()},
        )

    def probe(self, *, thorough: bool) -> None:
        store_probe.run(self, self._address.prefix, thorough=thorough)

    def forget(self, key: str) -> None:
        """Delete what a probe wrote. The operator needs no right to delete: a refusal is no trouble."""
        try:
            self._writes.delete_object(Bucket=self._bucket, Key=key)
        except (ClientError, BotoCoreError):
            return

    def uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def url(self, key: str, public_base_url: str = "") -> str:
        if public_base_url:
            return f"{public_base_url.rstrip('/')}/{quote(key, safe='/-_.~')}"
        endpoint = self._reads.meta.endpoint_url
        return object_url(endpoint, self._bucket, key, path_style=self._address.path_style)

    def _put(self, key: str, **parameters: Any) -> Created:
        try:
            with _translated(f"PUT {key}"):
                self._writes.put_object(Bucket=self._bucket, Key=key, IfNoneMatch="*", **parameters)
        except _TakenError:
            return Created.EXISTS
        return Created.WON


class _AbsentError(StoreTrouble):
    """404; for anything but a GET or HEAD of a key it means that there is no bucket."""


class _TakenError(StoreTrouble):
    """412, the answer to a create that came second."""


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Botocore's errors as `StoreTrouble`, in one line and without what was signed."""
    try:
        yield
    except ClientError as error:
        raise _meaning(what, error) from None
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StoreTrouble(StoreReason.ACCESS_DENIED, f"{what}: {error}") from None
    except (BotoCoreError, HTTPError, OSError, ValueError, RecursionError) as error:  # a ring of redirects recurses
        raise StoreTrouble(StoreReason.UNAVAILABLE, scrub(f"{what}: {type(error).__name__}: {error}")) from None


def _meaning(what: str, error: ClientError) -> Exception:
    said = error.response.get("Error", {})
    code = str(said.get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = scrub(f"{what}: {status} {code} {said.get('Message', '')}".rstrip())
    if code in _ABSENT:
        return _AbsentError(StoreReason.BUCKET_NOT_FOUND, message)
    if code in ("PreconditionFailed", "412"):
        return _TakenError(StoreReason.UNAVAILABLE, message)
    by_status = {403: StoreReason.ACCESS_DENIED, 401: StoreReason.ACCESS_DENIED}
    by_status[501] = StoreReason.CONDITIONAL_WRITES_UNSUPPORTED
    reason = _REASONS.get(code) or by_status.get(status, StoreReason.UNAVAILABLE)
    return StoreTrouble(reason, message)


def _header_text(value: str) -> str:
    """Any text as a header can carry it: percent-encoded where it is not printable ASCII; `head` undoes it."""
    return quote(value, safe="!#$&'()*+,/:;<=>?@[]^`{|}~", errors="replace")
