"""The few requests to an API server that need no client library, as the admin."""

import http.client
import json
import ssl
from typing import Any

from servers.certificates import Certificates

_TIMEOUT = 30.0


class ApiError(RuntimeError):
    """The API server refused a request; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class ApiClient:
    """One connection a request, since these are few and the server may come and go."""

    def __init__(self, port: int, certificates: Certificates) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(certificates.authority))
        self._tls.load_cert_chain(certificates.admin.certificate, certificates.admin.key)

    def get(self, path: str, *, timeout: float = _TIMEOUT) -> bytes:
        """The body of a GET. Raises ApiError, or OSError when nobody answers."""
        return self._request("GET", path, None, timeout)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return it as stored. Raises ApiError, or OSError when nobody answers."""
        created: dict[str, Any] = json.loads(self._request("POST", path, json.dumps(body), _TIMEOUT))
        return created

    def _request(self, method: str, path: str, body: str | None, timeout: float) -> bytes:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=timeout, context=self._tls)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"the API server broke off: {error!r}") from error
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise ApiError(response.status, content.decode(errors="replace"))
        return content
