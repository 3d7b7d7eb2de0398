"""One list of paid fields makes the lock, the hash and the request: a field that money buys is in all of them."""

import re
from decimal import Decimal

import pytest

from builders import a_task, an_intent, folder_id, make_class, make_folder, make_generation, make_tier
from videogen_operator import adoption, wire_request
from videogen_operator.admission import Offer, offer
from videogen_operator.api.generation import MONEY_LOCK, PAID_FIELDS, ClassRef, Spec, VideoGeneration
from videogen_operator.api.meta import wire_name
from videogen_operator.ledger import Request

PLAIN = make_generation()
CHANGED: dict[str, VideoGeneration] = {
    "model": make_generation(model="best", tier="1080p", duration_seconds=8),
    "tier": make_generation(tier="1080p", duration_seconds=8),
    "aspectRatio": make_generation(aspect_ratio="9:16"),
    "durationSeconds": make_generation(duration_seconds=8),
    "prompt": make_generation(prompt="another prompt"),
    "negativePrompt": make_generation(negative_prompt="text"),
    "seed": make_generation(seed=7),
}
FREE = {
    "revision": make_generation(revision=2),
    "suspend": make_generation(suspend=True),
    "maxCostUSD": make_generation(max_cost_usd="9.00"),
    "retryPolicy": make_generation(retry_policy={"max_attempts": 1}),
}


def requested(obj: VideoGeneration) -> Request:
    offered = offer(obj.spec, make_class(), folder_id(), None)
    assert isinstance(offered, Offer)
    return offered.request


def test_every_field_of_spec_is_either_paid_or_free() -> None:
    fields = {wire_name(name) for name in Spec.model_fields}
    assert set(PAID_FIELDS) | set(FREE) == fields
    assert not set(PAID_FIELDS) & set(FREE)


def test_every_paid_field_is_tried_here() -> None:
    assert {*CHANGED, "classRef"} == set(PAID_FIELDS)


@pytest.mark.parametrize("field", CHANGED)
def test_a_changed_paid_field_is_another_request(field: str) -> None:
    assert requested(CHANGED[field]).hash != requested(PLAIN).hash


@pytest.mark.parametrize("field", CHANGED)
def test_a_changed_paid_field_is_refused_by_the_folder_of_its_revision(field: str) -> None:
    folder = make_folder(an_intent(request=requested(PLAIN)), a_task())
    assert isinstance(adoption.judge(folder, requested(CHANGED[field]), "veo"), adoption.OtherContent)


def test_another_class_is_refused_by_its_name_and_not_by_the_hash() -> None:
    named = make_generation(class_ref=ClassRef(name="other"))
    assert requested(named).hash == requested(PLAIN).hash
    assert isinstance(adoption.judge(make_folder(an_intent()), requested(named), "other"), adoption.OtherClass)


@pytest.mark.parametrize("field", FREE)
def test_a_changed_free_field_is_the_same_request(field: str) -> None:
    assert requested(FREE[field]) == requested(PLAIN)


def test_a_changed_default_of_the_class_is_another_request() -> None:
    """So it is refused when the object is made again, and never silently paid."""
    other = make_class(tiers=(make_tier(resolution="hd"), make_tier("1080p", durations_seconds=(8,))))
    offered = offer(PLAIN.spec, other, folder_id(), None)
    assert isinstance(offered, Offer)
    assert offered.request != requested(PLAIN)


def test_a_changed_price_is_the_same_request() -> None:
    dearer = make_class(models=tuple(m.model_copy(update={"price_usd": Decimal(5)}) for m in make_class().spec.models))
    offered = offer(PLAIN.spec, dearer, folder_id(), None)
    assert isinstance(offered, Offer)
    assert offered.request == requested(PLAIN)


@pytest.mark.parametrize("field", PAID_FIELDS)
def test_the_lock_compares_the_field_set_and_unset_included(field: str) -> None:
    new, old = f"self.spec.{field}", f"oldSelf.spec.{field}"
    assert f"has({new}) == has({old}) && (!has({new}) || {new} == {old})" in MONEY_LOCK.rule


def test_the_lock_names_no_field_that_is_free() -> None:
    named = set(re.findall(r"(?:self|oldSelf)\.spec\.(\w+)", MONEY_LOCK.rule))
    assert named == {*PAID_FIELDS, "revision"}


def test_the_lock_opens_for_a_raised_revision_only() -> None:
    assert "self.spec.revision > oldSelf.status.submittedRevision" in MONEY_LOCK.rule
    assert "raise spec.revision" in MONEY_LOCK.message


def test_all_that_reaches_the_wire_is_in_the_request() -> None:
    """Beside the seed: one that the user did not set follows from the folder's name and the prompt."""
    on_the_wire = set(wire_request.VideoRequest.__dataclass_fields__)
    compared = {name.replace("_sha256", "") for name in Request.model_fields}
    assert {name.replace("api_model", "model") for name in on_the_wire} == compared
