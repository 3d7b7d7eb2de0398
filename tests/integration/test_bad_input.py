"""Mistakes of users and administrators: what is said, that nothing is paid for them, and that mending is enough."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

import class_manifests
from integration.harness import BUCKET, Site, condition, make_class, make_site, site_without_class
from integration.lax_store import LaxStore
from integration.lifecycle import only_own_classes, until  # noqa: F401 - a fixture
from servers.control_plane import ControlPlaneError
from stack import Stack

pytestmark = pytest.mark.usefixtures("operator", "only_own_classes")

NewSite = Callable[..., Site]


def put_secret(site: Site, name: str, values: Mapping[str, str]) -> None:
    """A Secret in the operator's namespace."""
    site.stack.apply(class_manifests.secret(site.stack.release.namespace, name, values))


def patch_class(site: Site, spec: Mapping[str, Any]) -> None:
    """Edit the class's spec with kubectl."""
    patch = json.dumps({"spec": spec})
    site.stack.plane.kubectl("patch", "vgclass", site.class_name, "--type=merge", "--patch", patch)


def wait_class(site: Site, kind: str, reason: str) -> str:
    """Wait until a condition of the class has a reason; its message."""
    found = site.stack.wait_class(site.class_name, lambda seen: condition(seen, kind).get("reason") == reason)
    assert condition(found, kind)["status"] == "False"
    assert condition(found, "Ready")["status"] == "False"
    return condition(found, kind)["message"]


def assert_waits(site: Site) -> None:
    """The object waits, says where to look, and nothing was sent for it."""
    found = site.wait_phase("Queued")
    assert f"kubectl describe vgclass {site.class_name}" in condition(found, "Ready")["message"]
    assert site.posts() == []


# ---------------------------------------------------------------- the gateway


def test_an_endpoint_that_is_down(new_site: NewSite) -> None:
    site = new_site({"provider": {"openAIVideos": {"endpoints": ["http://127.0.0.1:9/v1"]}}})
    site.order()
    assert "http://127.0.0.1:9/v1" in wait_class(site, "SpendingOpen", "GatewayUnreachable")
    assert_waits(site)
    patch_class(site, {"provider": {"openAIVideos": {"endpoints": [site.stack.simulator.base_url]}}})
    site.stored()
    assert len(site.posts()) == 1


def test_a_key_that_the_gateway_does_not_know(new_site: NewSite) -> None:
    """It is found out by the free probe, so no POST is refused."""
    site = new_site({"provider": {"openAIVideos": {"apiKeySecretRef": {"name": "mistyped"}}}})
    put_secret(site, "mistyped", {"token": "no-such-key"})
    site.order()
    assert "Secret mistyped" in wait_class(site, "CredentialsValid", "CredentialsRejected")
    assert_waits(site)
    put_secret(site, "mistyped", {"token": f"key-{site.class_name}"})
    site.stored()
    assert [post["outcome"] for post in site.posts()] == ["200"]


def test_an_account_without_balance(site: Site) -> None:
    """One refused POST, then none until the class is touched or time has passed."""
    site.stack.simulator.change(balances={site.class_name: 0})
    site.order("first")
    wait_class(site, "SpendingOpen", "InsufficientBalance")
    site.order("second")
    site.wait_phase("Queued", name="second")
    assert [post["outcome"] for post in site.posts()] == ["403"]
    site.stack.simulator.change(balances={site.class_name: 5})
    patch_class(site, {"limits": {"maxInFlight": 9}})
    site.stored("first")
    site.stored("second")
    assert site.stack.simulator.ledger()["balances"][site.class_name] == pytest.approx(4.4)


# ---------------------------------------------------------------- Secrets and the bucket


def test_a_missing_secret_of_the_gateway(new_site: NewSite) -> None:
    site = new_site({"provider": {"openAIVideos": {"apiKeySecretRef": {"name": "forgotten-key"}}}})
    site.order()
    assert "Secret forgotten-key" in wait_class(site, "CredentialsValid", "SecretNotFound")
    assert_waits(site)
    put_secret(site, "forgotten-key", {"token": f"key-{site.class_name}"})
    site.stored()


def test_a_missing_secret_of_the_bucket(new_site: NewSite) -> None:
    site = new_site({"storage": {"s3": {"credentials": {"secretRef": {"name": "forgotten-bucket"}}}}})
    site.order()
    assert "Secret forgotten-bucket" in wait_class(site, "StorageReady", "SecretNotFound")
    assert_waits_for_ledger(site)
    s3 = site.stack.s3
    put_secret(site, "forgotten-bucket", {"accessKeyID": s3.access_key, "secretAccessKey": s3.secret_key})
    site.stored()


def test_a_bucket_that_does_not_exist(new_site: NewSite) -> None:
    site = new_site(bucket="not-made-yet")
    site.order()
    wait_class(site, "StorageReady", "BucketNotFound")
    assert_waits_for_ledger(site)
    site.stack.s3.make_bucket("not-made-yet")
    site.stored()


def assert_waits_for_ledger(site: Site) -> None:
    """What may have been bought before cannot be read, so nothing is sent."""
    site.wait_phase("Queued")
    assert site.posts() == []


def test_a_store_without_conditional_writes_never_gets_an_order(stack: Stack) -> None:
    """It ignores If-None-Match, so it could not keep two operators apart."""
    with LaxStore(stack.s3) as lax:
        site = make_site(stack)
        stack.plane.kubectl("delete", "vgclass", site.class_name)
        parts = stack.class_parts(site.class_name, bucket=BUCKET, prefix=site.prefix)
        manifest = class_manifests.rehearsal_class(site.class_name, parts)
        manifest["spec"]["storage"]["s3"]["endpoint"] = lax.url
        stack.apply(manifest)
        message = wait_class(site, "StorageReady", "ConditionalWritesUnsupported")
        assert "If-None-Match is ignored" in message
        site.order()
        assert_waits(site)
        assert lax.dropped > 0


# ---------------------------------------------------------------- the class


def test_an_order_that_came_before_its_class(stack: Stack) -> None:
    """It waits, and the class is enough; the operator's copy of the policy is asked then."""
    site = site_without_class(stack)
    site.order()
    site.wait_reason("ClassNotFound", "Accepted")
    make_class(site)
    site.stored()
    assert len(site.posts()) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"provider": {"openAIVideos": {"endpoints": ["ftp://127.0.0.1/v1"]}}}, "endpoints"),
        ({"defaults": {"model": "veo-9"}}, "defaults.model must be a name in models"),
        ({"defaults": {"durationSeconds": 4}}, "defaults must name a tier"),
        ({"storage": {"s3": {"bucket": "Not_A_Bucket"}}}, "bucket"),
        ({"limits": {"submitConcurrency": 33}}, "submitConcurrency"),
        ({"provider": {"openAIVideos": {"submitTimeoutSeconds": 5}}}, "submitTimeoutSeconds"),
    ],
)
def test_a_class_that_cannot_work_is_refused_at_apply_time(
    new_site: NewSite, change: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(ControlPlaneError, match=words):
        new_site(change)


# ---------------------------------------------------------------- what the class does not offer

NOT_OFFERED: Mapping[str, tuple[Mapping[str, Any], str, str]] = {
    "pair": (
        {"tier": "1080p", "durationSeconds": 4},
        "DurationNotOffered",
        "is made in lengths of 8 seconds, not 4: set spec.durationSeconds",
    ),
    "model": (
        {"model": "veo-9"},
        "ModelNotOffered",
        "does not offer model veo-9: set spec.model to one of fast, stand",
    ),
    "tier": ({"tier": "8k"}, "TierNotOffered", "does not offer tier 8k: set spec.tier to one of 720p, 1080p, 4k"),
    "shape": ({"aspectRatio": "1:1"}, "AspectRatioNotOffered", "not 1:1: set spec.aspectRatio"),
    "price": (
        {"model": "standard", "maxCostUSD": "0.50"},
        "PriceAboveMax",
        "costs 1.20 USD a video, spec.maxCostUSD is 0.50: raise it or use another model",
    ),
}


@pytest.mark.parametrize("mistake", NOT_OFFERED)
def test_what_the_class_does_not_offer_is_refused_at_apply_time(site: Site, mistake: str) -> None:
    change, _, words = NOT_OFFERED[mistake]
    policy_sees(site)
    with pytest.raises(ControlPlaneError) as refusal:
        site.order(**change)
    assert "denied request" in str(refusal.value)
    assert words in str(refusal.value)
    assert site.read() is None


def test_the_operator_refuses_it_too(site: Site) -> None:
    """The policy is taken away; each object says why, and nothing is sent."""
    with without_policy(site):
        for name, (change, _, _) in NOT_OFFERED.items():
            site.order(name, **change)
        for name, (_, reason, _) in NOT_OFFERED.items():
            found = site.wait_reason(reason, "Accepted", name)
            assert condition(found, "Stalled")["status"] == "True"
            assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    assert site.posts() == []


def test_an_edit_mends_what_the_operator_had_refused(site: Site) -> None:
    with without_policy(site):
        site.order(tier="1080p", durationSeconds=4)
        site.wait_reason("DurationNotOffered", "Accepted")
    site.order(tier="1080p", durationSeconds=8)
    site.stored()
    assert len(site.posts()) == 1


ONLY_FOR_OTHERS = {"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "others"}}}}


def test_a_namespace_that_may_not_use_the_class_is_refused_at_apply_time(new_site: NewSite) -> None:
    site = new_site(ONLY_FOR_OTHERS)
    policy_sees(site)
    with pytest.raises(ControlPlaneError, match=f"namespace {site.namespace} may not use class {site.class_name}"):
        site.order()


def test_a_namespace_that_may_not_use_the_class_is_refused_by_the_operator(new_site: NewSite) -> None:
    site = new_site(ONLY_FOR_OTHERS)
    with without_policy(site):
        site.order()
        site.wait_reason("NamespaceNotAllowed", "Accepted")
    assert site.posts() == []


def policy_sees(site: Site) -> None:
    """Wait until the policy judges by this class: the API server takes note of a new one a moment later."""
    until(site.stack, lambda: not _lets_pass(site), "the admission policy")


@contextmanager
def without_policy(site: Site) -> Iterator[None]:
    """An API server on which nobody installed the admission policy, or on which it was taken away."""
    kubectl = site.stack.plane.kubectl
    kind = "validatingadmissionpolicybinding"
    (found,) = json.loads(kubectl("get", kind, "--output", "json").stdout)["items"]
    kept = {key: found[key] for key in ("apiVersion", "kind", "spec")}
    kept["metadata"] = {key: found["metadata"][key] for key in ("name", "labels", "annotations")}
    kubectl("delete", kind, found["metadata"]["name"])
    try:
        until(site.stack, lambda: _lets_pass(site), "no admission policy")
        yield
    finally:
        site.stack.apply(kept)
        policy_sees(site)


def _lets_pass(site: Site) -> bool:
    text = json.dumps(site.manifest("judged", model="of-no-class"))
    return site.stack.plane.kubectl("apply", "--dry-run=server", "-f", "-", input=text, check=False).returncode == 0
