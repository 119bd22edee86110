"""Where a detector comes from: a folder."""

from pathlib import Path


def folder_of(model: str | Path) -> Path:
    """The folder of a detector, by whatever names it."""
    return Path(model)
