"""Aligned sets of a test's own, on tiles of the embedded photographs, with files and columns as `align` writes them."""

import contextlib
import hashlib
import json
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from dda import params as parameters
from dda.core.labels import SPLITS
from dda.io import atomic, pairs, shards, tables
from dda.params.sections import Paths

ROOT = Path(__file__).parents[1]
SIDE = {"name": "str", "offset": "Int64", "size": "Int64", "sha256": "str", "format": "str", "width": "Int64"}
SIDE |= {"height": "Int64"}
COLUMNS = {"image_id": "str", "group": "str", "split": "str", "shard": "str", "real_weight": "Float64"}
COLUMNS |= {"jpeg_matched": "boolean", **{f"{side}_{key}": kind for side in pairs.SIDES for key, kind in SIDE.items()}}
COLUMNS |= {"error": "str"}


def png(content, side_px, shift):
    """A photo as a larger PNG that hardly shrinks, so that shards have megabytes."""
    with Image.open(BytesIO(content)) as image:
        pixels = np.asarray(image.convert("RGB").resize((side_px, side_px)), np.int16)
    noise = np.random.default_rng(shift).integers(-20, 20, pixels.shape)
    buffer = BytesIO()
    Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def jpeg(content, label):
    """The photo's own file, or a fake for it."""
    if not label:
        return content
    with Image.open(BytesIO(content)) as image:
        image.save(buffer := BytesIO(), "JPEG", quality=60)
    return buffer.getvalue()


def write_set(folder: Path, tiles: dict[str, bytes], side_px: int = 64, pairs_per_shard: int = 4) -> Path:
    """A set with a shard of each split and a failed pair; images are PNG of so many pixels, a shard's last are JPEG."""
    rows, sources = [], sorted(tiles.items())
    for number, split in enumerate(SPLITS):
        mine = sources[number * pairs_per_shard : (number + 1) * pairs_per_shard]
        rows += write_shard(folder / f"{split}-00000.tar", split, mine, side_px)
    rows.append({"image_id": "broken-1", "group": "broken", "split": "test", "shard": "test-00000.tar", "error": "no"})
    tables.write(folder / "pairs.parquet", sorted(rows, key=lambda row: row["image_id"]), COLUMNS)
    return folder


def write_shard(path, split, sources, side_px):
    members, rows = [], []
    for seed, (name, content) in enumerate(sources):
        image_id = f"{Path(name).stem}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"
        row = {"image_id": image_id, "group": image_id, "split": split, "shard": path.name}
        row |= {"real_weight": 0.0, "jpeg_matched": False}
        for label, side in enumerate(pairs.SIDES):
            is_jpeg = seed == len(sources) - 1
            image = jpeg(content, label) if is_jpeg else png(content, side_px, 2 * seed + label)
            row |= {f"{side}_name": f"{image_id}.{side}.{'jpg' if is_jpeg else 'png'}"}
            row |= {f"{side}_format": "JPEG" if is_jpeg else "PNG"}
            row |= {f"{side}_sha256": hashlib.sha256(image).hexdigest()}
            row |= {f"{side}_width": side_px, f"{side}_height": side_px}
            members.append((row[f"{side}_name"], image))
        members.append((f"{image_id}.json", json.dumps({"image_id": image_id, "vae": "tiny"}).encode()))
        rows.append(row)
    places = shards.write_shard(path, members)
    for row in rows:
        for side in pairs.SIDES:
            row[f"{side}_offset"], row[f"{side}_size"] = places[row[f"{side}_name"]]
    return rows


def write_audited(folder: Path, tiles: dict[str, bytes], side_px: int = 64) -> Paths:
    """Write an audited set `tiny` where a project in this folder has it; the project's paths, seen from there."""
    paths = parameters.load(ROOT / "params.yaml").paths
    with contextlib.chdir(folder):
        write_set(paths.aligned / "tiny", tiles, side_px)
        stamp(paths)
    return paths


def stamp(paths: Paths, name: str = "tiny", **changes) -> None:
    """The stamp of an audit that this very set has passed."""
    told = {"vae": name, "digest": pairs.digest(paths.aligned / name), "passed": True, "pairs": 13}
    atomic.write_json(
        paths.audits / f"{name}.json", {**told, "expectations": [{"name": "x", "success": True}], **changes}
    )
