"""DVC's remote, from the environment: DDA_REMOTE, and how S3 is to encrypt what is written there (io.encryption)."""

import os
from urllib.parse import urlsplit

from dda.core.errors import SetupError
from dda.io import encryption

NAME = "dda"
WORDS = {"ServerSideEncryption": "sse", "SSEKMSKeyId": "sse_kms_key_id"}
"""DVC's words for boto3's."""


def use() -> str | None:
    """Let this checkout use the remote of DDA_REMOTE; its name, None where that is unset.

    Written into .dvc/config.local, which git ignores, and only where it says something else. Endpoint and credentials
    stay in AWS's own variables. Raises SetupError for an address with a password in it, or an unknown encryption.
    """
    from dvc.config import Config

    url = os.environ.get("DDA_REMOTE")
    if not url:
        return None
    if "@" in urlsplit(url).netloc:
        raise SetupError(
            "DDA_REMOTE holds a name or password: leave them out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    wanted = {"url": url} | {WORDS[name]: value for name, value in encryption.settings().items()}
    config = Config(".dvc", validate=False)
    told = config.load_one("local")
    if told["remote"].get(NAME) == wanted and "remote" in told["core"]:
        return NAME
    with config.edit("local") as written:
        written["remote"][NAME] = wanted
        written["core"].setdefault("remote", NAME)
    return NAME
