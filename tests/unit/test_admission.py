"""What a class makes of a request: everything pinned, or a refusal that says what to edit."""

from decimal import Decimal
from typing import Any

import pytest

from builders import PROMPT, folder_id, make_class, make_generation, make_tier
from videogen_operator import ledger
from videogen_operator.admission import Offer, Refusal, offer
from videogen_operator.api.generation_class import VideoGenerationClass
from videogen_operator.api.namespaces import AllowedNamespaces, From, LabelSelector
from videogen_operator.conditions import Reason

TEAM_A = AllowedNamespaces(from_=From.SELECTOR, selector=LabelSelector(match_labels={"team": "a"}))


def asked(
    klass: VideoGenerationClass | None = None, labels: dict[str, str] | None = None, **spec: Any
) -> Offer | Refusal:
    obj = make_generation(**spec)
    return offer(obj.spec, klass or make_class(), folder_id(obj.spec.revision), labels)


def offered(klass: VideoGenerationClass | None = None, **spec: Any) -> Offer:
    found = asked(klass, **spec)
    assert isinstance(found, Offer), found
    return found


def refused(klass: VideoGenerationClass | None = None, labels: dict[str, str] | None = None, **spec: Any) -> Refusal:
    found = asked(klass, labels, **spec)
    assert isinstance(found, Refusal), found
    return found


# ---------------------------------------------------------------- what is offered


def test_what_is_left_out_comes_from_the_class() -> None:
    resolved = offered().resolved
    assert resolved.api_model == "veo-3.1-fast-generate-preview"
    assert (resolved.tier, resolved.resolution, resolved.aspect_ratio, resolved.duration_seconds) == (
        "720p",
        "720p",
        "16:9",
        4,
    )
    assert (resolved.width_pixels, resolved.height_pixels) == (1280, 720)
    assert resolved.price_usd == Decimal("0.30")


@pytest.mark.parametrize("name", ["best", "veo-3.1-generate-preview"])
def test_a_model_is_named_by_its_name_or_its_upstream_id(name: str) -> None:
    """Both are one request: renaming it in a manifest pays nothing again."""
    found = offered(model=name, tier="1080p", duration_seconds=8)
    assert found.resolved.api_model == "veo-3.1-generate-preview"
    assert found.request == offered(model="best", tier="1080p", duration_seconds=8).request


def test_the_word_on_the_wire_is_the_tiers() -> None:
    found = offered(tier="1080p", duration_seconds=8)
    assert (found.resolved.tier, found.resolved.resolution) == ("1080p", "full-hd")
    assert found.request.resolution == "full-hd"
    assert (found.resolved.width_pixels, found.resolved.height_pixels) == (1920, 1080)


def test_a_portrait_is_checked_against_its_own_pixels() -> None:
    resolved = offered(aspect_ratio="9:16").resolved
    assert (resolved.width_pixels, resolved.height_pixels) == (720, 1280)


def test_the_request_holds_digests_of_the_texts() -> None:
    request = offered(negative_prompt="text").request
    assert request.prompt_sha256 == ledger.digest(PROMPT)
    assert request.negative_prompt_sha256 == ledger.digest("text")
    assert offered().request.negative_prompt_sha256 is None


def test_a_seed_that_is_set_is_sent_and_compared() -> None:
    found = offered(seed=7)
    assert (found.resolved.seed, found.request.seed) == (7, 7)


def test_a_seed_of_zero_is_set() -> None:
    assert (offered(seed=0).resolved.seed, offered(seed=0).request.seed) == (0, 0)


def test_a_seed_that_is_left_out_is_derived_and_not_compared() -> None:
    found = offered()
    assert found.resolved.seed == ledger.derived_seed(folder_id(), PROMPT)
    assert found.request.seed is None


def test_a_raised_revision_is_another_take_of_the_same_request() -> None:
    assert offered(revision=2).resolved.seed != offered().resolved.seed
    assert offered(revision=2).request == offered().request


def test_the_message_names_class_model_and_price() -> None:
    assert offered().message == "class veo, model fast, price 0.30 USD"


@pytest.mark.parametrize(("most", "fits"), [("0.30", True), ("0.31", True), ("0.2999", False), ("0", False)])
def test_a_price_up_to_the_most_is_accepted(most: str, fits: bool) -> None:
    assert isinstance(asked(max_cost_usd=most), Offer) is fits


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("spec", "reason", "names"),
    [
        ({"model": "slow"}, Reason.MODEL_NOT_OFFERED, ["slow", "fast, best"]),
        ({"tier": "8k"}, Reason.TIER_NOT_OFFERED, ["8k", "720p, 1080p"]),
        ({"model": "best", "tier": "720p"}, Reason.TIER_NOT_OFFERED, ["720p", "best", "1080p"]),
        ({"aspect_ratio": "1:1"}, Reason.ASPECT_RATIO_NOT_OFFERED, ["1:1", "16:9, 9:16"]),
        ({"tier": "1080p", "aspect_ratio": "9:16", "duration_seconds": 8}, Reason.ASPECT_RATIO_NOT_OFFERED, ["1080p"]),
        ({"duration_seconds": 5}, Reason.DURATION_NOT_OFFERED, ["5", "4, 6, 8"]),
        ({"tier": "1080p"}, Reason.DURATION_NOT_OFFERED, ["1080p", "8", "4"]),
        ({"max_cost_usd": "0.29"}, Reason.PRICE_ABOVE_MAX, ["0.30", "0.29"]),
    ],
    ids=["model", "tier", "tier of the model", "aspect", "aspect of the tier", "length", "length of the tier", "price"],
)
def test_a_refusal_says_what_is_offered_instead(spec: dict[str, Any], reason: Reason, names: list[str]) -> None:
    found = refused(**spec)
    assert found.reason is reason
    assert all(name in found.message for name in names)


def test_the_first_thing_that_is_wrong_is_said() -> None:
    assert refused(model="slow", tier="8k", duration_seconds=5).reason is Reason.MODEL_NOT_OFFERED


@pytest.mark.parametrize("spec", [{"model": "slow"}, {"tier": "8k"}, {"aspect_ratio": "1:1"}, {"max_cost_usd": "0"}])
def test_no_refusal_holds_the_prompt(spec: dict[str, Any]) -> None:
    assert PROMPT not in refused(**spec).message


def test_a_class_that_changed_its_tiers_may_lack_the_default() -> None:
    """The schema keeps defaults and tiers together; the check holds when an old object of the class is read."""
    odd = make_class(tiers=(make_tier("4k"),))
    assert refused(odd).reason is Reason.TIER_NOT_OFFERED


# ---------------------------------------------------------------- namespaces


@pytest.mark.parametrize(
    ("labels", "allowed"), [({"team": "a"}, True), ({"team": "b"}, False), ({}, False), (None, False)]
)
def test_a_class_may_be_kept_to_some_namespaces(labels: dict[str, str] | None, allowed: bool) -> None:
    found = asked(make_class(allowed_namespaces=TEAM_A), labels)
    assert isinstance(found, Offer) is allowed


def test_a_namespace_that_may_not_use_the_class_learns_nothing_else_about_it() -> None:
    found = refused(make_class(allowed_namespaces=TEAM_A), {}, model="slow")
    assert found.reason is Reason.NAMESPACE_NOT_ALLOWED
    assert "films" in found.message
    assert "best" not in found.message


def test_a_class_without_a_selector_asks_for_no_labels() -> None:
    assert isinstance(asked(labels=None), Offer)
