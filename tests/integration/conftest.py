"""Real parts for the tests of this folder: an API server, an S3 server, fresh names in them.

Nothing is skipped: a part that is missing is an error that says how to get it. Under pytest-xdist each
worker has its own servers.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

# Fixtures are found in the conftest only.
from integration.harness import new_site, operator, session_pod, site, stack  # noqa: F401
from servers.control_plane import ControlPlane
from servers.s3 import S3Server

_HERE = Path(__file__).parent
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """An API server with its etcd; take a fresh namespace, since nothing ever deletes one."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """SeaweedFS; take a fresh bucket."""
    with S3Server() as server:
        yield server


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    """A namespace of this test alone."""
    return control_plane.namespace("test")


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """A bucket of this test alone."""
    return s3.make_bucket(f"test-{next(_numbers)}")
