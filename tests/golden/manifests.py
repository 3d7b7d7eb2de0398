"""The golden manifests, and the rules of the CRDs and of the admission policy that they must show.

A file begins with comments: `# rule: ` and the static message of a rule that it is about ("schema" for a plain bound),
as often as needed, and `# message: ` with what the refusal says where that is not the rule's own message. The last
document is the one that is judged. Those before it are what is there already: classes, and, where it has the same kind
and name, the old form of the same object, with its status. The namespace has the labels below.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

GOLDEN: Final = Path(__file__).resolve().parent
ROOT: Final = GOLDEN.parents[1]
POLICY: Final = ROOT / "charts/videogen-operator/templates/admission-policy.yaml"

NAMESPACE_LABELS: Final = {"team": "a", "videogen.dev/enabled": "true"}

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """One golden file."""

    path: Path
    rules: tuple[str, ...]
    message: str
    given: tuple[Json, ...]
    judged: Json

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def old(self) -> Json | None:
        """The object that the judged one replaces."""
        return next((document for document in self.given if _identity(document) == _identity(self.judged)), None)

    @property
    def setting(self) -> tuple[Json, ...]:
        """What is there besides."""
        return tuple(document for document in self.given if document is not self.old)


def _identity(document: Json) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def _comments(text: str, key: str) -> tuple[str, ...]:
    mark = f"# {key}: "
    return tuple(line.removeprefix(mark) for line in text.splitlines() if line.startswith(mark))


def read(path: Path) -> Manifest:
    """The manifest in a golden file."""
    text = path.read_text()
    rules = _comments(text, "rule")
    *given, judged = [document for document in yaml.safe_load_all(text) if document]
    message = next(iter((*_comments(text, "message"), *rules)))
    return Manifest(path=path, rules=rules, message=message, given=tuple(given), judged=judged)


def accepted() -> list[Manifest]:
    """What the API server must take."""
    return [read(path) for path in sorted((GOLDEN / "accept").glob("*.yaml"))]


def refused() -> list[Manifest]:
    """What the API server must refuse, with the message."""
    return [read(path) for path in sorted((GOLDEN / "reject").glob("*.yaml"))]


def _validations(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for rule in node.get("x-kubernetes-validations", []):
            yield rule["message"]
        for value in node.values():
            yield from _validations(value)
    elif isinstance(node, list):
        for item in node:
            yield from _validations(item)


def crd_rules() -> list[str]:
    """The message of every CEL rule in `crds/`."""
    return [message for path in sorted((ROOT / "crds").glob("*.yaml")) for message in _validations(read_yaml(path))]


def policy() -> Json:
    """The admission policy as it stands in the chart; lines that Helm fills hold names and labels only."""
    lines = [line for line in POLICY.read_text().splitlines() if "{{" not in line]
    documents: Iterator[Json] = yaml.safe_load_all("\n".join(lines))
    return next(document for document in documents if document["kind"] == "ValidatingAdmissionPolicy")


def policy_rules() -> list[str]:
    """The static message of every validation of the admission policy."""
    return [validation["message"] for validation in policy()["spec"]["validations"]]


def read_yaml(path: Path) -> Json:
    """The one document of a file."""
    document: Json = yaml.safe_load(path.read_text())
    return document
