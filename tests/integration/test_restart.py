"""SIGKILL at every effect and in every state, on real parts: one POST, one stored video, one result.

Proxies stand in front of the API server, the bucket and the gateway. Each order is stopped at an effect of its own,
either before it is sent or when it is done and its answer has not come back; then one SIGKILL ends the operator for all
of them. Some orders are in a state of life instead; others are made or deleted while no operator runs. A second SIGKILL
interrupts the recovery from the first.
"""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from integration.crash_points import CASES, POINTS, Point, Ports, case_name
from integration.disturbance import (
    DOUBT_SECONDS,
    Order,
    Rig,
    assert_one_of_each,
    assert_stored,
    order,
    prompt_of,
    reservations,
    until,
    until_class_ready,
    until_phase,
    until_settled,
)
from integration.effect_proxy import EffectProxy, Moment
from integration.harness import Site, make_class, site_without_class
from podrunner.pod import Pod
from stack import Stack

# From the durable intent to the durable ID nobody can know what was billed.
NEVER_SENT = {"intent-in-the-ledger-after", "post-before"}
IN_DOUBT = NEVER_SENT | {"post-after", "submitting", "held"}
STATES = {
    "generating": "[[sim:endless]]",
    "storing": "[[sim:content-late seconds=1500]]",
    "submitting": "[[sim:slow-answer seconds=90]]",
    "held": "[[sim:answer-lost]]",
    "failed": "[[sim:content-policy]]",
    "succeeded": "",
}
PHASES = {
    "generating": "Generating",
    "storing": "Storing",
    "held": "Held",
    "failed": "Failed",
    "succeeded": "Succeeded",
}
# Nothing may be sent for them until somebody makes the class or resumes the object, which is after the recovery.
WAITS = {"pending": "Pending", "suspended": "Suspended"}
NAMES = [*map(case_name, CASES), *STATES, *WAITS, "queued", "made-while-down", "deleted-while-down"]
ENDS_WELL = [name for name in NAMES if name not in {"failed", "deleted-while-down"}]


@dataclass
class Crash:
    """What was ordered, and how the orders were found after the recovery that were Held or had to wait.

    `held`: the number of POSTs until then. `waited`: the phase, and that number.
    """

    orders: dict[str, Order] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    waited: dict[str, tuple[str, int]] = field(default_factory=dict)
    sites: list[Site] = field(default_factory=list)

    def order(self, site: Site, name: str, markers: str = "", **spec: object) -> Order:
        self.orders[name] = order(site, name, markers, **spec)
        return self.orders[name]


# ------------------------------------------------------------ one crash for all


@pytest.fixture(scope="module")
def rig(stack: Stack) -> Iterator[Rig]:
    stack.simulator.change(max_open=100)
    with Rig(stack, workers=48, copyWorkers=12) as rig:  # each order that is stopped at an effect keeps a thread
        yield rig
    stack.simulator.change(max_open=10)


@pytest.fixture(scope="module")
def ports(stack: Stack) -> Iterator[Ports]:
    plane = stack.plane
    serves = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates = plane.directory / "certificates"
    serves.load_cert_chain(certificates / "apiserver.crt", certificates / "apiserver.key")
    trusts = ssl.create_default_context(cafile=plane.ca)
    with ExitStack() as exits:
        yield Ports(
            kube=exits.enter_context(EffectProxy(plane.url, serves=serves, trusts=trusts)),
            bucket=exits.enter_context(EffectProxy(stack.s3.endpoint)),
            gateway=exits.enter_context(EffectProxy(stack.simulator.url)),
        )


@pytest.fixture(scope="module")
def pod(rig: Rig, ports: Ports) -> Pod:
    """A pod that reaches the API server through the proxy."""
    pod = rig.pod()
    for name in ("KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS"):
        pod.environment[name] = str(ports.kube.port)
    return pod


@pytest.fixture(scope="module")
def crash(rig: Rig, ports: Ports, pod: Pod) -> Crash:
    """Everything is brought to its point or state, killed, changed while nothing runs, killed again and recovered."""
    crash, killed = Crash(), threading.Event()
    shared, full = through(rig, ports), through(rig, ports, maxInFlight=1, submitConcurrency=1)
    own = {case_name(case): through(rig, ports) for case in CASES if case[0].alone}
    crash.sites = [shared, full, *own.values()]
    pod.start().wait_ready()
    for site in crash.sites:
        until_class_ready(site)
    begin_states(crash, shared, full)
    stop_at_points(crash, ports, own, shared, killed)
    pod.kill()
    killed.set()
    crash.order(shared, "made-while-down")
    crash.orders["deleted-while-down"].gone()
    recover(rig, crash, pod)
    return crash


def through(rig: Rig, ports: Ports, **limits: int) -> Site:
    """A site whose class reaches the gateway and the bucket through the proxies."""
    return rig.site(
        {
            "provider": {"openAIVideos": {"endpoints": [f"{ports.gateway.url}/v1"]}},
            "storage": {"s3": {"endpoint": ports.bucket.url}},
            "limits": limits or {"maxInFlight": 60, "submitConcurrency": 32},
        }
    )


def begin_states(crash: Crash, shared: Site, full: Site) -> None:
    """Orders that are in a state of life when the operator dies."""
    for name, markers in STATES.items():
        crash.order(shared, name, markers)
    crash.order(shared, "deleted-while-down", "[[sim:endless]]")
    crash.order(full, "first", "[[sim:endless]]")
    until_phase([crash.orders["first"], crash.orders["deleted-while-down"]], "Generating")
    crash.order(full, "queued")
    until_phase([crash.orders["queued"]], "Queued")
    crash.order(site_without_class(shared.stack), "pending")
    crash.order(shared, "suspended", suspend=True)
    for name, phase in (PHASES | WAITS).items():
        until_phase([crash.orders[name]], phase)
    until(crash.orders["submitting"].posts, "the POST that is held open")


def stop_at_points(crash: Crash, ports: Ports, own: Mapping[str, Site], shared: Site, killed: threading.Event) -> None:
    """An order for each point; waits until each is there. The later its point in a life, the earlier it is made."""
    traps = {}
    for case in reversed(CASES):
        (point, moment), name = case, case_name(case)
        traps[name] = set_trap(ports, point, moment, own.get(name, shared), name, killed)
        crash.order(own.get(name, shared), name)
    for name, sprung in traps.items():
        assert sprung.wait(60), f"never came to {name}; it is {crash.orders[name].phase}"


def set_trap(
    ports: Ports, point: Point, moment: Moment, site: Site, name: str, killed: threading.Event
) -> threading.Event:
    """The effect is not sent, or its answer not given back, and the connection ends when the operator is dead."""

    def act() -> bool:
        killed.wait(120)
        return False

    proxy: EffectProxy = getattr(ports, point.proxy)
    return proxy.trap(point.meets(ports, site, name, prompt_of(site, name)), moment, act).sprung


def recover(rig: Rig, crash: Crash, pod: Pod) -> None:
    """Start; die once more when all that may be sent was sent; start; then a person answers for what is Held."""
    pod.start()
    orders = crash.orders
    for name in orders.keys() - IN_DOUBT - WAITS.keys() - {"queued", "failed"}:
        until(orders[name].tasks, f"the task of {name}, which may be sent; it is {orders[name].phase}")
        until(lambda one=orders[name]: has_task(one), f"{name} has its task in the ledger")  # type: ignore[misc]
    pod.kill()
    pod.start().wait_ready()
    for name in ("generating", "first", "deleted-while-down"):
        rig.stack.simulator.complete(orders[name].tasks()[0]["id"])
    ends = [orders[name] for name in ENDS_WELL if name not in WAITS]
    until_phase(ends, "Succeeded", "Held", timeout=DOUBT_SECONDS + 60)
    crash.held = {name: len(one.posts()) for name, one in orders.items() if one.phase == "Held"}
    for name in crash.held:
        tasks = orders[name].tasks()
        orders[name].answer(f"r1-a1:adopt={tasks[0]['id']}" if tasks else "r1-a1:resubmit")
    until_phase(ends, "Succeeded")
    let_go(crash)
    doubtful = [f"{orders[name].key}/r1/a1" for name in NEVER_SENT]
    for site in crash.sites:
        until_settled(site, *(doubtful if site is crash.sites[0] else ()))


def let_go(crash: Crash) -> None:
    """The class is made that one order waits for, and the other is resumed; all others have ended by now."""
    pending, suspended = (crash.orders[name] for name in WAITS)
    crash.waited = {one.name: (one.phase, len(one.posts())) for one in (pending, suspended)}
    make_class(pending.site)
    crash.sites.append(pending.site)
    resume = ["patch", "vgen", suspended.name, "--type=merge", "--patch", '{"spec": {"suspend": null}}']
    suspended.site.stack.plane.kubectl(*resume, "--namespace", suspended.site.namespace)
    until_phase([pending, suspended], "Succeeded")


def has_task(one: Order) -> bool:
    return any(file.endswith(".task.json") for file in one.files())


# ------------------------------------------------------------ what must hold


def test_every_effect_of_a_life_is_a_crash_point(crash: Crash, ports: Ports) -> None:
    """Writes, the POST, polls and downloads of an order that nobody disturbed; reads of objects are repeated freely."""
    one = crash.orders["succeeded"]
    meets = [point.meets(ports, one.site, one.name, one.prompt) for point in POINTS]
    task = one.tasks()[0]["id"]
    mine = (one.key, f"/{one.name}/status", f'"name": "{one.name}"', task, one.prompt)
    unknown = [
        str(effect)
        for proxy in (ports.kube, ports.bucket, ports.gateway)
        for effect in proxy.effects
        if not str(effect).startswith("GET /api")
        and not str(effect).startswith(f"GET /{one.site.bucket}/")
        and any(word in effect.target or word in effect.body.decode(errors="replace") for word in mine)
        and not any(meet(effect) for meet in meets)
    ]
    assert unknown == []


@pytest.mark.parametrize("name", ENDS_WELL)
def test_one_post_one_video_one_result(crash: Crash, name: str) -> None:
    """Also where a person had to answer: the paid task is adopted, and what was never sent is sent once."""
    assert_one_of_each(crash.orders[name], possible="0.30" if name in NEVER_SENT else "0.00")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in IN_DOUBT])
def test_held_only_between_the_durable_intent_and_the_durable_id(crash: Crash, name: str) -> None:
    assert name not in crash.held


@pytest.mark.parametrize("name", sorted(IN_DOUBT))
def test_an_outcome_that_nobody_can_know_is_held(crash: Crash, name: str) -> None:
    """Until a person answers there was one POST at most, none if the kill came before it."""
    assert crash.held[name] == (0 if name in NEVER_SENT else 1)


@pytest.mark.parametrize("name", WAITS)
def test_what_waits_for_a_person_is_not_sent_by_a_restart(crash: Crash, name: str) -> None:
    """Two restarts and the whole recovery passed without a POST; that it was sent once afterwards is asserted above."""
    assert crash.waited[name] == (WAITS[name], 0)


def test_what_failed_stays_failed(crash: Crash) -> None:
    failed = crash.orders["failed"]
    assert (failed.phase, len(failed.posts()), failed.tasks()) == ("Failed", 1, [])


def test_what_was_deleted_while_no_operator_ran_is_still_stored(crash: Crash) -> None:
    """Deletion ends the object, not the paid work: the walk leads from the reservation to the video."""
    gone = crash.orders["deleted-while-down"]
    assert gone.site.read(gone.name) is None
    (task,) = gone.tasks()
    assert len(gone.posts()) == 1
    assert gone.document("result.json")["output"]["sha256"] == task["content_sha256"]
    assert f"{gone.name}.mp4" in gone.files()


def test_only_attempts_that_nobody_knows_about_keep_their_reservation(crash: Crash) -> None:
    """It leads to a task ID that comes late, and counts as possible spend; it holds no slot for long."""
    left = [entry for site in crash.sites for entry in reservations(site)]
    assert sorted(left) == sorted(f"{crash.orders[name].key}/r1/a1" for name in NEVER_SENT)


def test_no_temporary_file_is_left(crash: Crash, pod: Pod) -> None:
    assert list((pod.folder / "volumes").rglob("*.mp4")) == []


def test_a_held_order_names_the_way_that_was_taken(crash: Crash) -> None:
    """What was sent and lost is not paid again: the answer `adopt` made no POST."""
    assert_stored(crash.orders["held"])
    assert "a2.intent.json" not in crash.orders["held"].files()
