"""Log lines: JSON for machines, plain for people; one line a state change, with the fields of `extra` in it."""

import logging
from datetime import UTC, datetime
from typing import Final, Literal

from pythonjsonlogger.json import JsonFormatter

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET: Final = ("httpx", "httpcore", "urllib3", "botocore", "boto3", "s3transfer", "kubernetes", "asyncio")


class PlainFormatter(logging.Formatter):
    """`time LEVEL message key=value ...`"""

    def format(self, record: logging.LogRecord) -> str:
        """The line; control characters never make a second one."""
        fields = {k: v for k, v in vars(record).items() if k not in _STANDARD}
        text = " ".join(f"{key}={_one_line(value)}" for key, value in fields.items())
        said = f"{_printable(record.getMessage())} {text}"
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<8} {said}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]


def _one_line(value: object) -> str:
    text = str(value)
    return repr(text) if " " in text or not text.isprintable() else text


class _JsonLines(JsonFormatter):
    """One object a line; its time is UTC, as RFC 3339 writes it."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002 - its name
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def configure(form: Literal["json", "plain"], level: str) -> None:
    """One handler on the root. Client libraries stay at WARNING even at debug: their lines hold headers and bodies."""
    handler = logging.StreamHandler()
    if form == "json":
        names = {"levelname": "severity", "asctime": "timestamp", "name": "logger"}
        # Values as `str` shows them: by itself it writes out the fields of dataclasses, a Secret's too.
        handler.setFormatter(
            _JsonLines("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names, json_default=str)
        )
    else:
        handler.setFormatter(PlainFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("kopf").setLevel(max(logging.WARNING, root.level))
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)  # warns that signals are ours; they are
