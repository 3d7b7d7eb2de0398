"""The models: lenient when read, exact when written."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from golden import manifests
from videogen_operator.api import generation, generation_class, meta, money
from videogen_operator.api.generation import Attempt, AttemptState, Cost, Status, VideoGeneration
from videogen_operator.api.generation_class import LabelSelector, VideoGenerationClass
from videogen_operator.api.namespaces import Operator, Requirement

WIRE = {
    "apiVersion": "videogen.dev/v1alpha1",
    "kind": "VideoGeneration",
    "metadata": {"name": "a", "namespace": "b", "uid": "u", "generation": 3, "managedFields": [{}]},
    "spec": {"prompt": "x", "maxCostUSD": "0.3", "classRef": {"name": "veo"}, "later": {"field": 1}},
    "status": {
        "taskID": "t",
        "class": {"name": "veo", "uid": "1", "generation": 1},
        "cost": {"billedUSD": "0.0025"},
        "attempts": [{"id": "r1-a1", "state": "Intent", "intentTime": "2026-11-22T10:40:02Z"}],
    },
}


def test_an_object_is_read_by_its_wire_names() -> None:
    read = VideoGeneration.model_validate(WIRE)
    assert read.key == meta.Key("VideoGeneration", "b", "a")
    assert read.spec.max_cost_usd == Decimal("0.3")
    assert read.status.task_id == "t"
    assert read.status.class_ is not None
    assert read.status.attempts[0].intent_time == datetime(2026, 11, 22, 10, 40, 2, tzinfo=UTC)


def test_a_field_of_a_later_version_is_dropped() -> None:
    assert "later" not in VideoGeneration.model_validate(WIRE).wire()["spec"]


def test_an_object_that_was_never_seen_has_a_status_all_the_same() -> None:
    read = VideoGeneration.model_validate({"metadata": {"name": "a"}, "spec": {"prompt": "x"}})
    assert read.status == Status()
    assert read.status.observed_generation == -1


def test_values_cannot_be_changed_in_place() -> None:
    read = VideoGeneration.model_validate(WIRE)
    with pytest.raises(ValidationError):
        read.spec.suspend = True  # type: ignore[misc]


def test_what_is_unset_is_not_written() -> None:
    assert Attempt(id="r1-a1", state=AttemptState.INTENT).wire() == {"id": "r1-a1", "state": "Intent"}


def test_money_and_times_are_written_as_kubernetes_wants_them() -> None:
    east = datetime(2026, 11, 22, 11, 40, 2, 999999, tzinfo=timezone(timedelta(hours=1)))
    attempt = Attempt(id="r1-a1", state=AttemptState.COMPLETED, cost_usd=Decimal("0.3"), finish_time=east)
    assert attempt.wire()["costUSD"] == "0.30"
    assert attempt.wire()["finishTime"] == "2026-11-22T10:40:02Z"


def test_a_text_that_is_too_long_is_cut_instead_of_refused_by_the_api_server() -> None:
    written = Attempt(id="r1-a1", state=AttemptState.FAILED, message="x" * 5000).wire()["message"]
    assert len(written) == 1024
    assert written.endswith("...")


def test_status_survives_the_wire() -> None:
    status = VideoGeneration.model_validate(WIRE).status
    assert Status.model_validate(status.wire()) == status


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("max_cost_usd", "maxCostUSD"),
        ("task_id", "taskID"),
        ("id", "id"),
        ("public_base_url", "publicBaseURL"),
        ("open_ai_videos", "openAIVideos"),
        ("class_", "class"),
        ("sha256", "sha256"),
        ("durations_seconds", "durationsSeconds"),
    ],
)
def test_wire_names_follow_kubernetes(attribute: str, name: str) -> None:
    assert meta.wire_name(attribute) == name


def test_paid_fields_are_wire_names_of_spec() -> None:
    names = {meta.wire_name(name) for name in generation.Spec.model_fields}
    assert set(generation.PAID_FIELDS) <= names


@given(st.decimals(min_value=0, max_value=Decimal("999999.9999"), places=4))
def test_an_amount_survives_the_wire(amount: Decimal) -> None:
    assert money.parse_usd(money.format_usd(amount)) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0.00"), ("0.3", "0.30"), ("1.2000", "1.20"), ("0.0025", "0.0025"), ("100", "100.00"), ("0.125", "0.125")],
)
def test_an_amount_is_written_with_its_cents(amount: str, text: str) -> None:
    assert money.format_usd(Decimal(amount)) == text


def test_an_amount_in_a_message_has_its_currency() -> None:
    assert money.usd(Decimal("0.3")) == "0.30 USD"


@pytest.mark.parametrize("value", ["NaN", "-1", "Infinity", 0.3])
def test_what_is_no_amount_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="money must be"):
        money.parse_usd(value)


def test_costs_start_at_nothing() -> None:
    assert Cost().wire() == {"estimatedUSD": "0.00", "billedUSD": "0.00", "possibleUSD": "0.00"}


def golden_class() -> VideoGenerationClass:
    plain = next(manifest for manifest in manifests.accepted() if manifest.path.stem == "class-plain")
    return VideoGenerationClass.model_validate(plain.judged)


def test_a_model_is_found_by_its_name_and_by_its_upstream_id() -> None:
    spec = golden_class().spec
    assert spec.find_model("standard") == spec.find_model("veo-3.1-generate-preview") is not None
    assert spec.find_model("slow") is None


def test_a_model_without_tiers_makes_all_of_them() -> None:
    fast, standard = golden_class().spec.models
    assert fast.makes("720p")
    assert standard.makes("1080p")
    assert not standard.makes("720p")


def test_a_tier_knows_its_word_on_the_wire_and_its_pixels() -> None:
    tier = golden_class().spec.find_tier("720p")
    assert tier is not None
    assert tier.wire_resolution == "720p"
    assert tier.pixels("9:16") == (720, 1280)


def test_limits_left_out_are_the_documented_ones() -> None:
    limits = golden_class().spec.limits
    assert (limits.submit_concurrency, limits.max_in_flight, limits.slot_seconds) == (2, 10, 3600)


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("false", False), ("", False)])
def test_only_the_annotation_true_makes_a_default_class(value: str, expected: bool) -> None:
    read = golden_class()
    metadata = read.metadata.model_copy(update={"annotations": {generation_class.IS_DEFAULT_ANNOTATION: value}})
    assert read.model_copy(update={"metadata": metadata}).is_default is expected


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        (Operator.IN, ("a",), {"team": "a"}, True),
        (Operator.IN, ("a",), {"team": "b"}, False),
        (Operator.IN, ("a",), {}, False),
        (Operator.NOT_IN, ("a",), {"team": "a"}, False),
        (Operator.NOT_IN, ("a",), {"team": "b"}, True),
        (Operator.NOT_IN, ("a",), {}, True),
        (Operator.EXISTS, (), {"team": ""}, True),
        (Operator.EXISTS, (), {}, False),
        (Operator.DOES_NOT_EXIST, (), {"team": ""}, False),
        (Operator.DOES_NOT_EXIST, (), {}, True),
    ],
)
def test_requirements_mean_what_kubernetes_means(
    operator: Operator, values: tuple[str, ...], labels: dict[str, str], expected: bool
) -> None:
    assert Requirement(key="team", operator=operator, values=values).matches(labels) is expected


def test_all_of_a_selector_must_hold() -> None:
    selector = LabelSelector(
        match_labels={"a": "1"}, match_expressions=(Requirement(key="b", operator=Operator.EXISTS),)
    )
    assert selector.matches({"a": "1", "b": ""})
    assert not selector.matches({"a": "1"})
    assert not selector.matches({"b": ""})
    assert LabelSelector().matches({})
