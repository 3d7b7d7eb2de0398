"""What `ports.VideoApi` promises."""

import hashlib
import io
import json
from dataclasses import dataclass

import pytest

from videogen_operator import wire_request
from videogen_operator.answers import (
    Accepted,
    Completed,
    Gone,
    KeyAccepted,
    KeyRejected,
    NoSuchTask,
    NotSent,
    Refused,
    Rejected,
    Rejection,
    Working,
    read_content,
    read_poll,
    read_probe,
    read_submit,
)
from videogen_operator.mp4 import Clip, inspect
from videogen_operator.ports import Answer, Downloaded, NoAnswer, TooLarge, VideoApi, Wire
from videogen_operator.redaction import Secret

REQUEST = wire_request.VideoRequest(
    api_model="veo-3.1-fast-generate-preview",
    prompt="Coastal lighthouse at dusk",
    negative_prompt=None,
    resolution="720p",
    aspect_ratio="9:16",
    duration_seconds=4,
    seed=7,
)
BODY = wire_request.body(wire_request.RequestStyle.METADATA, REQUEST)
LIMIT = 50_000_000


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """A gateway under test: the port, where it is, a key that it takes and one that it does not."""

    api: VideoApi
    endpoint: str
    key: Secret
    wrong: Secret

    def make(self) -> str:
        exchange = self.api.submit(self.endpoint, self.key, BODY, timeout=10)
        made = read_submit(exchange, server_errors_not_billed=False)
        assert isinstance(made, Accepted), made
        return made.task_id

    def finish(self, task_id: str) -> None:
        """Ask until it is done; each implementation sets a life of at most seconds."""
        for _ in range(1000):
            said = read_poll(self.api.poll(self.endpoint, self.key, task_id))
            if isinstance(said, Completed):
                return
            assert isinstance(said, Working), said
        raise AssertionError("the task did not complete")


class VideoApiContract:
    """Subclasses provide the fixture `gateway`."""

    def test_a_task_is_made_done_and_fetched(self, gateway: Gateway) -> None:
        task_id = gateway.make()
        gateway.finish(task_id)
        file = io.BytesIO()
        outcome = gateway.api.download(gateway.endpoint, gateway.key, task_id, file, limit=LIMIT)
        data = file.getvalue()
        assert outcome == Downloaded(size=len(data), sha256=hashlib.sha256(data).hexdigest(), declared=len(data))
        clip = inspect(file, len(data))
        assert isinstance(clip, Clip)
        assert (clip.width, clip.height, clip.duration_millis) == (720, 1280, 4000)

    def test_every_post_makes_another_task(self, gateway: Gateway) -> None:
        assert gateway.make() != gateway.make()

    def test_a_film_above_the_limit_is_not_kept(self, gateway: Gateway) -> None:
        task_id = gateway.make()
        gateway.finish(task_id)
        file = io.BytesIO()
        outcome = gateway.api.download(gateway.endpoint, gateway.key, task_id, file, limit=100)
        assert isinstance(outcome, TooLarge)
        assert outcome.limit == 100
        assert file.getvalue() == b""

    def test_an_unknown_task_is_unknown(self, gateway: Gateway) -> None:
        assert isinstance(read_poll(gateway.api.poll(gateway.endpoint, gateway.key, "task_none")), NoSuchTask)

    def test_the_content_of_an_unknown_task_is_gone(self, gateway: Gateway) -> None:
        outcome = gateway.api.download(gateway.endpoint, gateway.key, "task_none", io.BytesIO(), limit=LIMIT)
        assert isinstance(outcome, Answer)
        assert isinstance(read_content(outcome), Gone)

    def test_a_wrong_key_is_refused_everywhere(self, gateway: Gateway) -> None:
        task_id = gateway.make()
        submitted = gateway.api.submit(gateway.endpoint, gateway.wrong, BODY, timeout=10)
        said = read_submit(submitted, server_errors_not_billed=False)
        assert isinstance(said, Rejected)
        assert said.kind is Rejection.CREDENTIALS
        assert isinstance(read_poll(gateway.api.poll(gateway.endpoint, gateway.wrong, task_id)), Refused)
        fetched = gateway.api.download(gateway.endpoint, gateway.wrong, task_id, io.BytesIO(), limit=LIMIT)
        assert isinstance(fetched, Answer)
        assert isinstance(read_content(fetched), Refused)

    def test_the_probe_tells_a_good_key_from_a_wrong_one(self, gateway: Gateway) -> None:
        assert isinstance(read_probe(gateway.api.probe(gateway.endpoint, gateway.key)), KeyAccepted)
        assert isinstance(read_probe(gateway.api.probe(gateway.endpoint, gateway.wrong)), KeyRejected)

    @pytest.mark.parametrize("key", ["", "a b", "a\n", "schlüssel"])
    def test_a_malformed_key_is_never_sent(self, gateway: Gateway, key: str) -> None:
        bad = Secret(key)
        exchanges = [
            gateway.api.submit(gateway.endpoint, bad, BODY, timeout=10),
            gateway.api.poll(gateway.endpoint, bad, "t"),
            gateway.api.probe(gateway.endpoint, bad),
            gateway.api.download(gateway.endpoint, bad, "t", io.BytesIO(), limit=LIMIT),
        ]
        assert [e.wire for e in exchanges if isinstance(e, NoAnswer)] == [Wire.MALFORMED_KEY] * 4
        first = exchanges[0]
        assert isinstance(first, NoAnswer)
        said = read_submit(first, server_errors_not_billed=False)
        assert isinstance(said, NotSent)
        assert said.malformed_key

    def test_answers_have_json_and_lower_case_headers(self, gateway: Gateway) -> None:
        answer = gateway.api.poll(gateway.endpoint, gateway.key, gateway.make())
        assert isinstance(answer, Answer)
        assert answer.headers["content-type"].startswith("application/json")
        assert json.loads(answer.body)["status"]
