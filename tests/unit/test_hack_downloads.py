"""A published archive is taken only whole and with the right sum; anything else is one line, soon."""

import hashlib
import io
import os
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from provision import archive, downloads
from provision.binaries import NAMES
from provision.downloads import DownloadError, Patience

_HASTY = Patience(answer=1.0, piece=0.5)


def _packed(names: tuple[str, ...] = NAMES) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    return packed.getvalue()


class _Server:
    """Serves one body on any path, in the way a test asks for."""

    def __init__(self) -> None:
        self.body = _packed()
        self.status = 200
        self.sent: int | None = None
        self.let_go = threading.Event()
        self.hangs = False
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def archive(self) -> archive.Archive:
        return archive.Archive(url=f"{self.url}/a.tar.gz", sha512=hashlib.sha512(self.body).hexdigest())

    def close(self) -> None:
        self.let_go.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if server.hangs:
                    server.let_go.wait(20)
                    return
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body[: server.sent])

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as in the base class
                pass

        return Handler


@pytest.fixture
def server() -> Iterator[_Server]:
    serving = _Server()
    yield serving
    serving.close()


@pytest.fixture
def take(server: _Server, tmp_path: Path) -> Callable[[], Path]:
    """Take the served archive into a folder, which is returned."""
    folder = tmp_path / "programs"
    folder.mkdir()

    def taken() -> Path:
        archive.take(server.archive(), folder, NAMES, tmp_path)
        return folder

    return taken


def test_a_good_archive_gives_programs_that_can_run(take: Callable[[], Path]) -> None:
    folder = take()
    assert {path.name: path.read_text() for path in folder.iterdir()} == {name: name for name in NAMES}
    assert all(os.access(path, os.X_OK) for path in folder.iterdir())


def test_a_wrong_sum_is_refused_before_unpacking(server: _Server, tmp_path: Path) -> None:
    source = archive.Archive(url=server.url, sha512="0" * 128)
    with pytest.raises(DownloadError, match="SHA-512"):
        archive.take(source, tmp_path, NAMES, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_download_is_refused(server: _Server, take: Callable[[], Path]) -> None:
    server.sent = 100
    with pytest.raises(DownloadError, match=r"cut at 100 of|broke off after"):
        take()


def test_a_missing_archive_is_refused(server: _Server, take: Callable[[], Path]) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match="answered 404"):
        take()


def test_an_archive_that_lacks_a_program_is_refused(server: _Server, take: Callable[[], Path]) -> None:
    server.body = _packed(("etcd", "kubectl"))
    with pytest.raises(DownloadError, match="kube-apiserver"):
        take()


def test_what_is_no_archive_is_refused(server: _Server, take: Callable[[], Path]) -> None:
    server.body = b"<html>sign in to the network</html>"
    with pytest.raises(DownloadError, match="does not unpack"):
        take()


def test_a_hanging_server_is_given_up_soon(server: _Server, tmp_path: Path) -> None:
    server.hangs = True
    begun = time.monotonic()
    with pytest.raises(DownloadError, match=r"no answer within 1 s|timed out"):
        downloads.fetch(server.url, tmp_path / "a", sha512="", part="test", patience=_HASTY)
    assert time.monotonic() - begun < 5


def test_a_closed_port_is_told_in_one_line(server: _Server, tmp_path: Path) -> None:
    server.close()
    with pytest.raises(DownloadError) as refused:
        downloads.fetch(server.url, tmp_path / "a", sha512="", part="test")
    assert str(refused.value) == "cannot be reached (Connection refused)"


@pytest.mark.parametrize("machine", ["linux-amd64", "linux-arm64"])
def test_the_published_archive_is_pinned_for_both_kinds_of_linux(machine: str) -> None:
    pinned = archive.published(machine, {})
    assert pinned.url.startswith("https://github.com/kubernetes-sigs/controller-tools/releases/download/")
    assert len(bytes.fromhex(pinned.sha512)) == 64


def test_a_mirror_can_be_named() -> None:
    named = archive.published("linux-amd64", {"VIDEOGEN_ENVTEST_URL": "http://mirror/"})
    assert named.url == "http://mirror/envtest-v1.36.2-linux-amd64.tar.gz"
    assert named.sha512 == archive.published("linux-amd64", {}).sha512


def test_other_machines_have_no_archive() -> None:
    with pytest.raises(DownloadError, match="none is pinned for darwin-arm64"):
        archive.published("darwin-arm64", {})
