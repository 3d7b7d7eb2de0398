"""Which namespaces may use a class: label selectors as Kubernetes means them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from .meta import Model, Rule, cel


class From(StrEnum):
    """Which namespaces may use a class."""

    ALL = "All"
    SELECTOR = "Selector"


class Operator(StrEnum):
    """How a label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class Requirement(Model):
    """One requirement on the labels."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            Rule(
                rule="(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
                message="In and NotIn need values; Exists and DoesNotExist take none",
            )
        )
    )

    key: Annotated[str, Field(min_length=1, max_length=316)]
    """The label."""
    operator: Operator
    """In, NotIn: its value is one of `values`, or none of them. Exists, DoesNotExist: it is there, or not."""
    values: Annotated[tuple[Annotated[str, Field(max_length=63)], ...], Field(max_length=32)] = ()
    """The values for In and NotIn."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it, as Kubernetes decides: a missing label is NotIn every list."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


class LabelSelector(Model):
    """Labels of namespaces. All that is given must hold; an empty selector selects every namespace."""

    match_labels: Annotated[Mapping[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] = Field(
        default_factory=dict
    )
    """Labels with exactly these values."""
    match_expressions: Annotated[tuple[Requirement, ...], Field(max_length=32)] = ()
    """Further requirements on the labels."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet all of it."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


class AllowedNamespaces(Model):
    """Which namespaces may use the class. Left out: all."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            Rule(
                rule="(self.from == 'Selector') == has(self.selector)",
                message="from: Selector needs a selector, from: All takes none",
            )
        )
    )

    from_: From = From.ALL
    """All, or Selector: those whose labels match."""
    selector: LabelSelector | None = None
    """The labels of the namespaces, for from: Selector."""

    def allows(self, namespace_labels: Mapping[str, str]) -> bool:
        """Whether a namespace with these labels may use the class."""
        return self.selector is None or self.selector.matches(namespace_labels)
