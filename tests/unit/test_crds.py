"""The CRDs: generated, committed, and fit for users and for the API server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import pytest
import yaml
from pydantic import Field

import generate_crds
from golden import manifests
from videogen_operator.api import generation, generation_class
from videogen_operator.api.meta import Model

ROOT: Final = Path(__file__).resolve().parents[2]
CRDS: Final = {path.stem.split("_")[1]: manifests.read_yaml(path) for path in sorted((ROOT / "crds").glob("*.yaml"))}

Json = dict[str, Any]


def schema(plural: str) -> Json:
    found: Json = CRDS[plural]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def nodes(node: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Every schema in a schema, with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            yield from nodes(node[keyword], f"{path}[]")


NODES: Final = [pair for plural in CRDS for pair in nodes(schema(plural), plural)]
FIELDS: Final = [(path, node) for path, node in NODES if not path.endswith(("[]", ".metadata"))]


@pytest.mark.parametrize(("path", "text"), list(generate_crds.generated()), ids=lambda value: str(value)[-50:])
def test_the_committed_file_is_what_the_models_generate(path: Path, text: str) -> None:
    assert (ROOT / path).read_text() == text


def test_the_chart_holds_the_same_crd_switchable_and_kept() -> None:
    for plural, crd in CRDS.items():
        template = (ROOT / generate_crds.TEMPLATES / f"crd-{plural}.yaml").read_text()
        assert template.startswith("{{- if .Values.crds.enabled }}")
        assert "helm.sh/resource-policy: keep" in template
        plain = yaml.safe_load("\n".join(line for line in template.splitlines() if "{{" not in line))
        assert plain["spec"] == crd["spec"]


def test_every_field_is_described() -> None:
    assert [path for path, node in FIELDS if not node.get("description")] == []


def test_fields_were_found_to_be_linted() -> None:
    assert len(FIELDS) > 100


def test_every_string_is_bounded() -> None:
    free = [
        path
        for path, node in NODES
        if node.get("type") == "string" and not {"maxLength", "enum", "format"} & node.keys()
    ]
    assert free == [f"{plural}.{name}" for plural in CRDS for name in ("apiVersion", "kind")]


def test_every_list_and_map_is_bounded() -> None:
    lists = [path for path, node in NODES if node.get("type") == "array" and "maxItems" not in node]
    maps = [path for path, node in NODES if "additionalProperties" in node and "maxProperties" not in node]
    assert (lists, maps) == ([], [])


def test_there_are_no_floats() -> None:
    assert [path for path, node in NODES if node.get("type") == "number"] == []


def test_the_schema_is_structural() -> None:
    refused = {"$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "nullable", "const", "title", "prefixItems"}
    assert [path for path, node in NODES if refused & node.keys() or "type" not in node] == []


@pytest.mark.parametrize("plural", CRDS)
def test_a_status_has_no_default_but_that_nothing_was_observed(plural: str) -> None:
    status = schema(plural)["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert [path for path, node in nodes(status, "status") if "default" in node] == ["status"]


@pytest.mark.parametrize("plural", CRDS)
def test_conditions_are_a_map_by_type_in_the_standard_form(plural: str) -> None:
    conditions = schema(plural)["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert {"type", "status", "reason", "message", "lastTransitionTime", "observedGeneration"} == set(
        conditions["items"]["properties"]
    )


def test_the_money_lock_names_every_paid_field_and_no_other() -> None:
    (lock,) = [
        rule["rule"]
        for rule in schema(generation.PLURAL)["x-kubernetes-validations"]
        if "submittedRevision" in rule["rule"]
    ]
    spec = schema(generation.PLURAL)["properties"]["spec"]["properties"]
    compared = {name for name in spec if f"self.spec.{name} == oldSelf.spec.{name}" in lock}
    assert compared == set(generation.PAID_FIELDS)


def test_a_field_of_spec_is_paid_or_known_to_be_free() -> None:
    spec = schema(generation.PLURAL)["properties"]["spec"]["properties"]
    free = {"revision", "suspend", "maxCostUSD", "retryPolicy"}
    assert set(spec) == free | set(generation.PAID_FIELDS)


def test_a_paid_field_has_no_schema_default() -> None:
    spec = schema(generation.PLURAL)["properties"]["spec"]["properties"]
    assert [name for name in generation.PAID_FIELDS if "default" in spec[name]] == []


def test_both_kinds_have_the_status_subresource_and_short_names() -> None:
    names = {}
    for plural, crd in CRDS.items():
        assert crd["spec"]["versions"][0]["subresources"] == {"status": {}}
        names[plural] = crd["spec"]["names"]["shortNames"]
    assert names == {generation.PLURAL: ["vgen"], generation_class.PLURAL: ["vgclass"]}


class Either(Model):
    value: int | str


class Exclusive(Model):
    value: Annotated[int, Field(gt=0)]


def test_a_union_is_refused_instead_of_written() -> None:
    raw = Either.model_json_schema()
    with pytest.raises(generate_crds.UnstructuralError, match=r"Either\.value: a union of 2 types"):
        generate_crds.structural(raw, raw.get("$defs", {}), "Either")


def test_an_exclusive_bound_is_said_in_the_boolean_form() -> None:
    raw = Exclusive.model_json_schema()
    value = generate_crds.structural(raw, {}, "Exclusive")["properties"]["value"]
    assert (value["minimum"], value["exclusiveMinimum"]) == (0, True)


def test_a_description_that_helm_would_take_for_a_template_is_refused() -> None:
    with pytest.raises(generate_crds.UnstructuralError):
        generate_crds.template_text("description: use {{ braces }}\n")
