"""What `ports.Kube` promises."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from videogen_operator.errors import Superseded
from videogen_operator.ports import Kind, Kube, Operation


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """An API server under test, and the user's side of it."""

    kube: Kube
    namespace: str
    apply: Callable[[Mapping[str, Any]], None]
    delete: Callable[[Kind, str, str], None]
    put_secret: Callable[[str, Mapping[str, str]], None]  # in the operator's own namespace
    events: Callable[[], list[Mapping[str, Any]]]

    def make(self, name: str, prompt: str = "a lighthouse", revision: int = 1) -> dict[str, Any]:
        """Apply a VideoGeneration; the object as the port reads it."""
        spec = {"prompt": prompt, "revision": revision}
        meta = {"namespace": self.namespace, "name": name}
        kind = Kind.GENERATION.value
        self.apply({"apiVersion": "videogen.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec})
        return self.read(name)

    def read(self, name: str) -> dict[str, Any]:
        found = self.kube.read(Kind.GENERATION, self.namespace, name)
        assert found is not None
        return found

    def patch(self, name: str, *operations: Operation) -> dict[str, Any] | None:
        return self.kube.patch_status(Kind.GENERATION, self.namespace, name, operations)


def test_of(path: str, value: object) -> Operation:
    return {"op": "test", "path": path, "value": value}


def add(path: str, value: object) -> Operation:
    return {"op": "add", "path": path, "value": value}


class KubeContract:
    """Subclasses provide the fixture `cluster`."""

    def test_a_new_object_has_a_uid_a_generation_and_the_default_status(self, cluster: Cluster) -> None:
        found = cluster.make("new")
        assert found["metadata"]["uid"]
        assert found["metadata"]["generation"] == 1
        assert found["status"] == {"observedGeneration": -1}

    def test_what_is_not_there_is_none(self, cluster: Cluster) -> None:
        assert cluster.kube.read(Kind.GENERATION, cluster.namespace, "none") is None
        assert cluster.kube.read(Kind.GENERATION, "no-such-namespace", "none") is None
        assert cluster.kube.read(Kind.CLASS, "", "none") is None
        assert cluster.patch("none", add("/status/taskID", "t")) is None
        assert cluster.kube.secret("none") is None
        assert cluster.kube.namespace_labels("no-such-namespace") is None

    def test_a_status_write_is_stored_and_returned(self, cluster: Cluster) -> None:
        old = cluster.make("write")
        new = cluster.patch("write", add("/status/taskID", "task_1"))
        assert new is not None
        assert new["status"]["taskID"] == "task_1"
        assert new["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]
        assert cluster.read("write") == new

    def test_a_status_write_leaves_the_spec_and_the_generation(self, cluster: Cluster) -> None:
        old = cluster.make("spec")
        new = cluster.patch("spec", add("/spec/prompt", "other"), add("/status/taskID", "t"))
        assert new is not None
        assert new["spec"] == old["spec"]
        assert new["metadata"]["generation"] == 1

    def test_a_write_that_changes_nothing_leaves_the_version(self, cluster: Cluster) -> None:
        cluster.make("same")
        versions = []
        for _ in range(2):
            new = cluster.patch("same", add("/status/taskID", "task_1"))
            assert new is not None
            versions.append(new["metadata"]["resourceVersion"])
        assert versions[0] == versions[1]

    @pytest.mark.parametrize(
        ("path", "field"),
        [("/metadata/uid", "uid"), ("/metadata/resourceVersion", "resourceVersion"), ("/metadata/generation", None)],
    )
    def test_a_test_of_the_metadata_that_holds_lets_the_write_pass(
        self, cluster: Cluster, path: str, field: str | None
    ) -> None:
        meta = cluster.make("holds-" + path.rsplit("/", 1)[1].lower())["metadata"]
        value = meta[field] if field else 1
        assert cluster.patch(meta["name"], test_of(path, value), add("/status/taskID", "t"))

    @pytest.mark.parametrize(
        "operation",
        [
            test_of("/metadata/uid", "other"),
            test_of("/metadata/resourceVersion", "0"),
            test_of("/metadata/generation", 2),
            test_of("/status/observedGeneration", 0),
            test_of("/status/taskID", "task_1"),
            test_of("/status/attempts/0", None),
            {"op": "remove", "path": "/status/taskID"},
            add("/status/cost/billedUSD", "1"),
        ],
        ids=lambda operation: f"{operation['op']} {operation['path']}",
    )
    def test_an_operation_that_does_not_apply_stops_the_whole_patch(
        self, cluster: Cluster, operation: Operation
    ) -> None:
        name = "stops"
        cluster.make(name)
        before = cluster.read(name)
        with pytest.raises(Superseded):
            cluster.patch(name, operation, add("/status/phase", "Submitting"))
        assert cluster.read(name) == before

    def test_missing_equals_null_where_the_parent_exists(self, cluster: Cluster) -> None:
        cluster.make("null")
        assert cluster.patch("null", test_of("/status/taskID", None), add("/status/taskID", "t"))
        with pytest.raises(Superseded):
            cluster.patch("null", test_of("/status/taskID", None), add("/status/taskID", "u"))

    def test_a_replace_of_what_is_missing_adds_it(self, cluster: Cluster) -> None:
        """RFC 6902 forbids it; kube-apiserver does it all the same, so a replace proves nothing."""
        cluster.make("replace")
        new = cluster.patch("replace", {"op": "replace", "path": "/status/taskID", "value": "t"})
        assert new is not None
        assert new["status"]["taskID"] == "t"

    def test_lists_are_appended_to_and_removed_from(self, cluster: Cluster) -> None:
        cluster.make("lists")
        item = {"id": "r1-a1", "state": "Intent", "billing": "NotBilled", "intentTime": "2026-11-22T10:40:04Z"}
        cluster.patch("lists", add("/status/attempts", []))
        cluster.patch("lists", add("/status/attempts/-", item))
        new = cluster.patch("lists", test_of("/status/attempts/0/id", "r1-a1"), add("/status/attempts/0/taskID", "t"))
        assert new is not None
        assert new["status"]["attempts"][0]["taskID"] == "t"
        new = cluster.patch("lists", {"op": "remove", "path": "/status/attempts/0"})
        assert new is not None
        assert new["status"].get("attempts") == []

    def test_an_edit_of_the_spec_raises_the_generation_and_keeps_uid_and_status(self, cluster: Cluster) -> None:
        old = cluster.make("edit")
        cluster.patch("edit", add("/status/taskID", "t"))
        new = cluster.make("edit", prompt="another", revision=2)
        assert new["metadata"]["generation"] == 2
        assert new["metadata"]["uid"] == old["metadata"]["uid"]
        assert new["status"]["taskID"] == "t"

    def test_an_object_made_again_has_another_uid(self, cluster: Cluster) -> None:
        old = cluster.make("again")
        cluster.delete(Kind.GENERATION, cluster.namespace, "again")
        assert cluster.kube.read(Kind.GENERATION, cluster.namespace, "again") is None
        assert cluster.make("again")["metadata"]["uid"] != old["metadata"]["uid"]

    def test_names_are_those_of_the_kind(self, cluster: Cluster) -> None:
        cluster.make("named")
        assert (cluster.namespace, "named") in cluster.kube.names(Kind.GENERATION)
        assert (cluster.namespace, "named") not in cluster.kube.names(Kind.CLASS)

    @pytest.mark.parametrize("shape", ["task_", "video_YWJj+/==", "a,b\\c=d"])
    def test_names_can_be_those_of_one_task(self, cluster: Cluster, shape: str) -> None:
        task_id = shape + cluster.namespace  # the whole cluster is searched, and other tests leave tasks in it
        for name, written in (("mine", task_id), ("other", "task_2"), ("none", None)):
            cluster.make(name)
            cluster.patch(name, add("/status/taskID", written) if written else test_of("/status/taskID", None))
        assert cluster.kube.names(Kind.GENERATION, task_id=task_id) == {(cluster.namespace, "mine")}

    def test_a_secret_is_decoded(self, cluster: Cluster) -> None:
        cluster.put_secret("gateway", {"key": "sk-ä", "other": ""})
        assert cluster.kube.secret("gateway") == {"key": "sk-ä", "other": ""}

    def test_labels_of_a_namespace_are_read(self, cluster: Cluster) -> None:
        labels = cluster.kube.namespace_labels(cluster.namespace)
        assert labels is not None
        assert labels["team"] == "film"

    def test_an_event_is_recorded(self, cluster: Cluster) -> None:
        target = cluster.make("event")
        cluster.kube.event(cluster.namespace, event_about(target))
        (found,) = [event for event in cluster.events() if event["regarding"]["name"] == "event"]
        assert found["reason"] == "TaskCreated"

    def test_an_event_that_is_refused_is_no_trouble(self, cluster: Cluster) -> None:
        target = cluster.make("refused")
        cluster.kube.event("no-such-namespace", event_about(target))


def event_about(target: Mapping[str, Any]) -> dict[str, Any]:
    meta = target["metadata"]
    return {
        "metadata": {"name": f"{meta['name']}.1", "namespace": meta["namespace"]},
        "eventTime": "2026-11-22T10:40:05.000000Z",
        "reportingController": "videogen.dev/operator",
        "reportingInstance": "test",
        "action": "Submit",
        "reason": "TaskCreated",
        "note": "task t",
        "type": "Normal",
        "regarding": {
            "apiVersion": "videogen.dev/v1alpha1",
            "kind": Kind.GENERATION.value,
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        },
    }
