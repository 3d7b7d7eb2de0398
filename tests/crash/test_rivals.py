"""Two processes without election, in every order that a seed gives: paused, killed, blind, the object made anew."""

import random
from contextlib import suppress

import pytest

from fakes import Crash, Effect
from rehearsal import FOLDER, NAME, Cluster, Process, finished, object_manifest
from videogen_operator.ports import Kind


class Rivals:
    """Two processes on one cluster. Before any effect the one that works may be paused while the other goes on."""

    def __init__(self, seed: int, *, deaths: int, upheaval: bool) -> None:
        self.random = random.Random(seed)
        self.deaths = deaths
        self.upheaval = upheaval
        self.cluster = Cluster().ready()
        self.cluster.kube.put(object_manifest())
        self._paused = False
        self._started = 0
        self._working = 0
        self._processes = [self._start(), self._start()]

    def run(self, steps: int = 300) -> Cluster:
        """Work in the order of the seed, then one last process brings everything to rest."""
        self.cluster.hooks.before, self.cluster.hooks.after = self._before, self._after
        for _ in range(steps):
            self._working = self.random.randrange(2)
            self._step(self._working)
        self.cluster.hooks.before = self.cluster.hooks.after = lambda _: None
        for process in self._processes:
            process.__exit__()
        with Process(self.cluster, writer="operator-last") as last:
            last.run(seconds=4000, until=finished(self.cluster))
            last.run(seconds=300)
        return self.cluster

    def _step(self, index: int) -> None:
        """One turn, or time passes; a process that dies is started anew."""
        process = self._processes[index]
        process.blind = self.random.random() < 0.3
        try:
            process.look()
            if not process._one_turn():
                self.cluster.clock.passed += self.random.choice([0.5, 5.0, 30.0])
        except Crash:
            process.__exit__()
            self._processes[index] = self._start()
        if self.upheaval and self.random.random() < 0.02:
            _upheaval(self.cluster, self.random)

    def _start(self) -> Process:
        self._started += 1
        while True:
            process = Process(self.cluster, writer=f"operator-{self._started}")
            with suppress(Crash):
                process.start()
                return process
            process.__exit__()

    def _before(self, _: Effect) -> None:
        """Paused in the middle of a turn, as by SIGSTOP: the other takes some turns, and time passes."""
        if self._paused or self.random.random() > 0.15:
            return
        self._paused = True
        try:
            for _turn in range(self.random.randrange(1, 8)):
                self._step(1 - self._working)
            self.cluster.clock.passed += self.random.choice([0.0, 0.0, 2.0, 20.0, 300.0])
        finally:
            self._paused = False

    def _after(self, _: Effect) -> None:
        if self.deaths and self.random.random() < 0.03:
            self.deaths -= 1
            raise Crash


def rivalry(seed: int, *, deaths: int, upheaval: bool) -> Cluster:
    return Rivals(seed, deaths=deaths, upheaval=upheaval).run()


def _upheaval(cluster: Cluster, chance: random.Random) -> None:
    with suppress(KeyError):
        if chance.random() < 0.5:
            cluster.kube.wipe_status(Kind.GENERATION, "marketing", NAME)
        else:
            cluster.kube.delete(Kind.GENERATION, "marketing", NAME)
            cluster.kube.put(object_manifest())


def one_post(cluster: Cluster) -> None:
    """At most one POST an attempt, one attempt that made a task, one video, and nobody left in between."""
    assert len(cluster.api.tasks) <= 1
    assert len(cluster.api.posts) <= 1
    assert cluster.status()["phase"] in {"Succeeded", "Held"}
    if cluster.status()["phase"] == "Succeeded":
        assert [key for key in cluster.bucket if key.endswith(".mp4")] == [f"{FOLDER}{NAME}.mp4"]
        assert cluster.reservations() == []


@pytest.mark.parametrize("seed", range(60))
def test_two_processes_buy_one_video(seed: int) -> None:
    cluster = rivalry(seed, deaths=0, upheaval=False)
    one_post(cluster)
    assert cluster.status()["phase"] == "Succeeded"


@pytest.mark.parametrize("seed", range(60))
def test_two_processes_that_die_buy_one_video(seed: int) -> None:
    one_post(rivalry(1000 + seed, deaths=3, upheaval=False))


@pytest.mark.parametrize("seed", range(60))
def test_two_processes_and_an_object_made_anew_buy_one_video(seed: int) -> None:
    one_post(rivalry(2000 + seed, deaths=2, upheaval=True))
