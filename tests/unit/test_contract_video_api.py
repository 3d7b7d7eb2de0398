"""The promises of `ports.VideoApi`, on the fake and on HTTP with the simulator behind it."""

from collections.abc import Iterator

import pytest

from contracts.video_api import Gateway, VideoApiContract
from fakes import FakeVideoApi
from videogen_operator.adapters.video_api import HttpVideoApi
from videogen_operator.redaction import Secret
from videogen_simulator.server import Simulator
from videogen_simulator.settings import Settings


class TestFake(VideoApiContract):
    @pytest.fixture
    def gateway(self) -> Gateway:
        api = FakeVideoApi(accounts={"right": "one"})
        return Gateway(api=api, endpoint="https://gateway.test/v1", key=Secret("right"), wrong=Secret("wrong"))


@pytest.fixture(scope="module")
def live() -> Iterator[Gateway]:
    api = HttpVideoApi(trust_env=False)
    settings = Settings(time_scale=2000, keys={"right": "one"}, content_delay=0.001, max_open=100)
    with Simulator(settings) as simulator:
        yield Gateway(api=api, endpoint=f"{simulator.url}/v1", key=Secret("right"), wrong=Secret("wrong"))
    api.close()


class TestHttp(VideoApiContract):
    @pytest.fixture
    def gateway(self, live: Gateway) -> Gateway:
        return live
