"""What a class makes of a request: an offer with everything pinned, or a refusal that says what to edit.

The API server refuses the same things at apply time by the admission policy; this is the check that holds when
the policy is off, was evaluated against an older class, or the class came later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from . import ledger, ledger_names
from .api.gateway import OfferedModel, Tier
from .api.generation import Spec
from .api.generation_class import VideoGenerationClass
from .api.generation_status import Resolved
from .api.money import format_usd
from .conditions import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The class does not offer this; nothing is spent until somebody edits the object or the class."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What will be bought, pinned: the request that the ledger compares and the values that reach the wire."""

    request: ledger.Request
    resolved: Resolved
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Model, tier, aspect ratio and length after the class's defaults."""

    model: str
    tier: str
    aspect_ratio: str
    duration_seconds: int


def offer(
    spec: Spec,
    klass: VideoGenerationClass,
    folder: ledger_names.FolderId,
    namespace_labels: Mapping[str, str] | None,
) -> Offer | Refusal:
    """What `klass` makes of `spec`; `namespace_labels` is None when the class does not ask for them."""
    refused = _namespace(klass, folder.namespace, namespace_labels)
    if refused:
        return refused
    wanted = _wanted(spec, klass)
    model = klass.spec.find_model(wanted.model)
    tier = klass.spec.find_tier(wanted.tier)
    if model is None:
        return Refusal(reason=Reason.MODEL_NOT_OFFERED, message=_no_model(wanted.model, klass))
    if tier is None or not model.makes(tier.name):
        return Refusal(reason=Reason.TIER_NOT_OFFERED, message=_no_tier(wanted.tier, model, klass))
    for check in _CHECKS:
        refused = check(wanted, spec, model, tier)
        if refused:
            return refused
    return _pinned(spec, wanted, model, tier, klass, folder)


def _wanted(spec: Spec, klass: VideoGenerationClass) -> _Wanted:
    defaults = klass.spec.defaults
    return _Wanted(
        model=spec.model or defaults.model,
        tier=spec.tier or defaults.tier,
        aspect_ratio=spec.aspect_ratio or defaults.aspect_ratio,
        duration_seconds=spec.duration_seconds or defaults.duration_seconds,
    )


def _namespace(klass: VideoGenerationClass, namespace: str, labels: Mapping[str, str] | None) -> Refusal | None:
    allowed = klass.spec.allowed_namespaces
    if allowed.selector is None or allowed.allows(labels or {}):
        return None
    return Refusal(
        reason=Reason.NAMESPACE_NOT_ALLOWED,
        message=f"class {klass.metadata.name} may not be used in namespace {namespace}: its allowedNamespaces "
        "selects other labels; use another class, or ask for the label",
    )


def _no_model(model: str, klass: VideoGenerationClass) -> str:
    offered = ", ".join(m.name for m in klass.spec.models)
    return f"class {klass.metadata.name} does not offer model {model}: set spec.model to one of {offered}"


def _no_tier(tier: str, model: OfferedModel, klass: VideoGenerationClass) -> str:
    offered = ", ".join(t.name for t in klass.spec.tiers if model.makes(t.name))
    name = klass.metadata.name
    return f"class {name} does not make tier {tier} with model {model.name}: set spec.tier to one of {offered}"


def _aspect_ratio(wanted: _Wanted, _spec: Spec, _model: OfferedModel, tier: Tier) -> Refusal | None:
    if wanted.aspect_ratio in tier.sizes:
        return None
    offered = ", ".join(tier.sizes)
    message = f"tier {tier.name} is made in {offered}, not in {wanted.aspect_ratio}: set spec.aspectRatio"
    return Refusal(reason=Reason.ASPECT_RATIO_NOT_OFFERED, message=message)


def _duration(wanted: _Wanted, _spec: Spec, _model: OfferedModel, tier: Tier) -> Refusal | None:
    if wanted.duration_seconds in tier.durations_seconds:
        return None
    offered = ", ".join(map(str, tier.durations_seconds))
    asked = wanted.duration_seconds
    message = f"tier {tier.name} is made in lengths of {offered} seconds, not {asked}: set spec.durationSeconds"
    return Refusal(reason=Reason.DURATION_NOT_OFFERED, message=message)


def _price(_wanted: _Wanted, spec: Spec, model: OfferedModel, _tier: Tier) -> Refusal | None:
    if spec.max_cost_usd is None or model.price_usd <= spec.max_cost_usd:
        return None
    message = (
        f"model {model.name} costs {format_usd(model.price_usd)} USD, more than maxCostUSD "
        f"{format_usd(spec.max_cost_usd)}; raise it or choose another model"
    )
    return Refusal(reason=Reason.PRICE_ABOVE_MAX, message=message)


_Check = Callable[[_Wanted, Spec, OfferedModel, Tier], Refusal | None]
_CHECKS: Final[tuple[_Check, ...]] = (_aspect_ratio, _duration, _price)


def _pinned(
    spec: Spec,
    wanted: _Wanted,
    model: OfferedModel,
    tier: Tier,
    klass: VideoGenerationClass,
    folder: ledger_names.FolderId,
) -> Offer:
    width, height = tier.pixels(wanted.aspect_ratio)
    seed = spec.seed if spec.seed is not None else ledger.derived_seed(folder, spec.prompt)
    resolved = Resolved(
        api_model=model.api_model,
        tier=tier.name,
        resolution=tier.wire_resolution,
        aspect_ratio=wanted.aspect_ratio,
        duration_seconds=wanted.duration_seconds,
        seed=seed,
        width_pixels=width,
        height_pixels=height,
        price_usd=model.price_usd,
    )
    request = ledger.Request(
        model=model.api_model,
        prompt_sha256=ledger.digest(spec.prompt),
        negative_prompt_sha256=ledger.digest(spec.negative_prompt) if spec.negative_prompt else None,
        resolution=tier.wire_resolution,
        aspect_ratio=wanted.aspect_ratio,
        duration_seconds=wanted.duration_seconds,
        seed=spec.seed,
    )
    message = f"class {klass.metadata.name}, model {model.name}, price {format_usd(model.price_usd)} USD"
    return Offer(request=request, resolved=resolved, message=message)
