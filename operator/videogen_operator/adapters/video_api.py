"""The video API over HTTP: the only place that sends the paid POST."""

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import BinaryIO, Final
from urllib.parse import quote

import httpx

from videogen_operator.ports import Answer, Downloaded, Exchange, NoAnswer, TooLarge, Wire
from videogen_operator.redaction import Secret, scrub

from .deadline_transport import NEVER_SENT, Call, DeadlineTransport, quiet_loggers
from .http_answer import Progress, content_encoding, declared_length, read_answer

_NOBODYS_TASK: Final = "task_videogen-operator-probe"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_HOPS: Final = 3
_CONNECT: Final = 10.0  # seconds
_CHUNK: Final = 1 << 18  # bytes of a download; with httpcore's 64 KiB it costs 3.6 instead of 2.0 CPU s/GiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How slow a gateway may be, in seconds and bytes."""

    answer: float = 30.0  # the whole of a poll or a probe
    first_byte: float = 180.0  # of a download: LiteLLM sends none before it has the whole file (67 s were seen)
    grace: float = 60.0  # of a download: from then on the average must reach `bytes_per_second`
    bytes_per_second: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Redirect:
    target: str


class HttpVideoApi:
    """`ports.VideoApi` on httpx. Safe for threads; `connections` idle ones are kept for polls."""

    def __init__(
        self, *, trust_env: bool, connections: int = 8, pace: Pace | None = None, agent: str = "videogen-operator"
    ) -> None:
        quiet_loggers()
        self._trust_env = trust_env
        self._pace = pace or Pace()
        self._agent = agent
        self._call = Call()
        self._tls = httpx.create_ssl_context(trust_env=trust_env)
        self._polls = self._client(keep_alive=connections)

    def submit(self, endpoint: str, key: Secret, body: bytes, *, timeout: float) -> Exchange:
        """On a connection of its own: a kept one that the server has just closed would leave the outcome unknown."""
        headers = {"content-type": "application/json", "x-litellm-num-retries": "0"}
        with self._client(keep_alive=0) as client:
            return self._exchange(client, "POST", _url(endpoint), key, timeout, headers, body)

    def poll(self, endpoint: str, key: Secret, task_id: str) -> Exchange:
        return self._exchange(self._polls, "GET", _url(endpoint, task_id), key, self._pace.answer)

    def probe(self, endpoint: str, key: Secret) -> Exchange:
        return self.poll(endpoint, key, _NOBODYS_TASK)

    def download(
        self, endpoint: str, key: Secret, task_id: str, into: BinaryIO, *, limit: int
    ) -> Downloaded | TooLarge | Answer | NoAnswer:
        bearer = _bearer(key)
        if bearer is None:
            return _MALFORMED
        first = target = _url(endpoint, task_id, "content")
        public = False  # a gateway on the Internet may not send us into the cluster's own networks
        with self._client(keep_alive=0) as client:
            for _ in range(_MAX_HOPS + 1):
                own = _origin(target) == _origin(first)
                headers = {"authorization": bearer} if own else {}
                outcome = self._fetch(client, target, headers, key, into, limit, public_only=public and not own)
                if not isinstance(outcome, _Redirect):
                    return outcome
                target, public = outcome.target, public or self._call.public
        return NoAnswer(wire=Wire.SENT, detail=f"more than {_MAX_HOPS} redirects of the content")

    def close(self) -> None:
        self._polls.close()

    # ---- one exchange

    def _exchange(
        self,
        client: httpx.Client,
        method: str,
        url: str,
        key: Secret,
        total: float,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Exchange:
        bearer = _bearer(key)
        if bearer is None:
            return _MALFORMED
        progress = Progress()
        sent = {**(headers or {}), "authorization": bearer}
        try:
            with self._call.begin(total), client.stream(method, url, headers=sent, content=content) as response:
                progress.status = response.status_code
                return read_answer(response, progress)
        except Exception as error:  # noqa: BLE001 - whatever broke, the one question is how far the request got
            return self._no_answer(error, progress, key)

    def _fetch(
        self,
        client: httpx.Client,
        url: str,
        headers: Mapping[str, str],
        key: Secret,
        into: BinaryIO,
        limit: int,
        *,
        public_only: bool,
    ) -> Downloaded | TooLarge | Answer | NoAnswer | _Redirect:
        progress = Progress()
        try:
            with (
                self._call.begin(self._pace.first_byte, public_only=public_only),
                client.stream("GET", url, headers=headers) as response,
            ):
                progress.status = response.status_code
                if response.status_code in _REDIRECTS and "location" in response.headers:
                    return _redirect(response)
                if response.status_code not in (200, 206):
                    return read_answer(response, progress)
                return self._save(response, into, limit, progress)
        except Exception as error:  # noqa: BLE001 - a broken download of any kind is tried again later
            return self._no_answer(error, progress, key)

    def _save(
        self, response: httpx.Response, into: BinaryIO, limit: int, progress: Progress
    ) -> Downloaded | TooLarge | NoAnswer:
        declared = progress.declared = declared_length(response)
        if encoding := content_encoding(response):
            return NoAnswer(wire=Wire.SENT, detail=f"the content came with Content-Encoding {encoding[:20]}: refused")
        if declared is not None and declared > limit:
            return TooLarge(declared=declared, limit=limit)
        self._call.read_size = _CHUNK
        digest = hashlib.sha256()
        begun = time.monotonic()
        for part in response.iter_raw():
            progress.size += len(part)
            if progress.size > limit:
                into.seek(0)
                into.truncate()
                return TooLarge(declared=declared, limit=limit)
            into.write(part)
            digest.update(part)
            self._call.deadline = begun + self._pace.grace + progress.size / self._pace.bytes_per_second
        if declared is not None and progress.size != declared:
            raise EOFError("the content is shorter than declared")
        return Downloaded(size=progress.size, sha256=digest.hexdigest(), declared=declared)

    def _no_answer(self, error: Exception, progress: Progress, key: Secret) -> NoAnswer:
        never = isinstance(error, NEVER_SENT) or not self._call.written
        detail = f"{type(error).__name__}: {error}{progress}"
        return NoAnswer(wire=Wire.NOT_SENT if never else Wire.SENT, detail=scrub(detail, [key.reveal()], limit=1000))

    def _client(self, *, keep_alive: int) -> httpx.Client:
        transport = DeadlineTransport(self._call, tls=self._tls, keep_alive=keep_alive, trust_env=self._trust_env)
        return httpx.Client(
            transport=transport,
            headers={"user-agent": self._agent, "accept-encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # no state from one key to the next
            timeout=httpx.Timeout(None, connect=_CONNECT),  # the call's deadline bounds the rest
            follow_redirects=False,
            trust_env=False,
        )


_MALFORMED: Final = NoAnswer(
    wire=Wire.MALFORMED_KEY,
    detail="the API key is empty or has characters that no header can carry, such as a newline at its end",
)


def _redirect(response: httpx.Response) -> _Redirect | NoAnswer:
    target = response.url.join(response.headers["location"])
    if target.scheme not in ("http", "https") or (response.url.scheme == "https" and target.scheme == "http"):
        return NoAnswer(wire=Wire.SENT, detail=f"a redirect of the content to {target.scheme[:10]}: refused")
    return _Redirect(str(target))


def _bearer(key: Secret) -> str | None:
    text = key.reveal()
    return f"Bearer {text}" if re.fullmatch(r"[\x21-\x7e]+", text) else None


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port; None for what is no URL, which no request will be built for either."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return None
    port = parsed.port or {"http": 80, "https": 443}.get(parsed.scheme)
    return parsed.scheme, parsed.host, port


def _url(endpoint: str, *segments: str) -> str:
    """`<endpoint>/videos/...`; a base without a version gets `/v1`."""
    base = endpoint.rstrip("/")
    if not re.search(r"/v[0-9]+[a-z0-9]*$", base):
        base += "/v1"
    parts = [quote(s, safe="", errors="replace") for s in segments]
    return "/".join([base, "videos", *(p.replace(".", "%2E") if not p.strip(".") else p for p in parts)])
