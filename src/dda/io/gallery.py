"""Held-out pairs to look at: real, reconstruction, aligned fake, difference, and what a detector says of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dda.io import pairs, photos, plots, shards, tables


def shown(aligned: Path, reconstructions: Path, logits: Mapping[str, float], n_pairs: int, gain: float) -> list[Any]:
    """Pairs of a VAE's folders, evenly chosen by id; `logits` by image_id, `gain` that of the difference."""
    pair_set = pairs.load(aligned, "test")
    manifest = tables.read(reconstructions / "manifest.parquet").set_index("image_id")
    step = max(1, len(pair_set.rows) // n_pairs)
    found = []
    for row in pair_set.rows[::step][:n_pairs]:
        place = manifest.loc[row["image_id"]]
        shard = reconstructions / str(place["shard"])
        real, fake = (pair_set.pixels(row, side) for side in pairs.SIDES)
        found.append(
            {
                "image_id": row["image_id"],
                "psnr": float(place["psnr"]),
                "real": pair_set.content(row, "real"),
                "reconstruction": shards.read_at(shard, int(place["offset"]), int(place["size"])),
                "aligned": pair_set.content(row, "fake"),
                "difference": photos.encode_png(plots.difference(real, fake, gain)),
                **{f"{side}_logit": float(logits[row[f"{side}_name"]]) for side in pairs.SIDES},
            }
        )
    return found
