"""What reaches the wire, and how far a request got, over real sockets at exact bytes."""

import gzip
import hashlib
import io
import logging
import socket
import time
from collections.abc import Iterator

import httpcore
import httpx
import pytest

from fakes.raw_server import RawServer, http, replying, reset
from videogen_operator.adapters import deadline_transport
from videogen_operator.adapters.deadline_transport import NEVER_SENT, DeadlineTransport, is_public
from videogen_operator.adapters.http_answer import MAX_ANSWER
from videogen_operator.adapters.video_api import HttpVideoApi, Pace
from videogen_operator.ports import Answer, Downloaded, NoAnswer, TooLarge, Wire
from videogen_operator.redaction import Secret

KEY = Secret("sk-canary-0123456789")
TASK = b'{"id":"task_1","status":"queued"}'
LIMIT = 1 << 20


@pytest.fixture(scope="module")
def api() -> Iterator[HttpVideoApi]:
    pace = Pace(answer=0.4, first_byte=0.6, grace=0.3, bytes_per_second=400_000)
    api = HttpVideoApi(trust_env=False, pace=pace)
    yield api
    api.close()


def post(api: HttpVideoApi, url: str, *, key: Secret = KEY, timeout: float = 2.0) -> Answer | NoAnswer:
    return api.submit(url, key, b'{"prompt":"p"}', timeout=timeout)


def wire(exchange: object) -> Wire:
    assert isinstance(exchange, NoAnswer), exchange
    return exchange.wire


# ---------------------------------------------------------------- the request


def test_the_post_is_sent_once_with_its_headers(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, TASK, "X-Request-Id: 7"))) as server:
        answer = post(api, server.url + "/v1")
    assert answer == Answer(status=200, headers={"x-request-id": "7", "content-length": "33"}, body=TASK)
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /v1/videos http/1.1"
    assert body == b'{"prompt":"p"}'
    assert f"authorization: bearer {KEY.reveal()}" in lines
    assert "x-litellm-num-retries: 0" in lines
    assert "accept-encoding: identity" in lines
    assert "content-type: application/json" in lines


def test_every_post_has_a_connection_of_its_own(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, TASK), keep=True)) as server:
        assert [post(api, server.url) for _ in range(3)].count(post(api, server.url)) == 3
        assert server.connections == 4


def test_polls_share_a_connection(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, TASK), keep=True)) as server:
        for _ in range(3):
            assert isinstance(api.poll(server.url, KEY, "task_1"), Answer)
        assert server.connections == 1


def test_a_poll_on_a_connection_that_the_server_has_closed_opens_another(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, TASK))) as server:
        for _ in range(3):
            assert isinstance(api.poll(server.url, KEY, "task_1"), Answer)


@pytest.mark.parametrize(
    ("task_id", "path"),
    [
        ("task_1", "/v1/videos/task_1"),
        ("a/b?c=d#e%", "/v1/videos/a%2Fb%3Fc%3Dd%23e%25"),
        ("YWJj+/==", "/v1/videos/YWJj%2B%2F%3D%3D"),
        ("..", "/v1/videos/%2E%2E"),
        ("海\n", "/v1/videos/%E6%B5%B7%0A"),
    ],
)
def test_the_task_id_is_one_segment_of_the_path(api: HttpVideoApi, task_id: str, path: str) -> None:
    with RawServer(replying(http(200, TASK))) as server:
        api.poll(server.url + "/v1", KEY, task_id)
    assert server.requests[0].split(b" ")[:2] == [b"GET", path.encode()]


@pytest.mark.parametrize(
    ("base", "path"),
    [("", "/v1"), ("/", "/v1"), ("/v1/", "/v1"), ("/proxy", "/proxy/v1"), ("/a/v2beta", "/a/v2beta")],
)
def test_a_base_is_taken_with_or_without_its_version(api: HttpVideoApi, base: str, path: str) -> None:
    with RawServer(replying(http(200, TASK))) as server:
        post(api, server.url + base)
    assert server.requests[0].split(b" ")[1] == f"{path}/videos".encode()


def test_no_cookie_is_kept(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, TASK, "Set-Cookie: a=b; Path=/"))) as server:
        first = api.poll(server.url, KEY, "t")
        api.poll(server.url, KEY, "t")
    assert isinstance(first, Answer)
    assert "set-cookie" not in first.headers
    assert b"cookie" not in server.requests[1].lower()


def test_a_redirect_of_the_post_is_not_followed(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, TASK))) as other:
        with RawServer(replying(http(307, b"", f"Location: {other.url}/v1/videos"))) as server:
            answer = post(api, server.url)
        assert isinstance(answer, Answer)
        assert answer.status == 307
        assert other.requests == []


# ---------------------------------------------------------------- not sent


@pytest.mark.parametrize("key", ["", "sk-a\n", "sk a", "schlüssel", "sk-\x00"])
def test_a_key_that_no_header_can_carry_is_never_sent(api: HttpVideoApi, key: str) -> None:
    with RawServer(replying(http(200, TASK))) as server:
        answers = [
            post(api, server.url, key=Secret(key)),
            api.poll(server.url, Secret(key), "t"),
            api.download(server.url, Secret(key), "t", io.BytesIO(), limit=LIMIT),
        ]
        assert [wire(answer) for answer in answers] == [Wire.MALFORMED_KEY] * 3
        assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    ["", "host", "ftp://127.0.0.1/v1", "http://", "http://[", "http://127.0.0.1:99999", "http://a b/", "http://\x00/"],
)
def test_a_url_that_is_none_is_not_sent(api: HttpVideoApi, url: str) -> None:
    assert wire(post(api, url)) is Wire.NOT_SENT
    assert isinstance(api.download(url, KEY, "t", io.BytesIO(), limit=LIMIT), NoAnswer)


def test_a_refused_connection_is_not_sent(api: HttpVideoApi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert wire(post(api, f"http://127.0.0.1:{port}/v1")) is Wire.NOT_SENT


def test_a_name_that_does_not_resolve_is_not_sent(api: HttpVideoApi) -> None:
    assert wire(post(api, "http://gateway.invalid/v1")) is Wire.NOT_SENT


def test_a_failed_tls_handshake_is_not_sent(api: HttpVideoApi) -> None:
    with RawServer(replying(b""), greeting=b"HTTP/1.1 400 X\r\n\r\n") as server:
        url = server.url.replace("http:", "https:") + "/v1"
        assert wire(post(api, url)) is Wire.NOT_SENT
    assert server.requests == []


def test_a_time_that_has_passed_before_the_first_byte_is_not_sent(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, TASK))) as server:
        assert wire(post(api, server.url, timeout=0)) is Wire.NOT_SENT
    assert server.requests == []


# ---------------------------------------------------------------- sent, and no answer


PIECES = {
    "closed": b"",
    "half a status line": b"HTTP/1.1 2",
    "no end of the headers": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n",
    "headers without the body": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
    "half a body": b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"id":"task_1"',
    "half a chunk": b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{"id":"task_1"',
    "not http": b"SSH-2.0-OpenSSH_9.9\r\n",
    "a line of garbage": b"\xff" * 1000 + b"\r\n\r\n",
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 40_000,
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
}


@pytest.mark.parametrize("reply", PIECES.values(), ids=PIECES)
def test_a_broken_answer_is_sent(api: HttpVideoApi, reply: bytes) -> None:
    with RawServer(replying(reply)) as server:
        assert wire(post(api, server.url)) is Wire.SENT
    assert len(server.requests) == 1


def test_a_reset_before_the_answer_is_sent(api: HttpVideoApi) -> None:
    with RawServer(reset) as server:
        assert wire(post(api, server.url)) is Wire.SENT
    assert len(server.requests) == 1


def test_what_came_of_a_cut_answer_is_in_the_detail(api: HttpVideoApi) -> None:
    """So that a person finds the task's ID."""
    with RawServer(replying(PIECES["half a body"])) as server:
        answer = post(api, server.url)
    assert isinstance(answer, NoAnswer)
    assert "HTTP 200" in answer.detail
    assert "task_1" in answer.detail


def drip(first: bytes, again: bytes, server: list[RawServer]) -> object:
    def script(connection: socket.socket, _: bytes) -> None:
        connection.sendall(first)
        while not server[0].stopping.wait(0.05):
            connection.sendall(again)

    return script


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", b""),
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    ],
    ids=["silence", "status line", "headers", "continue for ever", "a body with a length", "a body without"],
)
def test_one_time_limit_holds_for_the_whole_exchange(api: HttpVideoApi, first: bytes, again: bytes) -> None:
    """Each byte comes in time, the answer does not: httpx alone would wait for ever."""
    servers: list[RawServer] = []
    with RawServer(drip(first, again, servers)) as server:  # type: ignore[arg-type]
        servers.append(server)
        begun = time.monotonic()
        assert wire(post(api, server.url, timeout=0.4)) is Wire.SENT
        assert 0.3 < time.monotonic() - begun < 2
        assert wire(api.poll(server.url, KEY, "t")) is Wire.SENT


def exceptions() -> list[type[Exception]]:
    """Every exception that httpx and httpcore can raise."""
    found: list[type[Exception]] = [OSError, ValueError, RuntimeError, UnicodeError]
    for module in (httpx, httpcore):
        names = [getattr(module, name) for name in dir(module)]
        found += [thing for thing in names if isinstance(thing, type) and issubclass(thing, Exception)]
    return found


def raised(kind: type[Exception]) -> Exception:
    return kind.__new__(kind, "x")


@pytest.mark.parametrize("kind", exceptions(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
@pytest.mark.parametrize("written", [False, True])
def test_every_exception_has_a_class(
    api: HttpVideoApi, monkeypatch: pytest.MonkeyPatch, kind: type[Exception], written: bool
) -> None:
    """Once a byte was written, only what can happen before the request itself is still not sent."""

    def fail(self: DeadlineTransport, request: httpx.Request) -> httpx.Response:
        self._options["network_backend"]._call.written = written
        raise raised(kind)

    monkeypatch.setattr(DeadlineTransport, "handle_request", fail)
    sent = written and not issubclass(kind, NEVER_SENT)
    assert wire(post(api, "http://127.0.0.1:1")) is (Wire.SENT if sent else Wire.NOT_SENT)


# ---------------------------------------------------------------- hostile answers


def test_an_endless_answer_is_read_up_to_the_limit(api: HttpVideoApi) -> None:
    def script(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with RawServer(script) as server:
        answer = post(api, server.url, timeout=10)
    assert isinstance(answer, Answer)
    assert len(answer.body) == MAX_ANSWER


def test_an_answer_that_is_compressed_all_the_same_is_read(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, gzip.compress(TASK), "Content-Encoding: gzip"))) as server:
        answer = post(api, server.url)
    assert isinstance(answer, Answer)
    assert answer.body == TASK


def test_a_compressed_bomb_stays_small(api: HttpVideoApi) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with RawServer(replying(http(200, bomb, "Content-Encoding: gzip"))) as server:
        answer = api.poll(server.url, KEY, "t")
    assert isinstance(answer, Answer)
    assert len(answer.body) == MAX_ANSWER


def test_neither_key_nor_prompt_is_logged(api: HttpVideoApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RawServer(replying(http(200, TASK))) as server:
        post(api, server.url)
        api.poll(server.url, KEY, "t")
    assert caplog.text == ""


def test_the_key_is_not_in_the_detail(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, KEY.reveal().encode() * 3)[:-5])) as server:
        answer = post(api, server.url)
    assert isinstance(answer, NoAnswer)
    assert "canary" not in answer.detail


# ---------------------------------------------------------------- proxies


def test_a_proxy_of_the_environment_is_used_only_when_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(replying(http(200, TASK))) as proxy, RawServer(replying(http(200, TASK))) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        for trust in (True, False):
            post(HttpVideoApi(trust_env=trust), server.url)
        assert proxy.requests[0].startswith(f"POST {server.url}/v1/videos ".encode())
        assert len(proxy.requests) == len(server.requests) == 1
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        post(HttpVideoApi(trust_env=True), server.url)
        assert len(server.requests) == 2


def test_a_proxy_that_refuses_the_tunnel_has_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(replying(http(403))) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        answer = post(HttpVideoApi(trust_env=True), "https://gateway.invalid/v1")
    assert wire(answer) is Wire.NOT_SENT
    assert proxy.requests[0].startswith(b"CONNECT gateway.invalid:443 ")


# ---------------------------------------------------------------- downloads


def fetch(api: HttpVideoApi, url: str, *, limit: int = LIMIT) -> tuple[object, bytes]:
    file = io.BytesIO()
    return api.download(url, KEY, "task_1", file, limit=limit), file.getvalue()


FILM = bytes(range(256)) * 2000


@pytest.mark.parametrize(
    ("reply", "declared"),
    [
        (http(200, FILM), len(FILM)),
        (http(200, FILM, length=False), None),
        (http(206, FILM, f"Content-Range: bytes 0-{len(FILM) - 1}/{len(FILM)}"), len(FILM)),
        (http(200, b"%x\r\n%b\r\n0\r\n\r\n" % (len(FILM), FILM), "Transfer-Encoding: chunked", length=False), None),
    ],
    ids=["with a length", "without", "as a part that is the whole", "in chunks"],
)
def test_a_film_is_saved_and_hashed(api: HttpVideoApi, reply: bytes, declared: int | None) -> None:
    with RawServer(replying(reply)) as server:
        outcome, saved = fetch(api, server.url)
    assert outcome == Downloaded(size=len(FILM), sha256=hashlib.sha256(FILM).hexdigest(), declared=declared)
    assert saved == FILM
    assert server.requests[0].startswith(b"GET /v1/videos/task_1/content ")


@pytest.mark.parametrize(
    "reply",
    [
        http(200, FILM)[:-1],
        http(200, b"%x\r\n%b" % (len(FILM) + 1, FILM), "Transfer-Encoding: chunked", length=False),
        http(206, FILM[:100], f"Content-Range: bytes 0-99/{len(FILM)}"),
        http(200, gzip.compress(FILM), "Content-Encoding: gzip"),
        http(200, FILM, "Content-Encoding: br"),
    ],
    ids=["cut", "cut in a chunk", "a part", "gzip", "brotli"],
)
def test_a_body_that_is_not_the_whole_film_is_no_answer(api: HttpVideoApi, reply: bytes) -> None:
    with RawServer(replying(reply)) as server:
        assert isinstance(fetch(api, server.url)[0], NoAnswer)


def test_a_cut_download_says_where_and_when(api: HttpVideoApi) -> None:
    """Some gateways cut every download at the same second; only the message can show it."""
    with RawServer(replying(http(200, FILM)[:-1])) as server:
        outcome, _ = fetch(api, server.url)
    assert isinstance(outcome, NoAnswer)
    assert f"{len(FILM) - 1} of {len(FILM)} bytes in 0." in outcome.detail


def test_a_declared_length_above_the_limit_is_refused_unread(api: HttpVideoApi) -> None:
    with RawServer(replying(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\nx")) as server:
        outcome, saved = fetch(api, server.url)
    assert (outcome, saved) == (TooLarge(declared=10**10, limit=LIMIT), b"")


def test_an_endless_film_is_read_up_to_the_limit_and_dropped(api: HttpVideoApi) -> None:
    def script(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with RawServer(script) as server:
        outcome, saved = fetch(api, server.url)
    assert (outcome, saved) == (TooLarge(declared=None, limit=LIMIT), b"")


def test_a_film_of_exactly_the_limit_is_taken(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, FILM, length=False))) as server:
        assert isinstance(fetch(api, server.url, limit=len(FILM))[0], Downloaded)
        assert isinstance(fetch(api, server.url, limit=len(FILM) - 1)[0], TooLarge)


@pytest.mark.parametrize("status", [204, 400, 401, 404, 410, 500, 502])
def test_other_replies_are_answers(api: HttpVideoApi, status: int) -> None:
    with RawServer(replying(http(status, b"" if status == 204 else b"{}"))) as server:
        outcome, saved = fetch(api, server.url)
    assert isinstance(outcome, Answer)
    assert (outcome.status, saved) == (status, b"")


@pytest.mark.parametrize(
    ("first", "again"),
    [(b"", b""), (b"", b"H"), (b"HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n", b"x")],
    ids=["silence", "a slow head", "a slow body"],
)
def test_a_film_that_comes_too_slowly_is_given_up(api: HttpVideoApi, first: bytes, again: bytes) -> None:
    servers: list[RawServer] = []
    with RawServer(drip(first, again, servers)) as server:  # type: ignore[arg-type]
        servers.append(server)
        begun = time.monotonic()
        assert isinstance(fetch(api, server.url)[0], NoAnswer)
        assert time.monotonic() - begun < 3


def test_a_slow_film_that_keeps_the_pace_is_taken(api: HttpVideoApi) -> None:
    """Its grace and first-byte time are over long before its end."""

    def script(connection: socket.socket, _: bytes) -> None:
        connection.sendall(http(200, FILM)[: -len(FILM)])
        for begin in range(0, len(FILM), 64_000):
            server.stopping.wait(0.1)
            connection.sendall(FILM[begin : begin + 64_000])

    with RawServer(script) as server:
        assert isinstance(fetch(api, server.url)[0], Downloaded)


def test_a_redirect_to_another_origin_is_followed_without_the_key(api: HttpVideoApi) -> None:
    with RawServer(replying(http(200, FILM))) as store:
        with RawServer(replying(http(302, b"", f"Location: {store.url}/film?sig=1"))) as server:
            outcome, _ = fetch(api, server.url)
        assert isinstance(outcome, Downloaded)
        assert b"canary" in server.requests[0]
        assert b"canary" not in store.requests[0]
        assert b"authorization" not in store.requests[0].lower()


def test_a_redirect_within_the_origin_keeps_the_key(api: HttpVideoApi) -> None:
    def script(connection: socket.socket, request: bytes) -> None:
        moved = b"/elsewhere" not in request
        connection.sendall(http(302, b"", "Location: /elsewhere") if moved else http(200, FILM))

    with RawServer(script) as server:
        assert isinstance(fetch(api, server.url)[0], Downloaded)
    assert b"canary" in server.requests[1]


def test_a_ring_of_redirects_ends(api: HttpVideoApi) -> None:
    with RawServer(replying(http(302, b"", "Location: /again"))) as server:
        assert isinstance(fetch(api, server.url)[0], NoAnswer)
    assert len(server.requests) == 4


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/", "gopher://x", "http://["])
def test_a_redirect_to_something_else_is_refused(api: HttpVideoApi, target: str) -> None:
    with RawServer(replying(http(302, b"", f"Location: {target}"))) as server:
        assert isinstance(fetch(api, server.url)[0], NoAnswer)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address to refuse, not to bind
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:a9fe:a9fe::", False),
        ("64:ff9b::101:101", True),
    ],
)
def test_addresses_of_the_clusters_own_networks_are_known(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_public_gateway_cannot_redirect_into_the_clusters_networks(
    api: HttpVideoApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline_transport, "is_public", lambda address: address == "127.0.0.1")
    with RawServer(replying(http(200, FILM)), host="127.0.0.2") as inside:
        with RawServer(replying(http(302, b"", f"Location: {inside.url}/latest/meta-data"))) as server:
            outcome, saved = fetch(api, server.url)
        assert isinstance(outcome, NoAnswer)
        assert "not public" in outcome.detail
        assert (inside.requests, saved) == ([], b"")
