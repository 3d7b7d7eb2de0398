"""Request bodies as sets of fields: JSON, multipart forms and url-encoded forms.

Hostile bytes end in `Refused`, never in another exception.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from .answers import Refused, task_error

Json = object  # what json.loads gives; narrowed where it is used


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What a body says. Form values are text; files are kept apart, in the order sent."""

    encoding: str  # json | multipart | form
    values: Mapping[str, Json]
    files: tuple[tuple[str, bytes], ...] = field(default=())


def fields(content_type: str, body: bytes) -> Fields:
    """The fields of a body. Raises `Refused` with the gateway's 400 for what cannot be read."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return multipart(boundary(content_type), body)
    if kind == "application/x-www-form-urlencoded":
        return urlencoded(body)
    return json_object(body)


def json_object(body: bytes) -> Fields:
    """A JSON object; `NaN` and its like are refused, as Go's decoder does."""
    try:
        content = json.loads(body.decode("utf-8"), parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(task_error(400, "invalid_json", f"invalid JSON: {reason(error)}")) from None
    if not isinstance(content, dict):
        text = f"json: cannot unmarshal {go_kind(content)} into Go value of type map[string]interface {{}}"
        raise Refused(task_error(400, "invalid_json", text))
    return Fields(encoding="json", values=content)


def no_constant(name: str) -> None:
    """Refuse the numbers that JSON does not have."""
    raise ValueError(f"invalid character {name[0]!r}")


def reason(error: Exception) -> str:
    """Why the text is no JSON, without quoting it."""
    return error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__


def go_kind(value: Json) -> str:
    """How Go's decoder calls the kind of a JSON value in its errors."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    names: dict[type, str] = {str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def urlencoded(body: bytes) -> Fields:
    """A plain form without files."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise Refused(task_error(400, "invalid_request", f"invalid form: {reason(error)}")) from None
    return Fields(encoding="form", values=dict(pairs))


def boundary(content_type: str) -> bytes:
    """The boundary of a multipart body."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "boundary" and value.strip('" '):
            return value.strip('" ').encode("latin-1", "replace")
    raise Refused(task_error(400, "invalid_multipart_form", "no multipart boundary param in Content-Type"))


def multipart(mark: bytes, body: bytes) -> Fields:
    """The parts of a multipart form (RFC 7578), with or without a file among them."""
    sections = (b"\r\n" + body).split(b"\r\n--" + mark)
    if len(sections) < 2 or not sections[-1].startswith(b"--"):  # noqa: PLR2004 -- preamble and one part
        raise Refused(task_error(400, "invalid_multipart_form", "multipart: NextPart: EOF"))
    values: dict[str, Json] = {}
    files: list[tuple[str, bytes]] = []
    for section in sections[1:-1]:
        name, is_file, content = part(section)
        if is_file:
            files.append((name, content))
        else:
            values[name] = content.decode("utf-8", "replace")
    return Fields(encoding="multipart", values=values, files=tuple(files))


def part(section: bytes) -> tuple[str, bool, bytes]:
    """Name, whether it is a file, and bytes of one part."""
    head, found, content = section.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
    parameters = disposition(head.decode("utf-8", "replace"))
    if not found or "name" not in parameters:
        raise Refused(task_error(400, "invalid_multipart_form", "multipart: a part without a name"))
    return parameters["name"], "filename" in parameters, content


def disposition(head: str) -> dict[str, str]:
    """The parameters of a part's Content-Disposition."""
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            pairs = (piece.strip().partition("=") for piece in value.split(";")[1:])
            return {key.strip().lower(): text.strip().strip('"') for key, _, text in pairs}
    return {}
