"""What DVC has recorded: its lock, what is out of date, and whether one of its stages is what runs now."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError

LOCK = Path("dvc.lock")


def current_stage() -> str | None:
    """The stage that runs this process: DVC tells its commands so; None outside of one."""
    return os.environ.get("DVC_STAGE") or None


def lock() -> dict[str, Any]:
    """dvc.lock; empty where there is none."""
    return yaml_of(LOCK)


def yaml_of(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; empty where there is none."""
    import yaml

    return (yaml.safe_load(path.read_text("utf-8")) or {}) if path.is_file() else {}


def out_of_date() -> set[str]:
    """Stages, and .dvc files, whose outputs are not what their inputs make now; by one call of `dvc status`.

    Raises SetupError with DVC's own words.
    """
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"DVC does not say what is up to date: {done.stderr.strip()}")
    told: dict[str, Any] = json.loads(done.stdout or "{}")
    return set(told)
