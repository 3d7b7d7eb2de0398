"""Every manifest of `examples/`: the API server takes it, and what can run against the simulator runs to its end."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.harness import Site
from podrunner.release import ROOT
from stack import Object, Stack

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
RUNNABLE = [
    "quickstart",
    "text-to-video-720p",
    "text-to-video-1080p",
    "text-to-video-4k",
]
SAME_IN_BOTH = ("seed", "prompt_sha256", "resolution", "size", "seconds")


def documents(name: str) -> Sequence[Object]:
    """The manifests of a file."""
    return list(yaml.safe_load_all((ROOT / "examples" / f"{name}.yaml").read_text()))


def order(site: Site, name: str) -> Sequence[str]:
    """Apply a file as it is, but for the class; the names of its objects."""
    manifests = [{**one, "spec": {**one["spec"], "classRef": {"name": site.class_name}}} for one in documents(name)]
    site.stack.apply(*manifests, namespace=site.namespace)
    return [one["metadata"]["name"] for one in manifests]


def assert_stored_as_ordered(site: Site, manifest: Mapping[str, Any], status: Mapping[str, Any]) -> None:
    """What lies in the bucket is what the gateway made of what the manifest says."""
    spec, output = manifest["spec"], status["output"]
    (task,) = (one for one in site.tasks() if one["id"] == status["taskID"])
    assert output["sha256"] == task["content_sha256"]
    assert len(site.video(manifest["metadata"]["name"], output["revision"])) == task["content_bytes"]
    assert task["request"]["resolution"] == spec["tier"]
    assert task["request"]["seconds"] == spec["durationSeconds"] == output["durationSeconds"]
    assert task["request"]["aspect_ratio"] == spec["aspectRatio"]
    assert task["billed"] <= float(spec["maxCostUSD"])


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_api_server_takes_it(stack: Stack, file: Path) -> None:
    """Strictly: a field that is in no schema is an error."""
    where = ["--namespace", stack.plane.namespace("examples")]
    stack.plane.kubectl("create", "--validate=strict", "--dry-run=server", *where, "--filename", file)


@pytest.mark.parametrize("file", ["class-apiyi", "class-rehearsal"])
def test_a_class_offers_what_the_other_examples_ask_for(stack: Stack, file: str) -> None:
    """Applied for good, so that the admission policy compares; each order names the class itself."""
    (klass,) = documents(file)
    name = f"examples-of-{file}"
    stack.apply({**klass, "metadata": {"name": name}})
    where = ["--namespace", stack.plane.namespace("examples")]
    orders = [one for path in EXAMPLES for one in documents(path.stem) if one["kind"] == "VideoGeneration"]
    for one in orders:
        text = json.dumps({**one, "spec": {**one["spec"], "classRef": {"name": name}}})
        stack.plane.kubectl("create", "--dry-run=server", *where, "--filename", "-", input=text)


def test_no_example_is_left_out() -> None:
    """A new file must be run below, or be one of those that are no order."""
    orders = {path.stem for path in EXAMPLES if documents(path.stem)[0]["kind"] == "VideoGeneration"}
    assert orders == {*RUNNABLE, "ab-pair", "draft-to-final-1", "draft-to-final-2"}


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("file", RUNNABLE)
def test_it_runs_to_its_end(site: Site, file: str) -> None:
    (name,) = order(site, file)
    (manifest,) = documents(file)
    assert_stored_as_ordered(site, manifest, site.stored(name))
    assert len(site.posts()) == 1


@pytest.mark.usefixtures("operator")
def test_the_pair_differs_in_the_model_alone(site: Site) -> None:
    names = order(site, "ab-pair")
    for manifest, name in zip(documents("ab-pair"), names, strict=True):
        assert_stored_as_ordered(site, manifest, site.stored(name))
    requests = [task["request"] for task in site.tasks()]
    assert {one["model"] for one in requests} == {"veo-3.1-fast-generate-preview", "veo-3.1-generate-preview"}
    assert len({tuple(one[key] for key in SAME_IN_BOTH) for one in requests}) == 1
    assert requests[0]["seed"] is not None
    assert sorted(task["billed"] for task in site.tasks()) == [0.3, 1.2]


@pytest.mark.usefixtures("operator")
def test_the_draft_becomes_the_final(site: Site) -> None:
    """One object: 4 s in 720p, then 8 s in 1080p with the same seed; the draft stays in bucket and history."""
    (name,) = order(site, "draft-to-final-1")
    draft = site.stored(name)
    order(site, "draft-to-final-2")
    final = site.stored(name)
    assert_stored_as_ordered(site, documents("draft-to-final-2")[0], final)
    assert [past["sha256"] for past in final["history"]] == [draft["output"]["sha256"]]
    assert len(site.video(name, 1)) == draft["output"]["sizeBytes"]
    requests = [task["request"] for task in site.tasks()]
    assert [(one["resolution"], one["seconds"]) for one in requests] == [("720p", 4), ("1080p", 8)]
    assert {one["seed"] for one in requests} == {88888}
    assert final["cost"]["billedUSD"] == "0.60"


def test_the_rehearsal_secrets_open_what_the_rehearsal_class_names() -> None:
    """The names and entries that the class refers to are those that the Secrets have."""
    (klass,) = documents("class-rehearsal")
    secrets = {one["metadata"]["name"]: set(one["stringData"]) for one in documents("rehearsal-secrets")}
    key = klass["spec"]["provider"]["openAIVideos"]["apiKeySecretRef"]
    bucket = klass["spec"]["storage"]["s3"]["credentials"]["secretRef"]["name"]
    assert secrets == {key["name"]: {key["key"]}, bucket: {"accessKeyID", "secretAccessKey"}}
