"""What a class may say about its bucket: where readers find it, and whose keys open it."""

from collections.abc import Iterator

import httpx
import pytest

from integration.effect_proxy import EffectProxy
from integration.harness import FAST, make_site, open_to_readers
from integration.lifecycle import assert_bought_once, in_place_of, only_own_classes  # noqa: F401 - a fixture
from podrunner.pod import Pod
from podrunner.release import install
from stack import Stack

pytestmark = pytest.mark.usefixtures("operator", "only_own_classes")

PUBLIC = "public-videos"


def test_the_url_is_below_the_public_address_and_gives_the_video(stack: Stack) -> None:
    """A proxy in front of the bucket is the address that readers use."""
    open_to_readers(stack, stack.s3.make_bucket(PUBLIC))
    with EffectProxy(stack.s3.endpoint) as front:
        root = f"{front.url}/{PUBLIC}"
        site = make_site(stack, {"storage": {"s3": {"publicBaseURL": root}}}, bucket=PUBLIC)
        site.order()
        url = site.stored()["output"]["url"]
        assert url == f"{root}/{site.folder()}clip.mp4"
        assert httpx.get(url, trust_env=False).content == site.video()


@pytest.fixture
def keys_in_the_environment(stack: Stack, operator: Pod) -> Iterator[None]:
    """In place of the session's operator, one of a chart whose `env` has the keys, as an identity of the pod gives."""
    keys = {"AWS_ACCESS_KEY_ID": stack.s3.access_key, "AWS_SECRET_ACCESS_KEY": stack.s3.secret_key}
    env = [{"name": name, "value": value} for name, value in keys.items()]
    release = install(stack.plane, {"settings": {"httpHost": "127.0.0.1", **FAST}, "env": env})
    with in_place_of(stack, operator, release):
        yield


@pytest.mark.usefixtures("keys_in_the_environment")
def test_a_class_without_credentials_uses_the_operators_own_identity(stack: Stack) -> None:
    site = make_site(stack, {"storage": {"s3": {"credentials": None}}})
    site.order()
    site.stored()
    assert_bought_once(site)
