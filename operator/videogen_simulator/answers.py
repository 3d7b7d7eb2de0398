"""The bodies that the gateway sends, worded as new-api words them.

Three shapes of error: handlers of submit and poll answer `{code, message, data}`, the token and
channel checks and `/content` answer `{error: {message, type, code}}`. Text in Chinese is the gateway's own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

JSON_TYPE = ("Content-Type", "application/json")
HTML_TYPE = ("Content-Type", "text/html; charset=utf-8")
OVERLOADED = "当前分组上游负载已饱和\uff0c请稍后再试"
BAD_GATEWAY_PAGE = "<html>\r\n<head><title>{status}</title></head>\r\n<body>nginx: {status}</body>\r\n</html>\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole HTTP answer; `code` names the error for the ledger."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (JSON_TYPE,)
    code: str = ""


class Refused(Exception):  # noqa: N818 -- it is what the client gets, not a fault of the simulator
    """A request that ends in an error answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.code)
        self.answer = answer


def document(content: Mapping[str, object], status: int = 200, code: str = "") -> Answer:
    """A JSON answer, compact as Go's encoder writes it."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Answer(status=status, body=text.encode("utf-8", "replace"), code=code)


def task_error(status: int, code: str, message: str) -> Answer:
    """An error of the submit and poll handlers."""
    return document({"code": code, "message": message, "data": None}, status, code)


def gateway_error(status: int, message: str, code: str = "", kind: str = "new_api_error") -> Answer:
    """An error of the checks in front of the handlers (token, model, rate)."""
    return document({"error": {"message": message, "type": kind, "code": code}}, status, code or kind)


def content_error(status: int, message: str) -> Answer:
    """An error of `/content`, which carries no code."""
    kind = "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004 -- HTTP's own border
    return document({"error": {"message": message, "type": kind}}, status, kind)


def upstream_error(status: int, name: str, message: str) -> Answer:
    """An error of the model's provider: its whole body is the message, JSON inside JSON."""
    inner = {"error": {"code": status, "message": message, "status": name}}
    return task_error(status, "fail_to_fetch_task", json.dumps(inner, ensure_ascii=False))


def invalid_argument(message: str) -> Answer:
    """What the provider answers to a parameter that it does not take."""
    return upstream_error(400, "INVALID_ARGUMENT", message)


def wrong_key() -> Answer:
    """The one text for every fault of a token."""
    return gateway_error(401, "Invalid token")


def no_balance(status: int = 403) -> Answer:
    """Too little money: 403, and on this channel also a 429 that only its text tells from a rate limit."""
    if status == 403:  # noqa: PLR2004 -- the documented code
        return task_error(403, "insufficient_user_quota", "user quota is not enough")
    return task_error(status, "insufficient_user_quota", "Insufficient balance, please top up")


def too_many(retry_after: int = 0) -> Answer:
    """The rate limit; the gateway sends no `Retry-After` by itself."""
    answer = task_error(429, "fail_to_fetch_task", OVERLOADED)
    headers = (JSON_TYPE, ("Retry-After", str(retry_after))) if retry_after else (JSON_TYPE,)
    return Answer(status=429, body=answer.body, headers=headers, code=answer.code)


def no_channel(model: str) -> Answer:
    """No channel serves the model."""
    message = f"No available channel for model {model} under group default"
    return gateway_error(503, message, "model_not_found")


def retired() -> Answer:
    """The provider switched the model off."""
    return upstream_error(404, "NOT_FOUND", "This model is no longer available. Please use a newer model.")


def html_page(status: int) -> Answer:
    """What a proxy in front of the gateway answers when the gateway does not."""
    body = BAD_GATEWAY_PAGE.format(status=status).encode()
    return Answer(status=status, body=body, headers=(HTML_TYPE,), code="html")


def unknown_url(method: str, target: str) -> Answer:
    """An address that the gateway does not have."""
    error = {"message": f"Invalid URL ({method} {target})", "type": "invalid_request_error", "param": "", "code": ""}
    return document({"error": error}, 404, "invalid_url")


def redirect(status: int, address: str) -> Answer:
    """Go elsewhere; control characters cannot end the header early."""
    safe = "".join(letter for letter in address if letter.isprintable())
    return Answer(status=status, body=b"{}", headers=(JSON_TYPE, ("Location", safe)), code="redirect")


def labelled(answer: Answer, kind: str) -> Answer:
    """The same bytes under another Content-Type."""
    return Answer(status=answer.status, body=answer.body, headers=(("Content-Type", kind),), code=answer.code)
