"""What the operator may do in Kubernetes: as `rights.txt` lists it, and as an API server has it.

A missing right makes the operator fail by itself; one too many would never show. So both are refused by name.
"""

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers.api_client import ApiClient

LIST = Path(__file__).with_name("rights.txt")
CLUSTER = "cluster"
OWN_NAMESPACE = "own namespace"

_LINE = re.compile(r"(\S+) (\S+) (\S+) \((.+)\)")
_API = "/apis/rbac.authorization.k8s.io/v1"
_ACCOUNTS = "system:serviceaccounts"
# On what Kubernetes itself gives to every account, such as to look at its own rights.
_BUILT_IN = ("kubernetes.io/bootstrapping", "rbac-defaults")

Json = Mapping[str, Any]


class RightsError(RuntimeError):
    """The operator may do other things than are listed; the message names them."""


@dataclass(frozen=True, order=True, slots=True)
class Right:
    """One verb on one resource. The core group is called `core`."""

    group: str
    resource: str
    verb: str
    where: str

    def __str__(self) -> str:
        """The line of the list."""
        return f"{self.group} {self.resource} {self.verb} ({self.where})"


@dataclass(frozen=True, slots=True)
class Account:
    """A ServiceAccount."""

    namespace: str
    name: str

    @property
    def user(self) -> str:
        """The user name of its requests."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    def is_bound_by(self, binding: Json) -> bool:
        """Whether a binding is about it: as account, as user, or by a group that it is in."""
        return any(self._is(subject) for subject in binding.get("subjects") or ())

    def _is(self, subject: Json) -> bool:
        if subject["kind"] == "ServiceAccount":
            return (subject.get("namespace"), subject["name"]) == (self.namespace, self.name)
        groups = {f"{_ACCOUNTS}:{self.namespace}", _ACCOUNTS, "system:authenticated"}
        return subject["name"] in {self.user, *groups}


def listed(text: str | None = None) -> frozenset[Right]:
    """The rights of the list. Raises ValueError for a line that is none."""
    lines = (LIST.read_text() if text is None else text).splitlines()
    return frozenset(_read(line) for line in lines if line and not line.startswith("#"))


def of_role(role: Json, where: str) -> frozenset[Right]:
    """What a role gives where it is bound. What a controller would add to it later is called by the role's name."""
    rules = [right for rule in role.get("rules") or () for right in _of_rule(rule, where)]
    if "aggregationRule" in role:
        rules.append(Right("*", f"whatever-is-added-to:{role['metadata']['name']}", "*", where))
    return frozenset(rules)


def granted(client: ApiClient, account: Account) -> frozenset[Right]:
    """What an API server lets an account do, beside what it lets every account do."""
    roles = {_key(role): role for kind in ("clusterroles", "roles") for role in _all(client, kind)}
    bindings = [one for kind in ("clusterrolebindings", "rolebindings") for one in _all(client, kind)]
    return frozenset(
        right
        for binding in bindings
        if account.is_bound_by(binding) and not _is_built_in(binding)
        for right in of_role(roles.get(_bound(binding), {}), _where(binding, account))
    )


def compare(held: Collection[Right], wanted: Collection[Right]) -> None:
    """Nothing when they are the same. Raises RightsError that names every difference."""
    differences = [f"too much: {right}" for right in sorted(set(held) - set(wanted))]
    differences += [f"missing: {right}" for right in sorted(set(wanted) - set(held))]
    if differences:
        lines = "\n  ".join(differences)
        raise RightsError(f"the operator's rights are not those that hack/podrunner/{LIST.name} lists:\n  {lines}")


def _read(line: str) -> Right:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"this is no right: {line}")
    return Right(*found.groups())


def _of_rule(rule: Json, where: str) -> Iterator[Right]:
    names = rule.get("resourceNames")
    where = f"{where}, only {' and '.join(names)}" if names else where
    for group, resource, verb in itertools.product(rule.get("apiGroups", ()), rule.get("resources", ()), rule["verbs"]):
        yield Right(group or "core", resource, verb, where)
    for path, verb in itertools.product(rule.get("nonResourceURLs", ()), rule["verbs"]):
        yield Right("url", path, verb, where)


def _all(client: ApiClient, kind: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(client.get(f"{_API}/{kind}"))["items"]
    return items


def _key(role: Json) -> tuple[str, str]:
    return role["metadata"].get("namespace", ""), role["metadata"]["name"]


def _bound(binding: Json) -> tuple[str, str]:
    """The key of the role that a binding is about."""
    reference = binding["roleRef"]
    return "" if reference["kind"] == "ClusterRole" else binding["metadata"]["namespace"], reference["name"]


def _where(binding: Json, account: Account) -> str:
    namespace = binding["metadata"].get("namespace")
    if namespace is None:
        return CLUSTER
    return OWN_NAMESPACE if namespace == account.namespace else f"namespace {namespace}"


def _is_built_in(thing: Json) -> bool:
    return _BUILT_IN in thing["metadata"].get("labels", {}).items()
