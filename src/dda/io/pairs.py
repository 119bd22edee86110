"""Aligned pairs, read out of their shards one at a time, wherever these come from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL, SPLITS
from dda.io import photos, shards, tables, tars

SIDES = {"real": REAL, "fake": FAKE}
SHARD_NAME = re.compile(rf"({'|'.join(SPLITS)})-[0-9]{{5,9}}\.tar", re.ASCII)


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
        return np.asarray(self.picture(row, side))

    def picture(self, row: dict[str, Any], side: str) -> Image.Image:
        """One side, RGB, as Pillow's image."""
        n_pixels = row[f"{side}_width"] * row[f"{side}_height"]
        return photos.open_any(self.content(row, side), n_pixels)


def load(folder: Path, split: str) -> PairSet:
    """The good pairs of a split, in the order of their ids.

    Raises SetupError where there are none, and where the table and the shards are not what `align` makes: a set may
    come from anywhere.
    """
    chosen = [row for row in good(folder) if row["split"] == split]
    if not chosen:
        raise SetupError(f"no pairs of split {split!r} in {folder}: run `dvc repro align`")
    for shard in sorted({str(row["shard"]) for row in chosen}):
        wrong = misplaced(folder, shard, [row for row in chosen if row["shard"] == shard])
        if wrong:
            raise SetupError(f"{wrong[0]}: the set in {folder} is damaged, fetch or make it again")
    return PairSet(folder, chosen)


def misplaced(folder: Path, shard: str, rows: Iterable[dict[str, Any]]) -> list[str]:
    """What is wrong with where rows of the table say that their images lie in a shard, in words.

    Raises SetupError where the shard is not there or refused.
    """
    if not SHARD_NAME.fullmatch(shard):
        return [f"pairs.parquet names a shard {shard!a:.120}, which is no name such as train-00000.tar"]
    known = tars.places(folder / shard)
    return [
        f"pairs.parquet says that {row[f'{side}_name']!a:.120} lies at byte {row[f'{side}_offset']} of {shard} with "
        f"{row[f'{side}_size']} bytes, and it does not"
        for row in rows
        for side in SIDES
        if known.get(row[f"{side}_name"]) != (row[f"{side}_offset"], row[f"{side}_size"])
    ]


def good(folder: Path) -> list[dict[str, Any]]:
    """The rows of all pairs that did not fail, in the order of their ids."""
    return [row for row in tables.records(tables.read(folder / "pairs.parquet")) if row["error"] is None]


def digest(folder: Path) -> str:
    """A digest of all pairs of an aligned folder: their table names the sha256 of every image. 32 hex digits."""
    return photos.sha256((folder / "pairs.parquet").read_bytes())[:32]
