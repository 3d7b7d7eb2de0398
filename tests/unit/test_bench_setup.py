"""What the benchmark of set-up caches, forgets and reads."""

from fnmatch import fnmatch
from pathlib import Path

import pytest
from bench import setup
from bench.setup import CASES, SetUpError

import clean_cache
from provision import binaries

BUILT = """\
[python] packages from the cache, /cache/venv-1
[control plane] v1.36.2 is not in the cache, /cache/controlplane-1
[control plane] the published archive is of no use: no answer within 8 s; building from source
[control plane] building etcd from source (usually 1 to 2 min on two cores)
[control plane] building etcd from source: done in 50 s
"""
FETCHED = """\
[helm] building Helm 4 from source: done in 3 min 00 s
[control plane] v1.36.2 is not in the cache, /cache/controlplane-1
[control plane] downloading https://mirror.example/envtest.tar.gz (usually 20 s to 2 min)
[control plane] downloading https://mirror.example/envtest.tar.gz: done in 9 s
"""
FETCHED_IN_VAIN = FETCHED + BUILT


def part(caches: Path, name: str) -> Path:
    """A folder with a file in it."""
    folder = caches / name
    folder.mkdir(parents=True)
    (folder / "file").touch()
    return folder


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (BUILT, "control plane built from source"),
        (FETCHED, "control plane from the published archive"),
        (FETCHED_IN_VAIN, "control plane built from source"),
        ("[control plane] v1.36.2 from the cache, /cache/controlplane-1\n", "control plane from the cache"),
        ("[python] packages from the cache, /cache/venv-1\n", "control plane of unknown origin"),
    ],
)
def test_the_way_of_the_control_plane_is_what_set_up_said_of_it(log: str, expected: str) -> None:
    assert setup.origin(log) == expected


def test_every_cache_is_in_the_folder() -> None:
    told = setup.environment({"UV_CACHE_DIR": "/home/me/uv", "HOME": "/home/me"}, Path("/t"), "")
    assert told == {
        "HOME": "/home/me",
        "VIDEOGEN_CACHE": "/t/videogen",
        "XDG_CACHE_HOME": "/t/other",
        "GOCACHE": "/t/go-build",
        "GOMODCACHE": "/t/go-mod",
        "UV_CACHE_DIR": "/t/uv",
        "PIP_CACHE_DIR": "/t/pip",
        "GOFLAGS": "-modcacherw",
    }


def test_the_demo_begins_as_in_a_shell() -> None:
    """It neither takes a control plane from elsewhere nor sees the make that runs the benchmark."""
    ours = {"KUBEBUILDER_ASSETS": "/elsewhere", "MAKEFLAGS": "KEEP=1", "MAKELEVEL": "1", "PYTHONPATH": "hack"}
    assert ours.keys().isdisjoint(setup.environment(ours, Path("/t"), ""))


def test_the_users_own_flags_of_go_stay() -> None:
    assert setup.environment({}, Path("/t"), "-buildvcs=false")["GOFLAGS"] == "-buildvcs=false -modcacherw"


def test_only_the_control_plane_outlives_the_run_from_nothing(tmp_path: Path) -> None:
    kept = part(tmp_path, "videogen/controlplane-v1.36.2-abc-linux-amd64")
    for name in ("videogen/venv-1", "videogen/helm-1", "videogen/logs", "go-build", "go-mod", "pip", "uv"):
        part(tmp_path, name)
    (tmp_path / "videogen/.venv-1.lock").touch()
    setup.keep_only(tmp_path, CASES["controlplane"].cached)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "videogen", kept, kept / "file"]


def test_what_was_borrowed_is_not_removed_from_where_it_is(tmp_path: Path) -> None:
    theirs, ours = part(tmp_path, "theirs/venv-1"), tmp_path / "caches/videogen"
    ours.mkdir(parents=True)
    setup.borrow(theirs.parent, ours, ["venv-*"])
    assert (ours / "venv-1/file").exists()
    setup.keep_only(ours.parent, [])
    assert list(ours.iterdir()) == []
    assert (theirs / "file").exists()


def test_what_is_not_there_to_borrow_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match=r"there is no controlplane-\* in .*`make demo` makes it"):
        setup.borrow(tmp_path, tmp_path, ["controlplane-*"])


def test_everything_cached_is_every_part_that_set_up_makes() -> None:
    assert set(CASES["cached"].cached) == set(clean_cache._MADE) - {"logs"}
    assert fnmatch(binaries.cached().name, *CASES["controlplane"].cached)
