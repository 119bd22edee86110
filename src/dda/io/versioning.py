"""DVC, as the outside thing that versions what we were given."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from dda.core.errors import SetupError, did_you_mean

REMOTE = "dda"
ENCRYPTIONS = ("AES256", "aws:kms")


def track(folder: Path, linked: bool = False) -> None:
    """Let DVC know the folder as it is now; writes `<folder>.dvc`. Raises SetupError with DVC's own words.

    Files that are `linked` stay the links that they are: DVC would put copies of its own in their place.
    """
    command = [sys.executable, "-m", "dvc", "add", "--quiet", *(["--no-relink"] if linked else []), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"DVC could not take over {folder}: {done.stderr.strip()}")


def recorded_digest(folder: Path, lock: Path = Path("dvc.lock")) -> str | None:
    """The md5 under which DVC keeps a folder that a stage made (`<32 hex digits>.dir`); None where it does not."""
    import yaml

    if not lock.is_file():
        return None
    stages = (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {})
    made = [out for stage in stages.values() for out in stage.get("outs", [])]
    return next((str(out["md5"]) for out in made if Path(out["path"]) == folder and "md5" in out), None)


def commit() -> str | None:
    """The commit of the git checkout that is the current folder, `-dirty` where files differ; None without one."""
    program = shutil.which("git")
    if not program:
        return None
    try:
        said = [
            subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except subprocess.CalledProcessError:
        return None
    return said[0] + ("-dirty" if said[1] else "")


def use_remote() -> str | None:
    """Let this checkout use the remote of DDA_REMOTE, with DDA_ENCRYPTION and DDA_KMS_KEY; its name, None where unset.

    Written into .dvc/config.local, which git ignores, and only where it says something else. Endpoint and credentials
    stay in AWS's own variables. Raises SetupError for an address with a password in it, or an unknown encryption.
    """
    from dvc.config import Config

    wanted = _remote()
    if wanted is None:
        return None
    config = Config(".dvc", validate=False)
    told = config.load_one("local")
    if told["remote"].get(REMOTE) == wanted and "remote" in told["core"]:
        return REMOTE
    with config.edit("local") as written:
        written["remote"][REMOTE] = wanted
        written["core"].setdefault("remote", REMOTE)
    return REMOTE


def _remote() -> dict[str, str] | None:
    """DVC's words for what the environment says."""
    url, how, key = (os.environ.get(name, "") for name in ("DDA_REMOTE", "DDA_ENCRYPTION", "DDA_KMS_KEY"))
    if not url:
        return None
    if "@" in urlsplit(url).netloc:
        raise SetupError(
            "DDA_REMOTE holds a name or password: leave them out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if how and how not in ENCRYPTIONS:
        raise SetupError(f"DDA_ENCRYPTION {how!r} is no encryption of S3. {did_you_mean(how, ENCRYPTIONS)}")
    if key and how != "aws:kms":
        raise SetupError(
            f"DDA_KMS_KEY is set, but DDA_ENCRYPTION is {how or 'unset'}: set it to aws:kms, or unset the key"
        )
    return {"url": url} | ({"sse": how} if how else {}) | ({"sse_kms_key_id": key} if key else {})
