"""Aligned pairs, read out of their shards one at a time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.io import photos, shards, tables

SIDES = {"real": REAL, "fake": FAKE}


@dataclass(frozen=True)
class PairSet:
    """The pairs of one split of one aligned folder (`artifacts/aligned/<vae>`)."""

    folder: Path
    rows: list[dict[str, Any]]

    def content(self, row: dict[str, Any], side: str) -> bytes:
        """The stored file of one side, `real` or `fake`."""
        return shards.read_at(self.folder / row["shard"], row[f"{side}_offset"], row[f"{side}_size"])

    def pixels(self, row: dict[str, Any], side: str) -> NDArray[np.uint8]:
        """One side's RGB pixels, uint8 (H, W, 3)."""
        n_pixels = row[f"{side}_width"] * row[f"{side}_height"]
        return photos.decode_any(self.content(row, side), n_pixels)


def load(folder: Path, split: str) -> PairSet:
    """The good pairs of a split, in the order of their ids. Raises SetupError where there are none."""
    chosen = [row for row in good(folder) if row["split"] == split]
    if not chosen:
        raise SetupError(f"no pairs of split {split!r} in {folder}: run `dvc repro align`")
    return PairSet(folder, chosen)


def good(folder: Path) -> list[dict[str, Any]]:
    """The rows of all pairs that did not fail, in the order of their ids."""
    return [row for row in tables.records(tables.read(folder / "pairs.parquet")) if row["error"] is None]


def digest(folder: Path) -> str:
    """A digest of all pairs of an aligned folder: their table names the sha256 of every image. 32 hex digits."""
    return photos.sha256((folder / "pairs.parquet").read_bytes())[:32]
