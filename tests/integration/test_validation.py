"""The CRDs and the admission policy, as the chart installs them, on a real API server."""

import copy
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from golden import manifests
from golden.manifests import Manifest
from golden.server import RefusedError, Server
from servers.control_plane import ControlPlane
from videogen_operator.api import generation, generation_class, meta
from videogen_operator.api.meta import API_VERSION

CHART: Final = manifests.ROOT / "charts/videogen-operator"
CLASS: Final = generation_class.KIND
PATIENCE: Final = 20.0
"""Seconds within which the API server must have taken note of a new policy, class or label."""

Json = dict[str, Any]
Judge = Callable[[Manifest], Json]


@pytest.fixture(scope="module")
def installed() -> Iterator[ControlPlane]:
    """A control plane that never saw the CRDs, on which the chart was installed once, and whose policy is at work."""
    with ControlPlane() as control_plane:
        control_plane.helm("install", "videogen-operator", CHART, "--namespace", "videogen", "--create-namespace")
        yield control_plane


@pytest.fixture
def server(installed: ControlPlane) -> Iterator[Server]:
    with Server(installed) as opened:
        yield opened


def order(**spec: object) -> Json:
    return {
        "apiVersion": API_VERSION,
        "kind": generation.KIND,
        "metadata": {"name": "order"},
        "spec": {"prompt": "A lighthouse at dusk", "classRef": {"name": "golden-offers"}, **spec},
    }


def offers() -> Json:
    return next(m for m in manifests.accepted() if m.path.stem == "offered-by-name").given[0]


def looked_at(server: Server, document: Json) -> bool:
    """Whether an order of a model that no class has is refused because of this class."""
    probe = order(model="asked-to-see-the-policy-at-work", classRef={"name": document["metadata"]["name"]})
    try:
        server.create(probe, dry_run=True)
    except RefusedError as refusal:
        return "denied request" in str(refusal)
    return False


def refuses(server: Server, document: Json) -> bool:
    """Whether it would not be taken."""
    try:
        server.create(document, dry_run=True)
    except RefusedError:
        return True
    return False


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the API server takes note of a moment later."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the API server did not take note of it"
        time.sleep(0.02)


def offer(server: Server, document: Json) -> None:
    """Make a class, and wait until the policy looks at it."""
    server.create(document)
    until(lambda: looked_at(server, document))


def withdraw(server: Server, document: Json) -> None:
    """Take a class away, and wait until the policy has forgotten it."""
    server.remove(document)
    until(lambda: not looked_at(server, document))


def prepare(server: Server, manifest: Manifest) -> None:
    """Make what is there before the judged document."""
    for document in manifest.setting:
        offer(server, document)
    if manifest.old:
        server.create(manifest.old)


def dropped(applied: object, stored: object, path: str = "") -> list[str]:
    """The paths at which the server has not what was applied; defaults may stand beside it."""
    if isinstance(applied, dict) and isinstance(stored, dict):
        return [lost for key, value in applied.items() for lost in dropped(value, stored.get(key), f"{path}.{key}")]
    if isinstance(applied, list) and isinstance(stored, list) and len(applied) == len(stored):
        pairs = enumerate(zip(applied, stored, strict=True))
        return [lost for number, pair in pairs for lost in dropped(*pair, f"{path}[{number}]")]
    return [] if applied == stored else [path]


@pytest.fixture
def judge(server: Server) -> Iterator[Judge]:
    """Applies a manifest; the classes in it, which belong to no namespace, are taken away afterwards."""
    made: list[Json] = []

    def apply(manifest: Manifest) -> Json:
        made.extend(document for document in (*manifest.given, manifest.judged) if document["kind"] == CLASS)
        prepare(server, manifest)
        return server.replace(manifest.judged) if manifest.old else server.create(manifest.judged)

    yield apply
    for document in made:
        withdraw(server, document)


@pytest.mark.parametrize("manifest", manifests.accepted(), ids=str)
def test_a_good_manifest_is_taken_and_nothing_of_it_is_dropped(judge: Judge, manifest: Manifest) -> None:
    assert dropped(manifest.judged, judge(manifest)) == []


@pytest.mark.parametrize("manifest", manifests.refused(), ids=str)
def test_a_bad_manifest_is_refused_with_its_message(judge: Judge, manifest: Manifest) -> None:
    with pytest.raises(RefusedError) as refusal:
        judge(manifest)
    assert manifest.message in str(refusal.value)
    assert refusal.value.status in (403, 422)


def test_every_rule_has_a_manifest_that_it_takes_and_one_that_it_refuses() -> None:
    rules = [*manifests.crd_rules(), *manifests.policy_rules()]
    assert len(rules) == len(set(rules)) > 20
    shown = [{rule for m in ms for rule in m.rules} - {"schema"} for ms in (manifests.accepted(), manifests.refused())]
    assert shown == [set(rules), set(rules)]


@pytest.mark.parametrize("field", generation.PAID_FIELDS)
def test_each_paid_field_is_locked_once_submitted_and_free_again_with_a_raised_revision(
    server: Server, field: str
) -> None:
    full = next(m for m in manifests.accepted() if m.path.stem == "edit-with-raised-revision").given[0]
    server.create(full)
    changed = copy.deepcopy(full)
    other = {"classRef": {"name": "another"}, "durationSeconds": 6, "seed": 1, "aspectRatio": "9:16"}
    changed["spec"][field] = other.get(field, "other")
    with pytest.raises(RefusedError, match=r"raise spec\.revision in the same change"):
        server.replace(changed)
    changed["spec"]["revision"] = 2
    assert server.replace(changed)["spec"]["revision"] == 2


def test_the_installed_policy_is_the_one_that_the_manifests_show(installed: ControlPlane) -> None:
    listed = yaml.safe_load(installed.kubectl("get", "validatingadmissionpolicies", "-o", "yaml").stdout)
    (stored,) = listed["items"]
    assert [v["message"] for v in stored["spec"]["validations"]] == manifests.policy_rules()
    assert not stored.get("status", {}).get("typeChecking", {}).get("expressionWarnings")


@pytest.fixture
def ordered_then_dropped(server: Server) -> Iterator[Server]:
    """An object was ordered; since then the class has dropped its model, and the policy knows."""
    offer(server, offers())
    server.create(order(model="standard", tier="1080p"))
    narrowed = copy.deepcopy(offers())
    narrowed["spec"]["models"] = narrowed["spec"]["models"][:1]
    server.replace(narrowed)
    again = order(model="standard", tier="1080p")
    again["metadata"]["name"] = "another"
    until(lambda: refuses(server, again))
    yield server
    withdraw(server, offers())


def test_what_the_policy_is_not_about_can_change_after_the_class_dropped_the_model(
    ordered_then_dropped: Server,
) -> None:
    stored = ordered_then_dropped.replace(order(model="standard", tier="1080p", suspend=True))
    assert stored["spec"]["suspend"] is True


@pytest.mark.parametrize(
    "change",
    [
        {"maxCostUSD": "5"},
        {"tier": "720p"},
        {"aspectRatio": "16:9"},
        {"durationSeconds": 8},
        {"model": "veo-3.1-generate-preview"},
        {"classRef": {"name": "golden-offers"}, "revision": 2},
    ],
    ids=str,
)
def test_a_field_that_the_policy_is_about_is_judged_again(ordered_then_dropped: Server, change: Json) -> None:
    with pytest.raises(RefusedError, match="does not offer model"):
        ordered_then_dropped.replace(order(**{"model": "standard", "tier": "1080p", **change}))


def test_status_is_written_whatever_the_class_has_become(ordered_then_dropped: Server) -> None:
    stored = ordered_then_dropped.set_status({**order(), "status": {"submittedRevision": 1, "attempt": "r1-a1"}})
    assert stored["status"]["attempt"] == "r1-a1"


def test_a_submitted_revision_is_not_judged_again(ordered_then_dropped: Server) -> None:
    ordered_then_dropped.set_status({**order(), "status": {"submittedRevision": 1}})
    stored = ordered_then_dropped.replace(order(model="standard", tier="1080p", maxCostUSD="5"))
    assert stored["spec"]["maxCostUSD"] == "5"


def test_an_object_that_is_being_deleted_is_not_judged(server: Server) -> None:
    offer(server, offers())
    held = order()
    held["metadata"]["finalizers"] = ["example.com/held"]
    server.create(held)
    server.remove(held)
    stored = server.replace({**order(model="slow"), "metadata": {"name": "order", "finalizers": ["example.com/held"]}})
    assert stored["spec"]["model"] == "slow"
    server.replace({**order(model="slow"), "metadata": {"name": "order", "finalizers": []}})
    withdraw(server, offers())


def test_defaults_are_filled_in_and_a_status_starts_unseen(server: Server) -> None:
    stored = server.create({**order(), "spec": {"prompt": "x", "classRef": {"name": "nobody"}, "retryPolicy": {}}})
    assert stored["spec"] == {
        "prompt": "x",
        "classRef": {"kind": "VideoGenerationClass", "name": "nobody"},
        "revision": 1,
        "suspend": False,
        "retryPolicy": {"maxAttempts": 3},
    }
    assert stored["status"] == {"observedGeneration": -1}


def test_every_example_is_accepted(installed: ControlPlane) -> None:
    namespace = installed.namespace("examples")
    files = sorted((manifests.ROOT / "examples").glob("*.yaml"))
    assert files
    for path in files:
        installed.kubectl("apply", "--dry-run=server", "--namespace", namespace, "-f", path)


@pytest.mark.parametrize("page", ["videogeneration", "videogenerationclass"])
def test_the_example_of_a_page_is_accepted(installed: ControlPlane, server: Server, page: str) -> None:
    text = (manifests.ROOT / f"docs/{page}.md").read_text()
    document = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    document["metadata"].pop("namespace", None)
    assert server.create(document, dry_run=True)["spec"]


def test_explain_reads_like_documentation(installed: ControlPlane) -> None:
    words = " ".join(installed.kubectl("explain", "videogeneration.spec").stdout.split())
    for promise in (
        "prompt <string> -required-",
        "The most this video may cost, in US dollars",
        "Raise it to pay for a new video of this object",
        "Left out: the default class",
        "Locked once submitted",
    ):
        assert promise in words


def test_the_printer_shows_what_a_user_asks_for(installed: ControlPlane, server: Server) -> None:
    server.create(order(model="fast", tier="1080p", classRef={"name": "nobody"}))
    table = installed.kubectl("get", "vgen", "--namespace", server.namespace).stdout.splitlines()
    assert table[0].split() == ["NAME", "PHASE", "READY", "REASON", "MODEL", "TIER", "COST-USD", "AGE"]


def names_of(installed: ControlPlane, server: Server, *words: str) -> list[str]:
    """What `kubectl get` lists in the test's namespace, as kind and name."""
    listed = installed.kubectl("get", *words, "--namespace", server.namespace, "--output", "name").stdout.split()
    return [name.replace(f".{meta.GROUP}/", "/") for name in listed]


@pytest.fixture
def one_of_each(server: Server) -> Iterator[None]:
    """An order and the class that offers it."""
    offer(server, offers())
    server.create(order())
    yield
    withdraw(server, offers())


@pytest.mark.usefixtures("one_of_each")
@pytest.mark.parametrize(
    ("word", "listed"),
    [
        ("videogen", {"videogenerationclass/golden-offers", "videogeneration/order"}),
        ("vgen", {"videogeneration/order"}),
        ("vgclass", {"videogenerationclass/golden-offers"}),
    ],
)
def test_the_category_lists_both_kinds_and_a_short_name_its_own(
    installed: ControlPlane, server: Server, word: str, listed: set[str]
) -> None:
    assert set(names_of(installed, server, word)) == listed


def selectable_fields() -> list[tuple[str, str]]:
    """The plural of a kind and the path of each field by which its objects can be selected, from `crds/`."""
    return [
        (crd["spec"]["names"]["plural"], field["jsonPath"].removeprefix("."))
        for crd in map(manifests.read_yaml, sorted((manifests.ROOT / "crds").glob("*.yaml")))
        for version in crd["spec"]["versions"]
        for field in version.get("selectableFields", ())
    ]


UNALIKE: Final = {
    (generation.PLURAL, "spec.classRef.name"): ("nobody", "no-one"),
    (generation.PLURAL, "spec.model"): ("fast", "standard"),
    (generation.PLURAL, "status.phase"): ("Generating", "Queued"),
    (generation.PLURAL, "status.taskID"): ("task_1", "task_2"),
}
"""Two values of each selectable field."""


@pytest.fixture
def unalike(server: Server) -> None:
    """Two orders: every selectable field of `first` has the first of its values, of `second` the second."""
    for number, name in enumerate(("first", "second")):
        manifest = {**order(), "metadata": {"name": name}, "status": {}}
        for (_, path), values in UNALIKE.items():
            *parents, last = path.split(".")
            place = functools.reduce(lambda node, key: node.setdefault(key, {}), parents, manifest)
            place[last] = values[number]
        server.create(manifest)


@pytest.mark.usefixtures("unalike")
@pytest.mark.parametrize("field", selectable_fields(), ids=lambda field: field[1])
def test_a_field_selects_the_objects_that_have_the_value(
    installed: ControlPlane, server: Server, field: tuple[str, str]
) -> None:
    plural, path = field
    selected = [names_of(installed, server, plural, "--field-selector", f"{path}={value}") for value in UNALIKE[field]]
    assert selected == [["videogeneration/first"], ["videogeneration/second"]]


def test_the_class_in_the_notes_is_accepted(installed: ControlPlane, tmp_path: Path) -> None:
    notes = installed.helm("get", "notes", "videogen-operator", "--namespace", "videogen").stdout
    manifest = tmp_path / "class.yaml"
    manifest.write_text(notes.split("<<'CLASS' | kubectl apply -f -\n")[1].split("\nCLASS\n")[0])
    installed.kubectl("apply", "--dry-run=server", "-f", manifest)
