"""How S3 is to encrypt what we write: DDA_ENCRYPTION and DDA_KMS_KEY."""

import os

from dda.core.errors import SetupError, did_you_mean

KINDS = ("AES256", "aws:kms")


def settings() -> dict[str, str]:
    """How the store is to encrypt what we write, as boto3 is told; nothing: as its bucket says.

    DDA_ENCRYPTION is the kind, DDA_KMS_KEY the key of a kind that takes one.
    Raises SetupError for a kind that S3 does not know, and for a key that no kind would use.
    """
    kind, key = os.environ.get("DDA_ENCRYPTION", ""), os.environ.get("DDA_KMS_KEY", "")
    if kind and kind not in KINDS:
        raise SetupError(f"DDA_ENCRYPTION is {kind!r}, which S3 does not know. {did_you_mean(kind, KINDS)}")
    if key and kind != "aws:kms":
        raise SetupError(
            "DDA_KMS_KEY names a key that nothing would use: set DDA_ENCRYPTION to aws:kms, or unset the key"
        )
    told = {"ServerSideEncryption": kind, "SSEKMSKeyId": key}
    return {name: value for name, value in told.items() if value}
