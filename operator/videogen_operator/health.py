"""/livez and /readyz: whether the process works, and why not."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

Checks = Mapping[str, Callable[[], str]]
"""Each check says what is wrong, or nothing."""

_OK: Final = 200
_UNAVAILABLE: Final = 503


class HealthServer:
    """A small HTTP server in a thread of its own."""

    def __init__(self, host: str, port: int, *, live: Checks, ready: Checks) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler({"/livez": live, "/readyz": ready}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(pages: Mapping[str, Checks]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            checks = pages.get(self.path.partition("?")[0])
            if checks is None:
                self._answer(404, {"error": f"only {', '.join(pages)}"})
                return
            found = {name: check() for name, check in checks.items()}
            wrong = {name: text for name, text in found.items() if text}
            self._answer(_UNAVAILABLE if wrong else _OK, wrong or {"status": "ok"})

        def _answer(self, status: int, body: Mapping[str, str]) -> None:
            data = json.dumps(body).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Probes come every few seconds: no line for them."""

    return Handler
