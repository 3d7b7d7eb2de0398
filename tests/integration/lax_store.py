"""A store without conditional writes: a proxy in front of the S3 server that leaves If-None-Match out."""

import http.client
import threading
from collections.abc import Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from servers.s3 import S3Server

# What belongs to one connection or to the signature, which must be made anew.
_LEFT_OUT = frozenset(
    {"host", "authorization", "if-none-match", "x-amz-date", "x-amz-content-sha256", "connection", "expect"}
)


class LaxStore:
    """On a free loopback port until the block ends. `dropped` counts the conditions that were left out."""

    def __init__(self, store: S3Server) -> None:
        self._store = store
        self.dropped = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and content that the request gets without its condition, signed anew."""
        self.dropped += any(name.lower() == "if-none-match" for name in headers)
        kept = {name: value for name, value in headers.items() if name.lower() not in _LEFT_OUT}
        request = AWSRequest(method, self._store.endpoint + path, headers=kept, data=body)
        keys = Credentials(self._store.access_key, self._store.secret_key)
        S3SigV4Auth(keys, "s3", self._store.region).add_auth(request)
        with closing(http.client.HTTPConnection(urlsplit(self._store.endpoint).netloc, timeout=30)) as connection:
            connection.request(method, path, body, dict(request.headers.items()))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()


def _handler(lax: LaxStore) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, content = lax.pass_on(self.command, self.path, dict(self.headers.items()), body)
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_HEAD = do_DELETE = do_POST = do_GET  # noqa: N815 - their names there

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    return Handler
