"""The promises of `ports.ObjectStore`, on the fake and on S3 with moto behind it."""

import itertools
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from contracts.object_store import Bucket, ChecksumContract, ObjectStoreContract
from fakes import FakeStores
from videogen_operator.adapters.object_store import S3Stores
from videogen_operator.ports import StoreAddress, StoreCredentials
from videogen_operator.redaction import Secret

_FOLDERS = (f"team/film-{number}/r1/" for number in itertools.count())
_CREDENTIALS = StoreCredentials(access_key_id="key", secret_access_key=Secret("secret"))


@pytest.fixture
def folder() -> str:
    return next(_FOLDERS)


class TestFake(ObjectStoreContract, ChecksumContract):
    @pytest.fixture
    def bucket(self) -> Bucket:
        stores = FakeStores()
        opened = [stores.open(StoreAddress(bucket=name), _CREDENTIALS) for name in ("videos", "none")]
        return Bucket(store=opened[0], missing=opened[1])


@pytest.fixture(scope="module")
def moto() -> Iterator[Bucket]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.session.Session().client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    ).create_bucket(Bucket="videos")
    stores = S3Stores(connections=8)
    addresses = [StoreAddress(bucket=name, endpoint=endpoint, path_style=True) for name in ("videos", "none")]
    opened = [stores.open(address, _CREDENTIALS) for address in addresses]
    yield Bucket(store=opened[0], missing=opened[1])
    server.stop()


class TestMoto(ObjectStoreContract):
    """Moto does not check checksums."""

    @pytest.fixture
    def bucket(self, moto: Bucket) -> Bucket:
        return moto
