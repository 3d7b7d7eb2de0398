"""The promises of `ports.Kube`, on the fake; `tests/integration/test_adapters.py` runs them on a real API server."""

import pytest

from contracts.kube import Cluster, KubeContract
from fakes import FakeKube


class TestFake(KubeContract):
    @pytest.fixture
    def cluster(self) -> Cluster:
        kube = FakeKube()
        kube.namespaces["team"] = {"team": "film"}
        return Cluster(
            kube=kube,
            namespace="team",
            apply=lambda manifest: (kube.put(manifest), None)[1],
            delete=kube.delete,
            put_secret=lambda name, data: kube.secrets.update({name: dict(data)}),
            events=lambda: list(kube.events),
        )
