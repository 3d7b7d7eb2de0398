"""How the operator's rights are read, from the list and from roles."""

from typing import Any

import pytest

from podrunner import rights
from podrunner.rights import Account, Right

ACCOUNT = Account("videogen", "operator")
PATCH = Right("videogen.dev", "videogenerations/status", "patch", "cluster")


def binding(**subject: str) -> dict[str, Any]:
    return {"metadata": {"name": "one"}, "subjects": [subject]}


def test_a_right_is_written_as_it_is_listed() -> None:
    assert rights.listed(f"# Why.\n\n{PATCH}\n") == {PATCH}
    assert str(PATCH) == "videogen.dev videogenerations/status patch (cluster)"


@pytest.mark.parametrize("line", ["core secrets get", "core secrets (cluster)", "core secrets get list (cluster)"])
def test_a_line_that_is_no_right_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="this is no right"):
        rights.listed(line)


def test_a_role_gives_each_verb_on_each_resource() -> None:
    rule = {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "list"]}
    given = {(one.group, one.resource, one.verb) for one in rights.of_role({"rules": [rule]}, "cluster")}
    assert given == {("core", kind, verb) for kind in ("pods", "secrets") for verb in ("get", "list")}


def test_a_right_to_named_objects_is_another_one_than_to_all() -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"], "verbs": ["get"]}
    (given,) = rights.of_role({"rules": [rule]}, "own namespace")
    assert str(given) == "core secrets get (own namespace, only a and b)"


def test_a_right_to_a_path_of_the_api_server_is_one_too() -> None:
    (given,) = rights.of_role({"rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]}, "cluster")
    assert str(given) == "url /metrics get (cluster)"


def test_a_role_that_a_controller_fills_is_never_taken_for_an_empty_one() -> None:
    (given,) = rights.of_role({"metadata": {"name": "view"}, "aggregationRule": {}, "rules": None}, "cluster")
    assert str(given) == "* whatever-is-added-to:view * (cluster)"


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "ServiceAccount", "namespace": "videogen", "name": "operator"},
        {"kind": "User", "name": "system:serviceaccount:videogen:operator"},
        {"kind": "Group", "name": "system:serviceaccounts"},
        {"kind": "Group", "name": "system:serviceaccounts:videogen"},
        {"kind": "Group", "name": "system:authenticated"},
    ],
)
def test_an_account_is_bound_by_its_name_and_by_its_groups(subject: dict[str, str]) -> None:
    assert ACCOUNT.is_bound_by(binding(**subject))


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "ServiceAccount", "namespace": "tenant", "name": "operator"},
        {"kind": "ServiceAccount", "namespace": "videogen", "name": "other"},
        {"kind": "Group", "name": "system:serviceaccounts:tenant"},
    ],
)
def test_an_account_is_not_bound_by_what_is_about_others(subject: dict[str, str]) -> None:
    assert not ACCOUNT.is_bound_by(binding(**subject))


def test_the_same_rights_are_no_reason_to_stop() -> None:
    rights.compare(rights.listed(), rights.listed())


def test_every_difference_is_named() -> None:
    held, wanted = Right("core", "pods", "get", "cluster"), PATCH
    with pytest.raises(rights.RightsError) as error:
        rights.compare([held], [wanted])
    assert str(error.value).splitlines()[1:] == [f"  too much: {held}", f"  missing: {wanted}"]
