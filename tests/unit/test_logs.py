"""Log lines in both forms: one event one line, with everything in it that leads to more, and no secret."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from videogen_operator import logs
from videogen_operator.api.meta import Key
from videogen_operator.conditions import Reason
from videogen_operator.redaction import Secret

Form = Literal["json", "plain"]
FORMS: tuple[Form, ...] = ("json", "plain")
FACTS = {"object": "films/dawn", "attempt": "r1-a1", "task_id": "task_0001", "in_seconds": 3}
log = logging.getLogger("videogen_operator.somewhere")
LIBRARIES = ["httpx", "httpcore", "urllib3", "botocore", "boto3", "s3transfer", "kubernetes", "asyncio", "kopf"]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is the process's own: give it back to the other tests."""
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in (*LIBRARIES, "kopf._core.reactor.running"))]
    handlers, levels = root.handlers[:], [one.level for one in loggers]
    yield
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


class Output:
    """What the process wrote since the test began."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def lines(self) -> list[str]:
        return self._capsys.readouterr().err.splitlines()

    def line(self) -> str:
        """The line, when there must be one."""
        (line,) = self.lines()
        return line

    def fields(self) -> dict[str, Any]:
        """The line as JSON."""
        found: dict[str, Any] = json.loads(self.line())
        return found


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Output:
    return Output(capsys)


def fail() -> None:
    raise ValueError("no\nway")


# ---------------------------------------------------------------- JSON


def test_a_json_line_says_when_how_bad_where_what_and_about_what(output: Output) -> None:
    logs.configure("json", "info")
    log.warning("event %s", "TaskCreated", extra=FACTS)
    fields = output.fields()
    timestamp = fields.pop("timestamp")
    assert timestamp.endswith("Z")
    assert abs(datetime.fromisoformat(timestamp) - datetime.now(UTC)) < timedelta(minutes=1)
    assert fields == {"severity": "WARNING", "logger": log.name, "message": "event TaskCreated", **FACTS}


def test_an_exception_is_one_json_line(output: Output) -> None:
    logs.configure("json", "info")
    try:
        fail()
    except ValueError:
        log.exception("a turn failed", extra=FACTS)
    fields = output.fields()
    assert (fields["severity"], fields["message"], fields["object"]) == ("ERROR", "a turn failed", FACTS["object"])
    assert fields["exc_info"].startswith("Traceback")
    assert fields["exc_info"].endswith("ValueError: no\nway")


def test_a_value_in_json_is_what_a_person_would_write(output: Output) -> None:
    logs.configure("json", "info")
    log.info("now", extra={"reason": Reason.GENERATING, "object": Key("VideoGeneration", "films", "dawn")})
    fields = output.fields()
    assert (fields["reason"], fields["object"]) == ("Generating", "films/dawn")


# ---------------------------------------------------------------- plain


def test_a_plain_line_holds_the_same_facts(output: Output) -> None:
    logs.configure("plain", "info")
    log.warning("event %s", "TaskCreated", extra=FACTS)
    time, _, rest = output.line().partition(" ")
    datetime.strptime(time, "%H:%M:%S")  # noqa: DTZ007 - of the day, in whatever zone
    assert rest == "WARNING  event TaskCreated object=films/dawn attempt=r1-a1 task_id=task_0001 in_seconds=3"


def test_a_plain_line_without_fields_ends_with_its_message(output: Output) -> None:
    logs.configure("plain", "info")
    log.info("ready")
    assert output.line().endswith("INFO     ready")


def test_a_plain_value_with_spaces_is_quoted(output: Output) -> None:
    logs.configure("plain", "info")
    log.info("now", extra={"detail": "two words", "reason": "Held"})
    assert output.line().endswith("now detail='two words' reason=Held")


def test_a_plain_message_is_one_line_whatever_is_in_it(output: Output) -> None:
    logs.configure("plain", "info")
    log.info("a\nb")
    assert output.line().endswith("INFO     a\\nb")


def test_the_traceback_follows_a_plain_line(output: Output) -> None:
    logs.configure("plain", "info")
    try:
        fail()
    except ValueError:
        log.exception("a turn failed", extra=FACTS)
    first, second, *_ = output.lines()
    assert "a turn failed object=films/dawn" in first
    assert second.startswith("Traceback")


# ---------------------------------------------------------------- both


@pytest.mark.parametrize("form", FORMS)
def test_a_value_makes_no_second_line(output: Output, form: Form) -> None:
    """The detail may be a gateway's word."""
    logs.configure(form, "info")
    log.info("rejected", extra={"detail": "one\ntwo\r\x1b[2Jthree\u2028four"})
    assert len(output.lines()) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_hides_itself_as_value_and_in_the_message(output: Output, form: Form) -> None:
    logs.configure(form, "debug")
    secret = Secret("sk-canary")
    log.info("asked with %s", secret, extra={"key": secret, "keys": {"veo": [secret]}})
    line = output.line()
    assert "canary" not in line
    assert "Secret(***)" in line


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_client_libraries_say_only_what_is_wrong_even_at_debug(output: Output, library: str, form: Form) -> None:
    """Their lines of debug and info hold headers, addresses and bodies."""
    logs.configure(form, "debug")
    logging.getLogger(library).info("Authorization: Bearer canary")
    logging.getLogger(f"{library}.deep.inside").debug("Authorization: Bearer canary")
    assert output.lines() == []
    logging.getLogger(library).warning("wrong")
    assert "wrong" in output.line()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_below_the_level_is_not_said(output: Output, form: Form) -> None:
    logs.configure(form, "warning")
    log.info("now")
    assert output.lines() == []


@pytest.mark.parametrize("form", FORMS)
def test_an_event_is_said_once_however_often_it_was_configured(output: Output, form: Form) -> None:
    logs.configure("plain", "info")
    logs.configure(form, "info")
    log.info("now")
    assert len(output.lines()) == 1
