"""Makes objects by the thousand, as the admin, on kept connections."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3

from servers.control_plane import ControlPlane

Object = dict[str, Any]
Progress = Callable[[int], None]

_GROUP = "/apis/videogen.dev/v1alpha1"
_THREADS = 6


class CrowdError(RuntimeError):
    """The API server refused an object."""


class Crowd:
    """A client of its own, so that thousands of requests need no new connection each."""

    def __init__(self, plane: ControlPlane) -> None:
        self._url = plane.url
        certificate, key = _admin_files(plane.kubeconfig, plane.directory / "crowd")
        self._http = urllib3.PoolManager(
            maxsize=_THREADS, ca_certs=str(plane.ca), cert_file=str(certificate), key_file=str(key)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.clear()

    def create(self, objects: Iterable[Mapping[str, Any]], progress: Progress = lambda _: None) -> int:
        """Create VideoGenerations; one that has a status gets it by a second request, as the subresource asks."""
        done = 0
        with ThreadPoolExecutor(_THREADS) as threads:
            for _ in threads.map(self._create, objects):
                done += 1
                progress(done)
        return done

    def _create(self, manifest: Mapping[str, Any]) -> None:
        path = f"{_GROUP}/namespaces/{manifest['metadata']['namespace']}/videogenerations"
        self._send("POST", path, "application/json", {**manifest, "status": None})
        if status := manifest.get("status"):
            path = f"{path}/{manifest['metadata']['name']}/status"
            self._send("PATCH", path, "application/merge-patch+json", {"status": status})

    def _send(self, method: str, path: str, content: str, body: Mapping[str, Any]) -> None:
        sent = json.dumps({name: part for name, part in body.items() if part is not None})
        answer = self._http.request(method, self._url + path, body=sent, headers={"Content-Type": content}, timeout=60)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise CrowdError(f"{method} {path}: {answer.status} {answer.data.decode(errors='replace')[:500]}")


def likenesses(original: Object, names: Sequence[str]) -> Iterable[Object]:
    """Objects that are like one that exists, spec and status, under other names; its name is changed wherever it is."""
    kept = {name: original[name] for name in ("apiVersion", "kind", "spec", "status") if name in original}
    namespace, old = original["metadata"]["namespace"], original["metadata"]["name"]
    text = json.dumps(kept)
    for name in names:
        yield {**json.loads(text.replace(old, name)), "metadata": {"name": name, "namespace": namespace}}


def _admin_files(kubeconfig: Path, folder: Path) -> tuple[Path, Path]:
    folder.mkdir(mode=0o700, exist_ok=True)
    user = json.loads(kubeconfig.read_text())["users"][0]["user"]  # the control plane writes it as JSON
    certificate, key = folder / "admin.crt", folder / "admin.key"
    certificate.write_bytes(base64.b64decode(user["client-certificate-data"]))
    key.write_bytes(base64.b64decode(user["client-key-data"]))
    return certificate, key
