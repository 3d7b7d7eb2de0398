"""The rehearsal class of `examples/` with the addresses, names and limits that a run needs."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from podrunner.release import ROOT

EXAMPLE = ROOT / "examples" / "class-rehearsal.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What a class points at: a gateway and a bucket, and the Secrets that open them."""

    endpoint: str
    key_secret: str
    store_endpoint: str
    bucket: str
    bucket_secret: str
    prefix: str | None = None


def rehearsal_class(name: str, parts: Parts, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The example class under another name. `changes` goes into its spec: maps are merged, None takes a field away."""
    manifest: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    manifest["metadata"]["name"] = name
    gateway = manifest["spec"]["provider"]["openAIVideos"]
    gateway["endpoints"] = [parts.endpoint]
    gateway["apiKeySecretRef"]["name"] = parts.key_secret
    store = manifest["spec"]["storage"]["s3"]
    store |= {"endpoint": parts.store_endpoint, "bucket": parts.bucket}
    store["credentials"]["secretRef"]["name"] = parts.bucket_secret
    if parts.prefix is not None:
        store["prefix"] = parts.prefix
    manifest["spec"] = merged(manifest["spec"], changes or {})
    return manifest


def secret(namespace: str, name: str, values: Mapping[str, str]) -> dict[str, Any]:
    """A Secret of plain texts."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": dict(values),
    }


def merged(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`old` with `changes`: maps are merged in depth, lists replaced, None removes."""
    new = copy.deepcopy(dict(old))
    for key, value in changes.items():
        if value is None:
            new.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(new.get(key), dict):
            new[key] = merged(new[key], value)
        else:
            new[key] = copy.deepcopy(value)
    return new
