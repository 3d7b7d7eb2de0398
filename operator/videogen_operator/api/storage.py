"""Where videos and the ledger are kept."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from .fields import URL, SecretRef
from .meta import Model, Rule, cel

ACCESS_KEY_ID: Final = "accessKeyID"
SECRET_ACCESS_KEY: Final = "secretAccessKey"  # noqa: S105 - the name of an entry, no secret


class S3Credentials(Model):
    """Keys for the store."""

    secret_ref: SecretRef
    """A Secret in the operator's namespace with the entries accessKeyID and secretAccessKey."""


class S3(Model):
    """An S3-compatible bucket. The store must have atomic conditional writes (If-None-Match): AWS S3, R2, SeaweedFS
    from 4.17 and others do. It is tested before anything is bought.
    """

    model_config = ConfigDict(
        json_schema_extra=cel(
            Rule(
                rule=(
                    "self.bucket == oldSelf.bucket && self.endpoint == oldSelf.endpoint"
                    " && self.prefix == oldSelf.prefix"
                ),
                message=(
                    "bucket, endpoint and prefix cannot change: the ledger of paid work lies there; "
                    "make a new class for another place"
                ),
                reason="FieldValueForbidden",
            ),
        )
    )

    bucket: Annotated[str, Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$")]
    """The bucket. It must exist; the operator needs to list it and to get and put objects below `prefix`. It cannot
    change."""
    region: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")] = "us-east-1"
    """The region that requests are signed for. Many other stores take us-east-1 or auto."""
    endpoint: Annotated[str, Field(max_length=256, pattern=rf"^({URL})?$")] = ""
    """The address of a store that is not AWS, such as https://s3.example.net. Empty: AWS. It cannot change."""
    prefix: Annotated[str, Field(max_length=256, pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*$")] = ""
    """What all keys begin with: empty, or ending with "/". One prefix is one ledger: clusters that share it share
    what they paid for, so keep rehearsal and production apart. It cannot change."""
    public_base_url: Annotated[str, Field(max_length=256, pattern=rf"^{URL}$")] | None = None
    """Where readers find the bucket's root (below which come prefix and key), such as https://media.example.net.
    Left out: status.output.url is the object's address at the store."""
    path_style: bool = False
    """true puts the bucket's name into the path instead of the host name, as many stores other than AWS need."""
    credentials: S3Credentials | None = None
    """Keys for the store. Left out: the operator's own identity (IRSA, Pod Identity, the usual AWS sources), which is
    the better way where there is one."""


class Storage(Model):
    """Where videos and the ledger of what was paid for are kept."""

    type: Literal["S3"] = "S3"
    """The kind of store. There is one."""
    s3: S3
