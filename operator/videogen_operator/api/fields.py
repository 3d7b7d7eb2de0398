"""Strings that several parts of a class hold: addresses, names and references to Secrets."""

from typing import Annotated, Final

from pydantic import Field

from .meta import Model

_HOST: Final = r"https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?"
URL: Final = rf"{_HOST}(/[A-Za-z0-9._~-]+)*"

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
TierName = Annotated[str, Field(max_length=32, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
AspectRatio = Annotated[str, Field(max_length=5, pattern=r"^[0-9]{1,2}:[0-9]{1,2}$")]
Seconds = Annotated[int, Field(ge=1, le=600)]
Pixels = Annotated[str, Field(max_length=11, pattern=r"^[1-9][0-9]{1,4}x[1-9][0-9]{1,4}$")]


class SecretKeyRef(Model):
    """One entry of a Secret in the operator's own namespace."""

    name: SecretName
    """The Secret."""
    key: Annotated[str, Field(min_length=1, max_length=253)] = "token"
    """The entry in it."""


class SecretRef(Model):
    """A Secret in the operator's own namespace."""

    name: SecretName
    """The Secret."""
