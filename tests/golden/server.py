"""Plain requests for objects of both kinds, as the admin, in one namespace of a real API server."""

import ssl
from base64 import b64decode
from types import TracebackType
from typing import Any, Final, Self

import httpx
import yaml

from golden.manifests import NAMESPACE_LABELS
from servers.control_plane import ControlPlane
from videogen_operator.api import generation, generation_class
from videogen_operator.api.meta import API_VERSION

Json = dict[str, Any]

_GROUP_PATH: Final = f"/apis/{API_VERSION}"
_MERGE: Final = {"Content-Type": "application/merge-patch+json"}


class RefusedError(Exception):
    """The API server said no; the text is its message."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.json()["message"])
        self.status = answer.status_code


class Server:
    """Creates, replaces and removes objects; raises RefusedError with the server's words."""

    def __init__(self, control_plane: ControlPlane) -> None:
        user = yaml.safe_load(control_plane.kubeconfig.read_text())["users"][0]["user"]
        tls = ssl.create_default_context(cafile=str(control_plane.ca))
        pair = control_plane.directory / "golden.pem"
        pair.write_bytes(b64decode(user["client-key-data"]) + b64decode(user["client-certificate-data"]))
        tls.load_cert_chain(pair)
        self._http = httpx.Client(base_url=control_plane.url, verify=tls, timeout=30.0, trust_env=False)
        self.namespace = control_plane.namespace(labels=NAMESPACE_LABELS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def create(self, document: Json, *, dry_run: bool = False) -> Json:
        """Create it, then its status through the subresource."""
        body = {key: value for key, value in document.items() if key != "status"}
        parameters = {"dryRun": "All"} if dry_run else {}
        created = self._said(self._http.post(self._path(document), json=body, params=parameters))
        return self.set_status(document) if "status" in document and not dry_run else created

    def set_status(self, document: Json) -> Json:
        """Merge its status through the subresource."""
        path = f"{self._path(document)}/{document['metadata']['name']}/status"
        return self._said(self._http.patch(path, json={"status": document["status"]}, headers=_MERGE))

    def replace(self, document: Json) -> Json:
        """Update it to exactly this spec; metadata is merged."""
        path = f"{self._path(document)}/{document['metadata']['name']}"
        stored = self._said(self._http.get(path))
        metadata = {**stored["metadata"], **document["metadata"]}
        return self._said(self._http.put(path, json={**stored, "metadata": metadata, "spec": document["spec"]}))

    def remove(self, document: Json) -> None:
        """Delete it, if it is there."""
        answer = self._http.delete(f"{self._path(document)}/{document['metadata']['name']}")
        if answer.status_code != httpx.codes.NOT_FOUND:
            self._said(answer)

    def _path(self, document: Json) -> str:
        if document["kind"] == generation_class.KIND:
            return f"{_GROUP_PATH}/{generation_class.PLURAL}"
        return f"{_GROUP_PATH}/namespaces/{self.namespace}/{generation.PLURAL}"

    @staticmethod
    def _said(answer: httpx.Response) -> Json:
        if answer.is_error:
            raise RefusedError(answer)
        said: Json = answer.json()
        return said
