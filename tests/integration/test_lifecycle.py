"""One manifest becomes one stored video: each model, tier, shape, length, by the simulator's record and the bucket."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demonstration.proof import Facts
from integration.harness import Site, condition, make_site, open_to_readers
from stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("operator")

BUCKET = "lives"
UPSTREAM = {"fast": "veo-3.1-fast-generate-preview", "standard": "veo-3.1-generate-preview"}
PRICES = {"fast": 0.3, "standard": 1.2}
# The simulator fixes the pixels of a resolution and a shape, as the channel's page does.
PIXELS = {
    ("720p", "16:9"): (1280, 720),
    ("720p", "9:16"): (720, 1280),
    ("1080p", "16:9"): (1920, 1080),
    ("1080p", "9:16"): (1080, 1920),
    ("4k", "16:9"): (3840, 2160),
    ("4k", "9:16"): (2160, 3840),
}
LENGTHS = {"720p": (4, 6, 8), "1080p": (8,), "4k": (8,)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What a user may choose."""

    model: str
    tier: str
    aspect: str
    seconds: int

    def __str__(self) -> str:
        return f"{self.model}-{self.tier}-{self.aspect.replace(':', 'x')}-{self.seconds}s"

    @property
    def spec(self) -> dict[str, Any]:
        """The fields of a manifest; the prompt tells the tasks apart."""
        chosen = {"model": self.model, "tier": self.tier, "aspectRatio": self.aspect, "durationSeconds": self.seconds}
        return {**chosen, "prompt": f"a pier in fog, {self}"}


CHOICES = [
    Choice(model=model, tier=tier, aspect=aspect, seconds=seconds)
    for model in UPSTREAM
    for tier, aspect in PIXELS
    for seconds in LENGTHS[tier]
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """A finished object, the task that the simulator made for it, and what is in the bucket."""

    choice: Choice
    site: Site
    status: Mapping[str, Any]
    task: Mapping[str, Any]
    files: Mapping[str, bytes]  # of its folder in the bucket

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.choice)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A task that is paid for and hard to fetch, and how often the simulator then is asked for the bytes at least."""

    marker: str
    downloads: int = 1

    def __str__(self) -> str:
        return self.marker.split()[0]

    @property
    def prompt(self) -> str:
        """With the words that the simulator listens to."""
        return f"a ferry leaves [[sim:{self.marker}]]"


TROUBLES = [
    Trouble(marker="false-failure"),
    Trouble(marker="content-late seconds=120", downloads=3),
    Trouble(marker="content-cut", downloads=2),
    Trouble(marker="content-json", downloads=2),
    Trouble(marker="content-html", downloads=2),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """Everything that was applied at once; the lives that were looked at are kept."""

    site: Site
    client: "S3Client"
    lives: dict[Choice, Life] = field(default_factory=dict)

    def tasks(self, prompt: str) -> Sequence[Mapping[str, Any]]:
        """What the simulator made for a prompt, in order."""
        digest = hashlib.sha256(prompt.encode()).hexdigest()
        return [task for task in self.site.tasks() if task["request"]["prompt_sha256"] == digest]

    def life(self, choice: Choice) -> Life:
        """One of the choices, when it is stored."""
        if choice not in self.lives:
            status = self.site.stored(str(choice))
            (task,) = self.tasks(choice.spec["prompt"])
            files = self.files(self.site.folder(str(choice)))
            self.lives[choice] = Life(choice=choice, site=self.site, status=status, task=task, files=files)
        return self.lives[choice]

    def files(self, folder: str) -> dict[str, bytes]:
        """Everything below a folder of the bucket."""
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix=folder)["Contents"]
        names = [entry["Key"].removeprefix(folder) for entry in listed]
        return {name: self.client.get_object(Bucket=BUCKET, Key=folder + name)["Body"].read() for name in names}


@pytest.fixture(scope="module")
def orders(stack: Stack) -> Iterator[Orders]:
    """All choices and troubles; the bucket can be read by everyone, so that the URL can be fetched."""
    open_to_readers(stack, stack.s3.make_bucket(BUCKET))
    stack.simulator.change(max_open=100)
    site = make_site(stack, {"limits": {"submitConcurrency": 8, "maxInFlight": 100}}, bucket=BUCKET)
    stack.apply(
        *(site.manifest(str(choice), **choice.spec) for choice in CHOICES),
        *(site.manifest(str(trouble), prompt=trouble.prompt) for trouble in TROUBLES),
    )
    yield Orders(site=site, client=stack.s3.client())
    stack.simulator.change(max_open=10)


@pytest.fixture(params=CHOICES, ids=str)
def life(request: pytest.FixtureRequest, orders: Orders) -> Life:
    """One of the choices, when it is stored."""
    return orders.life(request.param)


def test_the_url_gives_the_very_file_that_the_gateway_made(life: Life, tmp_path: Path) -> None:
    """Size, digest, seconds and pixels, measured by a decoder on the bytes of a plain GET."""
    assert Facts.measured(life.status["output"]["url"], tmp_path / "clip.mp4") == Facts.recorded(dict(life.task))


def test_what_was_ordered_is_what_the_manifest_says(life: Life) -> None:
    ordered, choice = life.task["request"], life.choice
    width, height = PIXELS[choice.tier, choice.aspect]
    assert (ordered["model"], ordered["resolution"]) == (UPSTREAM[choice.model], choice.tier)
    assert (ordered["size"], ordered["seconds"]) == (f"{width}x{height}", choice.seconds)


def test_it_is_billed_once_at_the_price_of_the_model(life: Life) -> None:
    posts = [post for post in life.site.posts() if post["prompt_sha256"] == life.task["request"]["prompt_sha256"]]
    assert [post["task"] for post in posts] == [life.task["id"]]
    assert life.task["billed"] == PRICES[life.choice.model]
    assert float(life.status["cost"]["billedUSD"]) == PRICES[life.choice.model]


def test_the_folder_explains_itself(life: Life) -> None:
    """Intent, task, video and the commit mark; what the mark says is what lies beside it."""
    assert set(life.files) == {"a1.intent.json", "a1.task.json", f"{life.name}.mp4", "result.json"}
    result, video = json.loads(life.files["result.json"]), life.files[f"{life.name}.mp4"]
    assert result["taskID"] == json.loads(life.files["a1.task.json"])["taskID"] == life.task["id"]
    assert result["output"]["sha256"] == hashlib.sha256(video).hexdigest() == life.task["content_sha256"]
    assert result["output"]["sizeBytes"] == len(video)


def test_the_status_names_the_task_and_the_file(life: Life) -> None:
    output = life.status["output"]
    width, height = PIXELS[life.choice.tier, life.choice.aspect]
    assert life.status["taskID"] == life.task["id"]
    assert output["uri"] == f"s3://{BUCKET}/{life.site.folder(life.name)}{life.name}.mp4"
    assert (output["widthPixels"], output["heightPixels"]) == (width, height)
    assert output["durationSeconds"] == life.choice.seconds
    assert output["sha256"] == life.task["content_sha256"]


# ---------------------------------------------------------------- what tools see


def test_kubectl_wait_ends_when_the_video_is_there(site: Site) -> None:
    site.order()
    where = ["--namespace", site.namespace]
    site.stack.plane.kubectl("wait", "vgen/clip", "--for=condition=Finished", "--timeout=60s", *where)
    found = site.read()
    assert found is not None
    assert condition(found, "Ready")["status"] == "True"
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]


# ---------------------------------------------------------------- what a gateway does to a paid task


@pytest.mark.parametrize("trouble", TROUBLES, ids=str)
def test_a_paid_video_is_fetched_until_it_is_whole(orders: Orders, trouble: Trouble) -> None:
    orders.site.stored(str(trouble))
    (task,) = orders.tasks(trouble.prompt)
    assert task["billed"] == PRICES["fast"]
    assert len(task["downloads"]) >= trouble.downloads
    video = orders.files(orders.site.folder(str(trouble)))[f"{trouble}.mp4"]
    assert hashlib.sha256(video).hexdigest() == task["content_sha256"]


def test_an_unbilled_failure_is_followed_by_one_more_attempt_with_the_same_seed(site: Site) -> None:
    site.order(prompt="a ferry leaves [[sim:failed-once seconds=60]]")
    status = site.stored()
    assert [(task["status"], task["billed"]) for task in site.tasks()] == [("failed", 0), ("completed", 0.3)]
    assert len({task["request"]["seed"] for task in site.tasks()}) == 1
    assert status["cost"]["billedUSD"] == "0.30"
