"""An httpx transport with one total deadline for a whole exchange, that knows whether a byte was written.

httpx limits each operation, so a server that sends one byte every few seconds is never too slow for it. Here every
read and write is bounded by what is left of the call's time. The other addition decides about money: `written` says
whether any byte of the call was handed to a socket.
"""

import ipaddress
import logging
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

# Nothing of these calls reached the server, whatever was written to a proxy before.
NEVER_SENT: Final = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpx.InvalidURL,
    httpx.UnsupportedProtocol,
)


_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class Call(threading.local):
    """The exchange that this thread is in. One object serves all threads; each sees its own values."""

    deadline: float = float("inf")  # monotonic seconds
    written: bool = False
    read_size: int = 0  # bytes asked of the socket at once, where httpcore would ask for less

    public: bool = False  # the last connection went to an address of the public Internet
    public_only: bool = False  # refuse others

    @contextmanager
    def begin(self, seconds: float, *, public_only: bool = False) -> Iterator[None]:
        """One exchange of at most so many seconds. `public_only`: a stranger chose where it goes."""
        self.deadline, self.written, self.read_size = time.monotonic() + seconds, False, 0
        self.public_only = public_only
        try:
            yield
        finally:
            self.deadline = float("inf")

    def left(self, timeout: float | None, error: Callable[[str], Exception]) -> float:
        """How long the next operation may take; raises `error` when the time is used up."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise error("the total time-out has passed")
        return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, call: Call) -> None:
        self._inner = inner
        self._call = call

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        size = max(max_bytes, self._call.read_size)
        return self._inner.read(size, self._call.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = self._call.left(timeout, httpcore.WriteTimeout)
        self._call.written = True
        self._inner.write(buffer, left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._call.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._call)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Network(httpcore.NetworkBackend):
    def __init__(self, call: Call) -> None:
        self._call = call
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left = self._call.left(timeout, httpcore.ConnectTimeout)
        stream = self._inner.connect_tcp(host, port, left, local_address, socket_options)
        self._call.public = is_public(stream.get_extra_info("server_addr")[0])
        if self._call.public_only and not self._call.public:
            stream.close()
            raise httpcore.ConnectError("an address that is not public was refused")
        return _Stream(stream, self._call)


def is_public(address: str) -> bool:
    """Neither loopback, link-local (where clouds keep credentials) nor private, also where IPv6 wraps IPv4."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    wrapped = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    if parsed in _NAT64:
        wrapped = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    return (wrapped or parsed).is_global


class DeadlineTransport(httpx.BaseTransport):
    """HTTP/1.1. `keep_alive` idle connections are kept; 0 means a fresh connection for every request,
    and that nothing is ever sent twice.

    With `trust_env` the proxies of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`) are used.
    """

    def __init__(self, call: Call, *, tls: ssl.SSLContext, keep_alive: int, trust_env: bool) -> None:
        self._options: dict[str, Any] = {
            "ssl_context": tls,
            "max_connections": None,
            "max_keepalive_connections": keep_alive,
            "keepalive_expiry": 20.0,  # gateways close idle connections after 60 s and more
            "network_backend": _Network(call),
        }
        self._proxies = urllib.request.getproxies_environment() if trust_env else {}
        self._pools: dict[str, httpcore.ConnectionPool] = {}  # by proxy; "" is direct

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = self._send(request)
        except (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError):
            # The server may have closed a kept connection just now: worth one more try, of a GET only.
            if request.method != "GET" or not self._options["max_keepalive_connections"]:
                raise
            answer = self._send(request)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    def _send(self, request: httpx.Request) -> httpcore.Response:
        url = request.url
        return self._pool(url).handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )

    def close(self) -> None:
        for pool in list(self._pools.values()):
            pool.close()

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        host = f"{url.host}:{url.port}" if url.port else url.host
        if not proxy or urllib.request.proxy_bypass_environment(host, self._proxies):  # type: ignore[attr-defined]
            proxy = ""
        if proxy not in self._pools:
            self._pools.setdefault(proxy, self._open(proxy))
        return self._pools[proxy]

    def _open(self, proxy: str) -> httpcore.ConnectionPool:
        if not proxy:
            return httpcore.ConnectionPool(**self._options)
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        address = f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        return httpcore.HTTPProxy(address, proxy_auth=auth, **self._options)


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def quiet_loggers() -> None:
    """Httpx logs every URL at INFO, httpcore every header at DEBUG: never below WARNING, whatever the root says."""
    for name in ("httpx", "httpcore", "hpack"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
