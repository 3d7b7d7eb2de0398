"""How the benchmark counts writes in an audit log."""

from typing import Any

from bench.writes import count

ME = "system:serviceaccount:videogen:videogen-operator"


def event(verb: str, resource: str, name: str = "a", *, user: str = ME, sub: str | None = None) -> dict[str, Any]:
    about = {"resource": resource, "namespace": "default", "name": name, **({"subresource": sub} if sub else {})}
    return {"user": {"username": user}, "verb": verb, "objectRef": about}


def test_only_writes_of_the_user_count() -> None:
    events = [
        event("patch", "videogenerations", sub="status"),
        event("get", "videogenerations"),
        event("watch", "videogenerations"),
        event("create", "videogenerations", user="admin"),
    ]
    assert count(events, ME).by_object == {("default", "a"): 1}


def test_a_lease_is_about_the_process_and_counts_nowhere() -> None:
    assert count([event("update", "leases")], ME).total == 0


def test_a_request_without_an_object_is_no_write() -> None:
    assert count([{"user": {"username": ME}, "verb": "get", "requestURI": "/readyz"}], ME).total == 0


def test_writes_elsewhere_are_part_of_the_total_only() -> None:
    found = count([event("patch", "videogenerationclasses", sub="status"), event("create", "events")], ME)
    assert (found.total, found.to_objects) == (2, 0)
    assert found.listed() == "1 events, 1 videogenerationclasses/status"


def test_the_maximum_and_the_spread_include_objects_that_met_no_write() -> None:
    found = count([event("patch", "videogenerations", "a"), event("patch", "videogenerations", "a")], ME)
    names = [("default", "a"), ("default", "b"), ("default", "c")]
    assert found.most(names) == 2
    assert found.spread(names) == "2 x 0, 1 x 2"
