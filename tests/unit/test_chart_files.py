"""The chart's files agree with each other; nothing here needs Helm."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml

import generate_chart_docs
from golden import manifests
from videogen_operator.api import generation, generation_class
from videogen_operator.api.generation_class import VideoGenerationClass
from videogen_operator.settings import Settings

CHART: Final = manifests.ROOT / "charts/videogen-operator"
EXAMPLES: Final = sorted((manifests.ROOT / "examples").glob("*.yaml"))
VALUES: Final = manifests.read_yaml(CHART / "values.yaml")

Json = dict[str, Any]


def leaves(values: Json, schema: Json, path: str = "") -> list[str]:
    """The dotted paths of what can be set by itself: a map whose keys the schema does not list counts as one."""
    found: list[str] = []
    for key, value in values.items():
        inner = schema["properties"][key]
        found += leaves(value, inner, f"{path}{key}.") if inner.get("properties") else [f"{path}{key}"]
    return found


@pytest.mark.parametrize(("path", "text"), list(generate_chart_docs.generated()), ids=lambda value: str(value)[-40:])
def test_the_committed_file_is_what_is_generated(path: Path, text: str) -> None:
    assert path.read_text() == text


def test_every_value_is_documented_and_every_documented_value_exists() -> None:
    documented = [path for path, _ in generate_chart_docs.documented_values((CHART / "values.yaml").read_text())]
    assert documented == leaves(VALUES, generate_chart_docs.schema())


def test_the_default_values_meet_the_schema() -> None:
    jsonschema.validate(VALUES, generate_chart_docs.schema())


@pytest.mark.parametrize(
    "values",
    [
        {"setings": {}},
        {"settings": {"worker": 1}},
        {"settings": {"workers": 0}},
        {"settings": {"logLevel": "loud"}},
        {"secrets": "one"},
        {"terminationGracePeriodSeconds": 30},
        {"image": {"digest": "latest"}},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_by_the_schema(values: Json) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, generate_chart_docs.schema())


def test_a_submission_in_the_air_is_answered_within_the_grace_period() -> None:
    timeout = generation_class.OpenAIVideos.model_fields["submit_timeout_seconds"].default
    assert VALUES["terminationGracePeriodSeconds"] >= timeout + 30


def test_what_is_lost_is_told_before_the_grace_period_ends() -> None:
    (default,) = [entry.default for entry in fields(Settings) if entry.name == "drain_seconds"]
    assert default < VALUES["terminationGracePeriodSeconds"]
    template = (CHART / "templates" / "deployment.yaml").read_text()
    assert "{{ sub (int64 .Values.terminationGracePeriodSeconds) 10 | quote }}" in template


def test_the_chart_has_the_version_of_the_distribution() -> None:
    chart = manifests.read_yaml(CHART / "Chart.yaml")
    (version,) = re.findall(r'^version = "(.*)"$', (manifests.ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_the_chart_holds_no_class() -> None:
    assert not [
        path for path in (CHART / "templates").glob("*.yaml") if "\nkind: VideoGenerationClass\n" in path.read_text()
    ]


def documents(path: Path) -> list[Json]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def test_every_example_says_what_it_is() -> None:
    assert EXAMPLES
    for path in EXAMPLES:
        assert path.read_text().startswith("# ")


def of_kind(kind: str) -> list[tuple[str, Json]]:
    return [(path.stem, document) for path in EXAMPLES for document in documents(path) if document["kind"] == kind]


@pytest.mark.parametrize(("name", "document"), of_kind(generation.KIND))
def test_an_example_orders_exactly_what_it_says_whatever_the_defaults_become(name: str, document: Json) -> None:
    needed = {"classRef", "model", "tier", "aspectRatio", "durationSeconds", "maxCostUSD"}
    assert needed <= document["spec"].keys()


@pytest.mark.parametrize(("name", "document"), of_kind(generation.KIND))
def test_an_example_is_offered_by_the_class_it_names(name: str, document: Json) -> None:
    spec = generation.Spec.model_validate(document["spec"])
    classes = [VideoGenerationClass.model_validate(c) for _, c in of_kind(generation_class.KIND)]
    (used,) = [c for c in classes if spec.class_ref is not None and c.metadata.name == spec.class_ref.name]
    model, tier = used.spec.find_model(spec.model or ""), used.spec.find_tier(spec.tier or "")
    assert model is not None
    assert tier is not None
    assert spec.duration_seconds in tier.durations_seconds
    assert spec.aspect_ratio in tier.sizes
    assert model.price_usd == spec.max_cost_usd


def test_the_final_is_the_draft_with_a_raised_revision_and_the_same_seed() -> None:
    by_name = dict(of_kind(generation.KIND))
    draft, final = by_name["draft-to-final-1"], by_name["draft-to-final-2"]
    changed = {key for key in draft["spec"] if draft["spec"][key] != final["spec"][key]} | (
        final["spec"].keys() - draft["spec"].keys()
    )
    assert draft["metadata"] == final["metadata"]
    assert changed == {"revision", "tier", "durationSeconds"}


def test_the_pair_differs_in_the_model_and_its_price_only() -> None:
    one, other = [document["spec"] for name, document in of_kind(generation.KIND) if name == "ab-pair"]
    assert {key for key in one if one[key] != other[key]} == {"model", "maxCostUSD"}
