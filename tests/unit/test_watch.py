"""The watch says what it meets, and is started anew only where it can see both kinds."""

from itertools import islice
from typing import Any

import pytest

from rehearsal import Cluster, Process
from videogen_operator.__main__ import Operator
from videogen_operator.errors import KubeTrouble
from videogen_operator.handlers import EndlessBackoff
from videogen_operator.settings import Settings


class Watch:
    """A watcher that does as it is told."""

    def __init__(self) -> None:
        self.failures = 0
        self.starts = 0
        self.running = True

    def alive(self) -> bool:
        return self.running

    def start(self) -> None:
        self.starts += 1
        self.running = True


class Away:
    """An API server that may be away, or lack the CRDs."""

    def __init__(self) -> None:
        self.trouble = ""

    def names(self, kind: object) -> set[tuple[str, str]]:
        if self.trouble:
            raise KubeTrouble(self.trouble)
        return set()

    def connection(self) -> None:
        """Nobody connects here."""


@pytest.fixture
def kube() -> Away:
    return Away()


@pytest.fixture
def operator(kube: Away) -> Any:
    with Process(Cluster()) as process:
        settings = Settings(namespace="videogen", http_port=0, http_host="127.0.0.1")
        operator: Any = Operator(settings, process.whole, kube)  # type: ignore[arg-type] # of which it uses two methods
        operator._watcher = Watch()
        yield operator
        operator._health._server.server_close()


def test_a_try_that_goes_well_is_no_failure() -> None:
    """A delay is taken before the first try, too."""
    failures: list[int] = []
    next(iter(EndlessBackoff(lambda: failures.append(1))))
    assert failures == []


def test_each_try_that_fails_is_counted() -> None:
    failures: list[int] = []
    list(islice(EndlessBackoff(lambda: failures.append(1)), 4))
    assert len(failures) == 3


def test_the_delays_between_tries_stay_below_the_longest() -> None:
    assert max(islice(EndlessBackoff(lambda: None), 50)) <= 36.0


def test_readiness_says_why_the_watch_fails(operator: Any, kube: Away) -> None:
    operator._watcher.failures, kube.trouble = 1, "403 Forbidden: cannot list resource"
    operator._keep_watching()
    assert operator._dead_watch() == "403 Forbidden: cannot list resource"


def test_readiness_comes_back_with_the_api_server(operator: Any, kube: Away) -> None:
    operator._watcher.failures, kube.trouble = 1, "connection refused"
    operator._keep_watching()
    kube.trouble = ""
    operator._keep_watching()
    assert operator._dead_watch() == ""


def test_a_watch_that_ended_waits_for_the_crds(operator: Any, kube: Away) -> None:
    """kopf, started without them, would never see them come."""
    operator._watcher.running, kube.trouble = False, "videogenerations are not served"
    operator._keep_watching()
    assert operator._watcher.starts == 0
    assert operator._dead_watch() == "videogenerations are not served"


def test_a_watch_that_ended_is_started_where_both_kinds_are_served(operator: Any) -> None:
    operator._watcher.running = False
    operator._keep_watching()
    assert operator._watcher.starts == 1
    assert operator._dead_watch() == ""
