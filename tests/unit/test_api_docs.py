"""The pages of the kinds name every field, reason and condition that users meet."""

from typing import Final

import pytest
import yaml

from golden import manifests
from videogen_operator import conditions
from videogen_operator.api import generation, generation_class
from videogen_operator.api.meta import Model, wire_name
from videogen_operator.events import EVENTS

DOCS: Final = manifests.ROOT / "docs"
OBJECT_PAGE: Final = (DOCS / "videogeneration.md").read_text()
CLASS_PAGE: Final = (DOCS / "videogenerationclass.md").read_text()


def names(model: type[Model]) -> set[str]:
    return {wire_name(name) for name in model.model_fields}


@pytest.mark.parametrize("reason", [*conditions.Reason, *conditions.Type])
def test_every_reason_and_condition_is_explained(reason: str) -> None:
    assert f"`{reason}`" in OBJECT_PAGE


def test_no_reason_is_explained_that_does_not_exist() -> None:
    table = OBJECT_PAGE.split("### Reasons")[1].split("### Events")[0].splitlines()
    told = {
        word for line in table if line.startswith("| `") for word in line.split("|")[1].replace("`", "").split(", ")
    }
    assert {word.strip() for word in told} == set(conditions.Reason)


def test_the_table_of_events_is_that_of_the_code() -> None:
    rows = [line for line in OBJECT_PAGE.split("### Events")[1].splitlines() if line.startswith("| `")]
    table: dict[str, tuple[str, str]] = {}
    for row in rows:
        reasons, type_, action, _ = (cell.strip() for cell in row.strip("|").split("|", 3))
        table |= {reason.strip(" `"): (type_, action) for reason in reasons.split(",")}
    assert table == {str(r): ("Warning" if e.warning else "Normal", e.action.value) for r, e in EVENTS.items()}


@pytest.mark.parametrize("field", sorted(names(generation.Spec)))
def test_every_field_of_an_object_is_in_its_table(field: str) -> None:
    assert f"`{field}`" in OBJECT_PAGE.split("## Writing")[1].split("###")[0]


@pytest.mark.parametrize("field", sorted(names(generation.Status) - {"observedGeneration"}))
def test_every_field_of_a_status_is_in_its_table(field: str) -> None:
    assert f"`{field}`" in OBJECT_PAGE.split("## Status")[1]


@pytest.mark.parametrize("field", sorted(names(generation_class.Limits) | names(generation_class.S3) - {"region"}))
def test_every_limit_and_storage_field_is_explained(field: str) -> None:
    assert f"`{field}" in CLASS_PAGE


@pytest.mark.parametrize(
    ("page", "kind"),
    [(OBJECT_PAGE, generation.VideoGeneration), (CLASS_PAGE, generation_class.VideoGenerationClass)],
    ids=["object", "class"],
)
def test_the_example_of_a_page_is_one(page: str, kind: type[Model]) -> None:
    read = kind.model_validate(yaml.safe_load(page.split("```yaml\n")[1].split("```", maxsplit=1)[0]))
    assert read.wire()["spec"]
