"""DVC, as the outside thing that versions what we were given."""

import shutil
import subprocess
import sys
from pathlib import Path

from dda.core.errors import SetupError


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
