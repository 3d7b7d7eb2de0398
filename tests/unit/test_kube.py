"""What reaches the API server, and what its answers mean, at exact bytes."""

import base64
import inspect
import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from kubernetes.client import Configuration

from fakes.raw_server import RawServer, http, replying
from videogen_operator.adapters.kube import KubeApi
from videogen_operator.errors import KubeTrouble, Superseded
from videogen_operator.ports import Kind

CANARY = "a lighthouse nobody may see"


def kube_at(url: str, token: str = "") -> KubeApi:
    configuration = Configuration()
    configuration.host = url
    if token:
        configuration.api_key["BearerToken"] = f"Bearer {token}"
    return KubeApi(configuration, namespace="system", workers=2, timeout=(1, 0.5))


def status(code: int, reason: str = "", message: str = CANARY, **details: object) -> bytes:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    return http(code, json.dumps(body).encode())


def trouble(call: Callable[[], object]) -> KubeTrouble:
    with pytest.raises(KubeTrouble) as caught:
        call()
    return caught.value


def lines(request: bytes) -> list[str]:
    return request.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")


def test_a_status_write_is_a_json_patch_with_a_field_manager() -> None:
    operations = [{"op": "test", "path": "/metadata/uid", "value": "u"}]
    with RawServer(replying(http(200, b"{}"))) as server:
        assert kube_at(server.url, "token").patch_status(Kind.GENERATION, "team", "x", operations) == {}
    (request,) = server.requests
    path = "/apis/videogen.dev/v1alpha1/namespaces/team/videogenerations/x/status?fieldmanager=videogen-operator"
    assert lines(request)[0] == f"patch {path} http/1.1"
    assert "content-type: application/json-patch+json" in lines(request)
    assert "authorization: bearer token" in lines(request)
    assert json.loads(request.partition(b"\r\n\r\n")[2]) == operations


def test_an_empty_patch_is_still_a_list() -> None:
    """The client sends anything but a list as a merge patch."""
    with RawServer(replying(http(200, b"{}"))) as server:
        kube_at(server.url).patch_status(Kind.CLASS, "", "veo", ())
    assert server.requests[0].endswith(b"\r\n\r\n[]")
    assert "content-type: application/json-patch+json" in lines(server.requests[0])


def test_a_class_has_no_namespace_in_its_path() -> None:
    with RawServer(replying(http(200, b"{}"))) as server:
        kube_at(server.url).read(Kind.CLASS, "", "veo")
    assert lines(server.requests[0])[0] == "get /apis/videogen.dev/v1alpha1/videogenerationclasses/veo http/1.1"


def test_names_cannot_leave_their_place_in_the_path() -> None:
    with RawServer(replying(http(404))) as server:
        kube_at(server.url).secret("../../../kube-system/secrets/x?")
    assert lines(server.requests[0])[0].startswith("get /api/v1/namespaces/system/secrets/..%2f..%2f..%2fkube-system")


@pytest.mark.parametrize("code", [409, 422])
def test_a_conflict_is_superseded_and_names_only_fields(code: int) -> None:
    causes = [{"field": "status.attempt", "message": CANARY}, {"field": "<nil>", "message": CANARY}]
    with RawServer(replying(status(code, "Invalid", causes=causes))) as server, pytest.raises(Superseded) as caught:
        kube_at(server.url).patch_status(Kind.GENERATION, "team", "x", [])
    assert str(caught.value).endswith(f"{code} Invalid status.attempt")


@pytest.mark.parametrize("code", [400, 401, 403, 405, 429, 500, 503, 504])
def test_a_refusal_is_trouble_without_the_servers_message(code: int) -> None:
    """It can repeat the object, and the object holds the prompt."""
    with RawServer(replying(status(code, "Because"))) as server:
        found = trouble(lambda: kube_at(server.url).read(Kind.GENERATION, "team", "x"))
    assert found.status == code
    assert CANARY not in str(found)
    assert "Because" in str(found)


def test_a_missing_right_is_named() -> None:
    message = f'videogenerations is forbidden: User "{CANARY}" cannot get resource "secrets" in API group "" in the x'
    with RawServer(replying(status(403, "Forbidden", message))) as server:
        found = trouble(lambda: kube_at(server.url).secret("x"))
    assert str(found).endswith('403 Forbidden: cannot get resource "secrets" in API group ""')


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("99999", 600), ("soon", None), ("-1", None)])
def test_the_wish_to_wait_is_kept(said: str, seconds: float | None) -> None:
    with RawServer(replying(http(429, b"{}", f"Retry-After: {said}"))) as server:
        assert trouble(lambda: kube_at(server.url).read(Kind.CLASS, "", "x")).retry_after == seconds


@pytest.mark.parametrize(
    "reply",
    [b"", b"HTTP/1.1 2", http(200, b"{}")[:-1], http(200, b"<html>"), http(200, b"[]"), http(200, b"\xff")],
)
def test_an_answer_that_is_none_is_trouble(reply: bytes) -> None:
    with RawServer(replying(reply)) as server:
        assert trouble(lambda: kube_at(server.url).read(Kind.CLASS, "", "x")).status is None


def test_a_refused_connection_is_trouble() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    said = str(trouble(lambda: kube_at(f"http://127.0.0.1:{port}").read(Kind.CLASS, "", "x")))
    assert "refused" in said.lower()


def test_a_server_that_is_silent_is_trouble_after_the_time_limit() -> None:
    with RawServer(lambda _, __: (server.stopping.wait(10), None)[1]) as server:
        trouble(lambda: kube_at(server.url).patch_status(Kind.CLASS, "", "x", []))
    assert len(server.requests) == 1


def test_a_write_is_not_sent_again() -> None:
    with RawServer(replying(b"")) as server:
        trouble(lambda: kube_at(server.url).patch_status(Kind.CLASS, "", "x", []))
    assert len(server.requests) == 1


def test_redirects_are_not_followed() -> None:
    """The token would go with them."""
    with RawServer(replying(http(200, b"{}"))) as other:
        with RawServer(replying(http(302, b"", f"Location: {other.url}/"))) as server:
            trouble(lambda: kube_at(server.url, "token").read(Kind.CLASS, "", "x"))
        assert other.requests == []


def test_a_list_is_read_to_its_end() -> None:
    pages = [
        {"metadata": {"continue": "a+b"}, "items": [{"metadata": {"namespace": "t", "name": "one"}}]},
        {"metadata": {}, "items": [{"metadata": {"namespace": "t", "name": "two"}}]},
    ]

    def script(connection: socket.socket, _: bytes) -> None:
        connection.sendall(http(200, json.dumps(pages[len(server.requests) - 1]).encode()))

    with RawServer(script) as server:
        assert kube_at(server.url).names(Kind.GENERATION) == {("t", "one"), ("t", "two")}
    assert "continue=a%2bb" in lines(server.requests[1])[0]
    assert "as=partialobjectmetadatalist" in " ".join(lines(server.requests[0]))


def test_a_cluster_without_the_crds_says_so() -> None:
    with RawServer(replying(http(404, b"{}"))) as server:
        assert "CRDs" in str(trouble(lambda: kube_at(server.url).names(Kind.CLASS)))


def test_a_secret_of_bytes_that_are_no_text_is_no_error() -> None:
    data = {"data": {"key": base64.b64encode(b"\xff\x00").decode()}}
    with RawServer(replying(http(200, json.dumps(data).encode()))) as server:
        assert kube_at(server.url).secret("x") == {"key": "\ufffd\x00"}


@pytest.mark.parametrize("body", [{}, {"data": None}])
def test_an_empty_secret_is_not_absent(body: object) -> None:
    with RawServer(replying(http(200, json.dumps(body).encode()))) as server:
        assert kube_at(server.url).secret("x") == {}


@pytest.mark.parametrize("reply", [status(403, "Forbidden"), status(409, "AlreadyExists"), b""])
def test_an_event_that_fails_is_logged_and_forgotten(reply: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with RawServer(replying(reply)) as server:
        kube_at(server.url).event("team", {"reason": "TaskCreated", "note": CANARY})
    assert "TaskCreated" in caplog.text
    assert CANARY not in caplog.text


def test_nothing_is_logged_by_the_client(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RawServer(replying(http(200, json.dumps({"spec": {"prompt": CANARY}}).encode()))) as server:
        kube_at(server.url, "token").read(Kind.GENERATION, "team", "x")
    assert caplog.text == ""


def test_a_token_that_is_replaced_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubernetes.config.incluster_config._join_host_port", lambda host, port: f"{host}:{port}")
    (tmp_path / "ca.crt").write_text("not empty")
    (tmp_path / "token").write_text("first\n")
    with RawServer(replying(http(404))) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        kube = KubeApi.from_service_account(tmp_path, environ, namespace="system", workers=1)
        assert kube._configuration.get_api_key_with_prefix("BearerToken") == "bearer first\n"
        (tmp_path / "token").write_text("second")
        hook = getattr(kube._configuration, "refresh_api_key_hook")  # noqa: B009 - its stub says that it is None
        loader = inspect.getclosurevars(hook).nonlocals["self"]
        loader.token_expires_at = loader.token_expires_at.min
        assert kube._configuration.get_api_key_with_prefix("BearerToken") == "bearer second"


@pytest.mark.parametrize("missing", ["token", "ca.crt", "address"])
def test_an_incomplete_service_account_is_trouble_that_says_what(tmp_path: Path, missing: str) -> None:
    for name in {"token", "ca.crt"} - {missing}:
        (tmp_path / name).write_text("x")
    environ = {} if missing == "address" else {"KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "1"}
    said = trouble(lambda: KubeApi.from_service_account(tmp_path, environ, namespace="s", workers=1))
    assert str(tmp_path) in str(said)


@pytest.mark.parametrize("content", [None, "", "clusters: []", "a: [", "- x"])
def test_a_kubeconfig_that_cannot_be_used_is_trouble(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    assert "config" in str(trouble(lambda: KubeApi.from_kubeconfig(path, namespace="s", workers=1)))
