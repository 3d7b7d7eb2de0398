"""The control plane is searched in one order: environment, cache, archive, build; each said aloud."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision import binaries, gobuild
from provision.failure import PartError
from provision.keeper import Keeper

# Writes a program to the path after -o, as `go build` does.
_GO = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
echo built > "$2"
chmod +x "$2"
"""
_NOBODY = {"VIDEOGEN_ENVTEST_URL": "http://127.0.0.1:9"}


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own, and a PATH with nothing but the system's basic programs."""
    monkeypatch.setenv("VIDEOGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with Keeper("videogen-test") as keeping:
        yield keeping


def _fill(folder: Path, content: str, names: tuple[str, ...] = binaries.NAMES) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(content)
        (folder / name).chmod(0o755)
    return folder


def _install_go(tmp_path: Path, script: str = _GO) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(script)
    go.chmod(0o755)


def test_the_environment_goes_before_the_cache(
    keeper: Keeper, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    named = _fill(tmp_path / "named", "named")
    _fill(binaries.cached(), "cached")
    assert binaries.provide(keeper, {"KUBEBUILDER_ASSETS": str(named)}) == named
    assert capfd.readouterr().err == f"[control plane] from KUBEBUILDER_ASSETS={named}\n"


def test_an_environment_that_lacks_a_program_is_passed_over_aloud(
    keeper: Keeper, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    named = _fill(tmp_path / "named", "named", ("etcd", "kubectl"))
    cached = _fill(binaries.cached(), "cached")
    assert binaries.provide(keeper, {"KUBEBUILDER_ASSETS": str(named)}) == cached
    assert f"KUBEBUILDER_ASSETS={named} lacks kube-apiserver: looking elsewhere" in capfd.readouterr().err


def test_what_was_built_is_found_in_the_cache_the_next_time(
    keeper: Keeper, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _install_go(tmp_path)
    folder = binaries.provide(keeper, _NOBODY)
    assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(binaries.NAMES, "built\n")
    said = capfd.readouterr().err
    assert "the published archive is of no use: cannot be reached (Connection refused); building" in said
    assert "building kube-apiserver v1.36.2 from source (usually 3 to 9 min on two cores)" in said
    assert binaries.provide(keeper, _NOBODY) == folder
    assert capfd.readouterr().err == f"[control plane] v1.36.2 from the cache, {folder}\n"


def test_only_what_is_missing_is_built(keeper: Keeper, tmp_path: Path) -> None:
    _install_go(tmp_path)
    _fill(binaries.cached(), "earlier", ("etcd",))
    folder = binaries.provide(keeper, _NOBODY)
    assert (folder / "etcd").read_text() == "earlier"


def test_a_build_that_fails_shows_the_end_of_its_log_and_where_it_is(
    keeper: Keeper, tmp_path: Path, cache_folder: Path
) -> None:
    _install_go(tmp_path, "#!/bin/sh\necho no space left on device; exit 1\n")
    with pytest.raises(PartError, match="building etcd from source failed") as failed:
        binaries.provide(keeper, _NOBODY)
    assert "no space left on device" in str(failed.value)
    (log,) = (cache_folder / "logs").glob("*/control-plane-go-*.log")
    assert str(log) in str(failed.value)
    assert binaries.missing(binaries.cached()) == list(binaries.NAMES)


def test_when_nothing_works_the_error_says_what_to_install(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PartError, match=r"install Go 1\.26 or newer .* or .* set KUBEBUILDER_ASSETS"):
        binaries.provide(keeper, _NOBODY)


def test_a_search_without_set_up_says_what_does_it() -> None:
    with pytest.raises(PartError, match="`make test` or `make demo` gets them"):
        binaries.find({})


def test_a_search_without_set_up_goes_by_the_same_order(tmp_path: Path) -> None:
    cached = _fill(binaries.cached(), "cached")
    assert binaries.find({}) == cached
    named = _fill(tmp_path / "named", "named")
    assert binaries.find({"KUBEBUILDER_ASSETS": str(named)}) == named


def test_other_pins_have_another_place_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = binaries.cached()
    sums = tmp_path / "go.sum"
    sums.write_text("other")
    monkeypatch.setattr(gobuild, "SUMS", sums)
    assert binaries.cached() != before


def test_the_build_pins_the_versions_that_belong_together() -> None:
    """Kubernetes 1.36.2, its 33 parts in v0.36.2, and the etcd that it is released with."""
    module = (gobuild.TOOLS / "go.mod").read_text()
    assert module.count("v0.36.2\n") >= 33
    assert sum(" => k8s.io/" in line and line.endswith(" v0.36.2") for line in module.splitlines()) == 33
    assert "go.etcd.io/etcd/server/v3 v3.6.8" in module
    assert f"k8s.io/kubernetes {gobuild.VERSION}" in module


def test_the_machine_has_a_name_as_go_writes_it() -> None:
    assert binaries.machine().split("-")[1] not in {"x86_64", "aarch64"}
    assert os.sep not in binaries.machine()
