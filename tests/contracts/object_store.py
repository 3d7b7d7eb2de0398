"""What `ports.ObjectStore` promises."""

import hashlib
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from videogen_operator.errors import StoreReason, StoreTrouble
from videogen_operator.ports import Created, ObjectStore, StoredObject

FILM = bytes(range(256)) * 12_000
DIGEST = hashlib.sha256(FILM).hexdigest()
METADATA = {"attempt": "team/a/r1/a1", "task": "tä sk%41/+=\n ", "sha256": DIGEST}


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A bucket under test, and one of the same store that does not exist."""

    store: ObjectStore
    missing: ObjectStore


def save(store: ObjectStore, key: str, film: bytes = FILM) -> Created:
    digest = hashlib.sha256(film).hexdigest()
    return store.create_video(key, io.BytesIO(film), size=len(film), sha256=digest, metadata=METADATA)


class ObjectStoreContract:
    """Subclasses provide the fixtures `bucket` and `folder`, a prefix that nobody else uses."""

    def test_a_first_write_wins_and_stays(self, bucket: Bucket, folder: str) -> None:
        key = f"{folder}a1.intent.json"
        assert bucket.store.create(key, b"first") is Created.WON
        assert bucket.store.create(key, b"second") is Created.EXISTS
        assert bucket.store.read(key) == b"first"

    def test_the_same_bytes_again_are_a_second_write(self, bucket: Bucket, folder: str) -> None:
        key = f"{folder}a1.intent.json"
        answers = [bucket.store.create(key, b"same") for _ in range(2)]
        assert answers == [Created.WON, Created.EXISTS]

    def test_one_of_many_rivals_wins(self, bucket: Bucket, folder: str) -> None:
        key = f"{folder}a1.intent.json"

        def rival(number: int) -> Created | StoreTrouble:
            try:
                return bucket.store.create(key, b"%d" % number * 1000)
            except StoreTrouble as trouble:
                return trouble

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(rival, range(8)))
        assert results.count(Created.WON) == 1
        assert bucket.store.read(key) == b"%d" % results.index(Created.WON) * 1000

    def test_what_is_not_there_is_none(self, bucket: Bucket, folder: str) -> None:
        assert bucket.store.read(f"{folder}none") is None
        assert bucket.store.head(f"{folder}none") is None

    def test_an_empty_object_is_not_absent(self, bucket: Bucket, folder: str) -> None:
        bucket.store.create(f"{folder}empty", b"")
        assert bucket.store.read(f"{folder}empty") == b""

    def test_keys_are_those_below_the_prefix(self, bucket: Bucket, folder: str) -> None:
        for name in ("r1/a1.intent.json", "r1/result.json", "r10/a1.intent.json", "other"):
            bucket.store.create(folder + name, b"{}")
        found = sorted(bucket.store.keys(f"{folder}r1/"))
        assert found == [f"{folder}r1/a1.intent.json", f"{folder}r1/result.json"]

    def test_an_object_above_the_limit_is_trouble(self, bucket: Bucket, folder: str) -> None:
        bucket.store.create(f"{folder}large", b"x" * 100)
        with pytest.raises(StoreTrouble):
            bucket.store.read(f"{folder}large", limit=99)
        assert bucket.store.read(f"{folder}large", limit=100) == b"x" * 100

    def test_a_film_is_stored_whole_with_its_metadata(self, bucket: Bucket, folder: str) -> None:
        key = f"{folder}film.mp4"
        assert save(bucket.store, key) is Created.WON
        found = bucket.store.head(key)
        assert found == StoredObject(size=len(FILM), metadata=METADATA, etag=found.etag if found else "")
        assert bucket.store.read(key, limit=len(FILM)) == FILM

    def test_a_film_is_never_overwritten(self, bucket: Bucket, folder: str) -> None:
        key = f"{folder}film.mp4"
        save(bucket.store, key)
        assert save(bucket.store, key, b"other") is Created.EXISTS
        assert bucket.store.read(key, limit=len(FILM)) == FILM

    def test_a_film_is_sent_from_its_beginning(self, bucket: Bucket, folder: str) -> None:
        """The file has just been written and verified: its position is anywhere."""
        file = io.BytesIO(FILM)
        file.seek(1000)
        key = f"{folder}film.mp4"
        bucket.store.create_video(key, file, size=len(FILM), sha256=DIGEST, metadata={})
        assert bucket.store.read(key, limit=len(FILM)) == FILM

    @pytest.mark.parametrize("thorough", [False, True])
    def test_a_good_bucket_passes_the_probe_and_is_left_clean(self, bucket: Bucket, thorough: bool) -> None:
        before = bucket.store.keys("")
        bucket.store.probe(thorough=thorough)
        assert bucket.store.keys("") == before

    def test_a_missing_bucket_is_named_where_that_can_be_known(self, bucket: Bucket, folder: str) -> None:
        calls: list[Callable[[], object]] = [
            lambda: bucket.missing.probe(thorough=False),
            lambda: bucket.missing.keys(folder),
            lambda: bucket.missing.create(f"{folder}x", b""),
            lambda: save(bucket.missing, f"{folder}x"),
        ]
        for call in calls:
            with pytest.raises(StoreTrouble) as caught:
                call()
            assert caught.value.reason is StoreReason.BUCKET_NOT_FOUND

    def test_addresses_name_bucket_and_key(self, bucket: Bucket, folder: str) -> None:
        key = f"{folder}film.mp4"
        assert bucket.store.uri(key).startswith("s3://")
        assert bucket.store.uri(key).endswith(f"/{key}")
        assert bucket.store.url(key).endswith(f"/{key}")
        assert bucket.store.url(key, "https://media.example.net/x/") == f"https://media.example.net/x/{key}"


class ChecksumContract:
    """For a server that checks checksums, as every real one must."""

    def test_bytes_that_are_not_those_announced_are_refused(self, bucket: Bucket, folder: str) -> None:
        key = f"{folder}film.mp4"
        with pytest.raises(StoreTrouble):
            bucket.store.create_video(key, io.BytesIO(FILM), size=len(FILM), sha256="00" * 32, metadata={})
        assert bucket.store.head(key) is None
