"""The plain address of an object: what botocore would ask, without a signature."""

import ipaddress
from typing import Final
from urllib.parse import quote, urlsplit

_SAFE: Final = "/-_.~"


def object_url(endpoint: str, bucket: str, key: str, *, path_style: bool) -> str:
    """`https://bucket.host/key`, or `https://host/bucket/key` where the bucket cannot be a part of the host's name.

    That is so for path style, for an address that is a number, and for a bucket with dots below HTTPS, whose
    name no wildcard certificate covers.
    """
    parts = urlsplit(endpoint)
    base = parts.path.rstrip("/")
    in_path = path_style or _is_number(parts.hostname or "") or (parts.scheme == "https" and "." in bucket)
    if in_path:
        return f"{parts.scheme}://{parts.netloc}{base}/{bucket}/{quote(key, safe=_SAFE)}"
    return f"{parts.scheme}://{bucket}.{parts.netloc}{base}/{quote(key, safe=_SAFE)}"


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
