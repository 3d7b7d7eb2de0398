"""What a class shows of its key, its bucket and its spending."""

from datetime import timedelta

import pytest

from builders import NOW
from videogen_operator import class_conditions
from videogen_operator.api.meta import Condition, ConditionStatus
from videogen_operator.class_conditions import ClassType, Health, Probe
from videogen_operator.closures import Closed, Closure

T, F, U = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
KEY = Probe(ok=True, reason="LastCallAccepted")
BUCKET = Probe(ok=True, reason="ProbeWritten")
GOOD = Health(credentials=KEY, storage=BUCKET)


def shown(health: Health, before: tuple[Condition, ...] = (), seconds: float = 0) -> dict[str, Condition]:
    listed = class_conditions.conditions(health, generation=4, now=NOW + timedelta(seconds=seconds), before=before)
    return {condition.type: condition for condition in listed}


def closed(*reasons: Closure, until: float | None = None) -> dict[Closure, Closed]:
    return {why: Closed(f"because of {why}", until) for why in reasons}


def seen(health: Health, type_: ClassType) -> tuple[ConditionStatus, str]:
    condition = shown(health)[type_]
    return condition.status, condition.reason


def test_a_healthy_class_is_ready() -> None:
    assert [(c.type, c.status, c.reason) for c in shown(GOOD).values()] == [
        ("Ready", T, "Ready"),
        ("CredentialsValid", T, "LastCallAccepted"),
        ("StorageReady", T, "ProbeWritten"),
        ("SpendingOpen", T, "BreakerClosed"),
        ("ModelsAvailable", T, "AllAvailable"),
    ]
    assert {c.observed_generation for c in shown(GOOD).values()} == {4}


def test_before_the_first_probe_nothing_is_claimed() -> None:
    for type_ in (ClassType.READY, ClassType.CREDENTIALS_VALID, ClassType.STORAGE_READY):
        assert seen(Health(), type_) == (U, "Pending")


@pytest.mark.parametrize(
    "reason",
    ["SecretNotFound", "BucketNotFound", "AccessDenied", "ConditionalWritesUnsupported", "StorageUnavailable"],
)
def test_a_bucket_that_does_not_do_is_named(reason: str) -> None:
    health = Health(credentials=KEY, storage=Probe(ok=False, reason=reason, message="because"))
    assert seen(health, ClassType.STORAGE_READY) == (F, reason)
    assert seen(health, ClassType.READY) == (F, reason)
    assert shown(health)[ClassType.READY].message == "StorageReady: because"


@pytest.mark.parametrize(
    "why",
    [
        Closure.GATEWAY_UNREACHABLE,
        Closure.INSUFFICIENT_BALANCE,
        Closure.SERVER_ERRORS,
        Closure.REBUILDING,
        Closure.SCHEMA_OUTDATED,
    ],
)
def test_a_closed_class_is_not_open_for_spending_and_not_ready(why: Closure) -> None:
    health = Health(credentials=KEY, storage=BUCKET, closures=closed(why))
    assert seen(health, ClassType.SPENDING_OPEN) == (F, why.value)
    assert seen(health, ClassType.READY) == (F, why.value)
    assert seen(health, ClassType.CREDENTIALS_VALID)[0] is T


def test_a_class_that_is_slowed_down_stays_open_and_says_it() -> None:
    """429 is the life of a busy account: nobody has to act."""
    health = Health(credentials=KEY, storage=BUCKET, closures=closed(Closure.RATE_LIMITED))
    assert seen(health, ClassType.READY)[0] is T
    assert seen(health, ClassType.SPENDING_OPEN) == (T, "BreakerClosed")
    assert "slowed down" in shown(health)[ClassType.SPENDING_OPEN].message


def test_what_an_order_learned_about_the_key_counts_more_than_the_last_probe() -> None:
    health = Health(credentials=KEY, storage=BUCKET, closures=closed(Closure.CREDENTIALS_REJECTED))
    assert seen(health, ClassType.CREDENTIALS_VALID) == (F, "CredentialsRejected")
    assert seen(health, ClassType.SPENDING_OPEN) == (F, "CredentialsRejected")
    assert seen(health, ClassType.READY) == (F, "CredentialsRejected")


@pytest.mark.parametrize("why", [Closure.STORAGE, Closure.SECRET_NOT_FOUND])
def test_a_closure_that_has_a_condition_of_its_own_is_said_there_only(why: Closure) -> None:
    health = Health(credentials=KEY, storage=BUCKET, closures=closed(why))
    assert seen(health, ClassType.SPENDING_OPEN) == (T, "BreakerClosed")


def test_the_first_thing_that_is_wrong_is_the_reason_of_ready() -> None:
    health = Health(
        credentials=Probe(ok=False, reason="SecretNotFound", message="no Secret veo-key"),
        storage=Probe(ok=False, reason="AccessDenied"),
        closures=closed(Closure.INSUFFICIENT_BALANCE),
    )
    assert seen(health, ClassType.READY) == (F, "SecretNotFound")


def test_what_is_wrong_comes_before_what_is_not_known() -> None:
    health = Health(credentials=class_conditions.PENDING, storage=Probe(ok=False, reason="AccessDenied"))
    assert seen(health, ClassType.READY) == (F, "AccessDenied")


def test_a_retired_model_closes_only_itself() -> None:
    health = Health(credentials=KEY, storage=BUCKET, models={"veo-2": Closed("model veo-2 is gone")})
    assert seen(health, ClassType.MODELS_AVAILABLE) == (F, "ModelUnavailable")
    assert "veo-2" in shown(health)[ClassType.MODELS_AVAILABLE].message
    assert seen(health, ClassType.READY) == (T, "Ready")


def test_a_shared_account_is_said_and_is_no_fault() -> None:
    health = Health(credentials=KEY, storage=BUCKET, shares_account_with=("fast", "slow"), note="two defaults")
    assert seen(health, ClassType.READY) == (T, "AccountShared")
    message = shown(health)[ClassType.READY].message
    assert "fast, slow" in message
    assert "two defaults" in message


def test_a_transition_time_moves_only_when_a_status_changes() -> None:
    before = tuple(shown(GOOD).values())
    after = shown(Health(credentials=KEY, storage=Probe(ok=False, reason="AccessDenied")), before, 60)
    moved = {type_ for type_, condition in after.items() if condition.last_transition_time != NOW}
    assert moved == {ClassType.READY, ClassType.STORAGE_READY}


def test_ready_comes_first() -> None:
    assert next(iter(shown(GOOD))) == ClassType.READY
