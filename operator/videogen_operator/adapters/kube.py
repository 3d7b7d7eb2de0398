"""The API server, on the lowest layer of the `kubernetes` client: raw JSON in, raw JSON out.

The generated API methods would turn every answer into models and back. Three traps of the client are kept in here:
a list sent without the content type of a JSON patch becomes a merge patch, no call has a time-out by default, and
refused connections are urllib3's exceptions.
"""

import base64
import json
import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import urllib3
from kubernetes.client import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTClientObject
from kubernetes.config import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.config.kube_config import load_kube_config

from videogen_operator.errors import KubeTrouble, Superseded
from videogen_operator.ports import Connection, Kind, Operation
from videogen_operator.redaction import Secret, scrub

FIELD_MANAGER: Final = "videogen-operator"
_GROUP: Final = "/apis/videogen.dev/v1alpha1"
_PLURALS: Final = {Kind.GENERATION: "videogenerations", Kind.CLASS: "videogenerationclasses"}
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_PAGE: Final = 500
_MAX_WAIT: Final = 600.0  # seconds
_NOT_ALLOWED: Final = re.compile(r'cannot [a-z]+ resource "[a-z./]+" in API group "[a-z0-9.-]*"')

_log = logging.getLogger(__name__)


class KubeApi:
    """`ports.Kube`. Safe for threads; `namespace` is the operator's own, the only one whose Secrets are read."""

    def __init__(
        self, configuration: Configuration, *, namespace: str, workers: int, timeout: tuple[float, float] = (5, 20)
    ) -> None:
        for name in ("urllib3", "kubernetes"):  # at DEBUG they log headers and bodies: the token, the prompt
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.level, logging.WARNING))
        # A kept connection that the server has closed is worth one more try, of a GET only; no redirects.
        configuration.retries = urllib3.Retry(
            total=2,
            connect=1,
            read=1,
            redirect=0,
            status=0,
            other=0,
            allowed_methods=["GET"],
            respect_retry_after_header=False,  # the caller waits, not this thread
        )
        configuration.connection_pool_maxsize = workers
        self._configuration = configuration
        self._rest = RESTClientObject(configuration)
        self._namespace = namespace
        self._timeout = timeout

    @classmethod
    def from_service_account(
        cls, directory: Path, environ: Mapping[str, str], *, namespace: str, workers: int
    ) -> "KubeApi":
        """As a pod: `token` (read again every minute) and `ca.crt` below `directory`, the address in `environ`."""
        configuration = Configuration()
        token, authority = str(directory / "token"), str(directory / "ca.crt")
        loader = InClusterConfigLoader(token, authority, environ=environ)  # type: ignore[no-untyped-call]
        try:
            loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            raise KubeTrouble(f"no ServiceAccount in {directory}: {error}") from None
        return cls(configuration, namespace=namespace, workers=workers)

    @classmethod
    def from_kubeconfig(cls, path: Path, *, namespace: str, workers: int, context: str | None = None) -> "KubeApi":
        """As the user of a kubeconfig."""
        configuration = Configuration()
        try:
            load_kube_config(str(path), context, configuration)  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - whatever is wrong in a file that a person wrote
            raise KubeTrouble(f"kubeconfig {path} cannot be used: {_cause(error)}") from None
        return cls(configuration, namespace=namespace, workers=workers)

    def connection(self) -> Connection:
        """How the watches reach the same server, with the token as it is now."""
        configuration = self._configuration
        token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
        bearer = token.strip().removeprefix("Bearer").removeprefix("bearer").strip()
        return Connection(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert or None,
            token=Secret(bearer) if bearer else None,
            certificate_path=configuration.cert_file or None,
            private_key_path=configuration.key_file or None,
        )

    # ---- the port

    def read(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        return self._call("GET", _address(kind, namespace, name))

    def patch_status(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Operation]
    ) -> dict[str, Any] | None:
        path = f"{_address(kind, namespace, name)}/status?fieldManager={FIELD_MANAGER}"
        return self._call("PATCH", path, [dict(o) for o in operations], content="application/json-patch+json")

    def names(self, kind: Kind, *, task_id: str = "") -> set[tuple[str, str]]:
        selected = {"fieldSelector": f"status.taskID={_escaped(task_id)}"} if task_id else {}
        found: set[tuple[str, str]] = set()
        more = ""
        while True:
            query = urlencode({"limit": _PAGE, **selected, **({"continue": more} if more else {})})
            page = self._call("GET", f"{_GROUP}/{_PLURALS[kind]}?{query}", accept=_METADATA_LIST)
            if page is None:
                raise KubeTrouble(f"{_PLURALS[kind]} are not served: are the CRDs installed?", status=404)
            for item in page.get("items") or ():
                found.add((item["metadata"].get("namespace", ""), item["metadata"]["name"]))
            more = page.get("metadata", {}).get("continue", "")
            if not more:
                return found

    def count(self, kind: Kind) -> int:
        """How many objects there are. Raises `KubeTrouble` with status 404 while the CRD is not served."""
        page = self._call("GET", f"{_GROUP}/{_PLURALS[kind]}?limit=1", accept=_METADATA_LIST)
        if page is None:
            raise KubeTrouble(f"{_PLURALS[kind]} are not served: are the CRDs installed?", status=404)
        return len(page.get("items") or ()) + int(page.get("metadata", {}).get("remainingItemCount") or 0)

    def secret(self, name: str) -> Mapping[str, str] | None:
        found = self._call("GET", f"/api/v1/namespaces/{quote(self._namespace)}/secrets/{quote(name, safe='')}")
        if found is None:
            return None
        data = found.get("data") or {}
        return {key: base64.b64decode(value).decode("utf-8", "replace") for key, value in data.items()}

    def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        found = self._call("GET", f"/api/v1/namespaces/{quote(name, safe='')}", accept=_METADATA)
        return None if found is None else dict(found["metadata"].get("labels") or {})

    def event(self, namespace: str, body: Mapping[str, Any]) -> None:
        path = f"/apis/events.k8s.io/v1/namespaces/{quote(namespace, safe='')}/events"
        try:
            self._call("POST", f"{path}?fieldManager={FIELD_MANAGER}", dict(body))
        except (KubeTrouble, Superseded) as error:
            _log.warning("event %s was not recorded: %s", body.get("reason"), error)

    # ---- one call

    def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        accept: str = "application/json",
        content: str = "",
    ) -> dict[str, Any] | None:
        """The JSON object of the answer, None on 404."""
        headers = {"Accept": accept, "Content-Type": content or "application/json", "User-Agent": FIELD_MANAGER}
        what = f"{method} {path.partition('?')[0]}"
        try:
            token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
            if token:
                headers["Authorization"] = token.strip()
            url = self._configuration.host + path
            limit = self._timeout
            answer = self._rest.request(method, url, headers, body, _request_timeout=limit)  # type: ignore[no-untyped-call]
            data = answer.read()
        except (urllib3.exceptions.HTTPError, ApiException, ConfigException, OSError, ValueError) as error:
            raise KubeTrouble(f"{what}: {_cause(error)}") from None
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _refusal(what, answer.status, data, answer.headers)
        return _object(what, data)


def _escaped(value: str) -> str:
    """A value in a field selector: backslash, comma and equals sign are escaped there."""
    return re.sub(r"([\\,=])", r"\\\1", value)


def _address(kind: Kind, namespace: str, name: str) -> str:
    scope = "" if kind is Kind.CLASS else f"/namespaces/{quote(namespace, safe='')}"
    return f"{_GROUP}{scope}/{_PLURALS[kind]}/{quote(name, safe='')}"


def _object(what: str, data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise KubeTrouble(f"{what}: the answer is no JSON object")
    return found


def _cause(error: Exception) -> str:
    """The innermost reason of urllib3's nested errors, in one short line."""
    reason = getattr(error, "reason", None) or error
    return scrub(f"{type(reason).__name__}: {reason}", limit=200)


def _refusal(what: str, status: int, data: bytes, headers: Mapping[str, str]) -> Exception:
    """Never the server's message: it can repeat the object with its prompt. Its reason and field names are enough."""
    try:
        said = _object(what, data)
    except KubeTrouble:
        said = {}
    message = f"{what}: {status} {scrub(str(said.get('reason', '')), limit=60)}".rstrip()
    if status in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY):
        fields = [
            str(cause.get("field", "")).replace("<nil>", "")
            for cause in (said.get("details") or {}).get("causes") or ()
        ]
        return Superseded(f"{message} {scrub(', '.join(filter(None, fields)), limit=150)}".rstrip())
    allowed = _NOT_ALLOWED.search(str(said.get("message", ""))) if status == HTTPStatus.FORBIDDEN else None
    wait = headers.get("Retry-After", "")
    seconds = min(float(wait), _MAX_WAIT) if re.fullmatch(r"[0-9]{1,9}", wait, re.ASCII) else None
    return KubeTrouble(f"{message}{': ' + allowed[0] if allowed else ''}", status=status, retry_after=seconds)
