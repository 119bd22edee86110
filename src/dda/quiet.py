"""Settings that keep libraries from calling anybody: taken from quiet.env, unless the environment says otherwise."""

import os
from pathlib import Path

FILE = Path(__file__).with_name("quiet.env")


def apply() -> None:
    """Set what is not set yet. To be called before any heavy import."""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, value = line.split("=", 1)
            os.environ.setdefault(name, value)
