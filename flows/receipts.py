"""Receipts: that a step outside DVC, such as publishing, was done for exactly these files and this address.

They save a night's work where nothing changed. Whoever deletes them loses nothing: every step may be done twice.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from dda.io import atomic

FOLDER = Path("artifacts/flows")


def key(files: Sequence[Path], *words: str | None) -> str:
    """A digest of the files' bytes (a file that is not there counts as such) and of further words."""
    found = [hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None for path in files]
    return hashlib.sha256(json.dumps([found, words]).encode()).hexdigest()


def holds(step: str, of: str) -> bool:
    """Whether the step was last done for this key."""
    path = FOLDER / f"{step}.json"
    return path.is_file() and atomic.read_json(path).get("key") == of


def write(step: str, of: str) -> None:
    """The step is done for this key."""
    atomic.write_json(FOLDER / f"{step}.json", {"key": of})
