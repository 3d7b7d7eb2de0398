"""JSON patch as kube-apiserver applies it to the status of a custom resource."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

_MISSING = object()


class PatchError(Exception):
    """The patch does not apply: the API server answers 422."""


def applied(document: Mapping[str, Any], operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A copy of `document` after all operations; raises `PatchError` if one of them fails."""
    result: dict[str, Any] = copy.deepcopy(dict(document))
    for operation in operations:
        _apply(result, operation)
    return result


def _apply(document: dict[str, Any], operation: Mapping[str, Any]) -> None:
    *parents, last = [p.replace("~1", "/").replace("~0", "~") for p in operation["path"].split("/")[1:]]
    owner: object = document
    for part in parents:
        owner = _get(owner, part)
        if owner is _MISSING:
            raise PatchError(f"no {part} on the way to {operation['path']}")
    value = copy.deepcopy(operation.get("value"))
    match operation["op"]:
        case "test":
            found = _get(owner, last)
            if (None if found is _MISSING else found) != value:  # missing equals null where the parent exists
                raise PatchError(f"test of {operation['path']} failed")
        case "add":
            _add(owner, last, value)
        case "replace":
            _set(owner, last, value)
        case "remove":
            _remove(owner, last)
        case other:
            raise PatchError(f"unknown operation {other}")


def _get(owner: object, part: str) -> object:
    if isinstance(owner, dict):
        return owner.get(part, _MISSING)
    if isinstance(owner, list) and part.isdigit() and int(part) < len(owner):
        return owner[int(part)]
    return _MISSING


def _set(owner: object, part: str, value: object) -> None:
    if isinstance(owner, dict):
        owner[part] = value  # as kube-apiserver does, also where nothing was
    elif isinstance(owner, list) and _get(owner, part) is not _MISSING:
        owner[int(part)] = value
    else:
        raise PatchError(f"no {part}")


def _remove(owner: object, part: str) -> None:
    if _get(owner, part) is _MISSING:
        raise PatchError(f"no {part}")
    if isinstance(owner, dict):
        del owner[part]
    elif isinstance(owner, list):
        del owner[int(part)]


def _add(owner: object, part: str, value: object) -> None:
    if isinstance(owner, dict):
        owner[part] = value
    elif isinstance(owner, list) and part == "-":
        owner.append(value)
    elif isinstance(owner, list) and part.isdigit() and int(part) <= len(owner):
        owner.insert(int(part), value)
    else:
        raise PatchError(f"cannot add {part}")
