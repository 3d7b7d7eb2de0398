"""Log lines: JSON for machines, plain for people; one line a state change, with the fields of `extra` in it."""

import logging
from typing import Final, Literal

from pythonjsonlogger.json import JsonFormatter

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET: Final = ("httpx", "httpcore", "urllib3", "botocore", "boto3", "s3transfer", "kubernetes", "asyncio")


class PlainFormatter(logging.Formatter):
    """`time LEVEL message key=value ...`"""

    def format(self, record: logging.LogRecord) -> str:
        """The line; control characters in a value never make a second one."""
        fields = {k: v for k, v in vars(record).items() if k not in _STANDARD}
        text = " ".join(f"{key}={_one_line(value)}" for key, value in fields.items())
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<8} {record.getMessage()} {text}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _one_line(value: object) -> str:
    text = str(value)
    return repr(text) if " " in text or not text.isprintable() else text


def configure(form: Literal["json", "plain"], level: str) -> None:
    """One handler on the root. Client libraries stay at WARNING even at debug: their lines hold headers and bodies."""
    handler = logging.StreamHandler()
    if form == "json":
        names = {"levelname": "severity", "asctime": "timestamp", "name": "logger"}
        # Values as `str` shows them: by itself it writes out the fields of dataclasses, a Secret's too.
        handler.setFormatter(
            JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names, json_default=str)
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
