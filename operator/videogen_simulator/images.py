"""The one image that a request may carry: a file part or Base64, never a remote address."""

import base64
import binascii

from .answers import Refused, invalid_argument, task_error
from .bodies import Fields, Json

FILE_FIELDS = ("input_reference", "image", "images", "images[]")
JSON_FIELDS = ("input_reference", "image", "images")
REMOTE = ("http://", "https://")


def first_image(request: Fields) -> tuple[bytes | None, int]:
    """The first image and how many more were sent, which the channel drops.

    Raises `Refused` for a remote address and for bytes that are no JPEG, PNG or WebP.
    """
    found = [content for name, content in request.files if name in FILE_FIELDS]
    for name in FILE_FIELDS if request.encoding != "json" else JSON_FIELDS:
        found += [decoded(text) for text in texts(request.values.get(name))]
    if not found:
        return None, 0
    if not is_picture(found[0]):
        raise Refused(invalid_argument("The image must be a JPEG, PNG or WebP."))
    return found[0], len(found) - 1


def texts(value: Json) -> list[str]:
    """The texts of a field that is one text or a list of them; anything else is of the wrong type."""
    if value is None or value == "":
        return []
    entries = value if isinstance(value, list) else [value]
    found = [entry for entry in entries if isinstance(entry, str)]
    if len(found) != len(entries):
        raise Refused(task_error(400, "invalid_request", "an image is a file part or a Base64 string"))
    return found


def decoded(text: str) -> bytes:
    """The bytes of a Base64 text, with or without the head of a data URL."""
    if text.strip().lower().startswith(REMOTE):
        raise Refused(task_error(400, "invalid_request", "remote image URLs are not supported"))
    _, comma, tail = text.partition(",")
    try:
        return base64.b64decode(tail if comma else text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(task_error(400, "invalid_request", "the image is not valid Base64")) from None


def is_picture(content: bytes) -> bool:
    """By the first bytes, as the gateway guesses."""
    webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    return webp or content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
