"""DVC, as the outside thing that versions what we were given."""

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
