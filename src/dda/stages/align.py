"""reconstructions -> aligned pairs: WebDataset shards per split, and a table of what was done.    dda align tiny"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from dda import catalog
from dda.core.alignment import Recipe, align_fake, draw_recipe
from dda.core.errors import SetupError
from dda.core.jpeg import jpeg_facts
from dda.core.labels import SPLITS
from dda.core.reconstruction import centre
from dda.core.seeds import generator
from dda.core.splits import shard_of
from dda.io import photos, shards, tables
from dda.io.progress import tracked
from dda.params import Params

SIDE_COLUMNS = {
    "name": "str",
    "offset": "Int64",
    "size": "Int64",
    "sha256": "str",
    "format": "str",
    "width": "Int64",
    "height": "Int64",
    "channels": "Int64",
    "jpeg_quality": "Int64",
    "jpeg_tables": "str",
    "subsampling": "str",
}
COLUMNS = {
    "image_id": "str",
    "group": "str",
    "split": "str",
    "shard": "str",
    "real_weight": "Float64",
    "jpeg_matched": "boolean",
    **{f"real_{name}": kind for name, kind in SIDE_COLUMNS.items()},
    **{f"fake_{name}": kind for name, kind in SIDE_COLUMNS.items()},
    "error": "str",
}
Row = dict[str, Any]


def run(params: Params, vae: str) -> None:
    """Align every reconstruction of one VAE with its real, and store both side by side."""
    catalog.get("vaes", vae)
    folder = params.paths.aligned / vae
    sources = joined(params, vae)
    rows: list[Row] = []
    for (split, number), members in tracked(list(plan(sources, params.align.shards_per_split).items()), f"align {vae}"):
        rows += write_pairs(params, folder / f"{split}-{number:05d}.tar", vae, members)
    failed = [row for row in rows if row["error"]]
    if len(failed) > params.align.max_failed * len(rows):
        raise SetupError(
            f"{len(failed)} of {len(rows)} pairs failed, the first: {failed[0]['image_id']}: {failed[0]['error']}"
        )
    tables.write(folder / "pairs.parquet", sorted(rows, key=lambda row: row["image_id"]), COLUMNS)
    print(f"{vae}: {len(rows)} reconstructions = {len(rows) - len(failed)} pairs + {len(failed)} failed")


def joined(params: Params, vae: str) -> list[Row]:
    """What is known of each reconstructed photo: its row of the index and, as `fake`, its row of the manifest."""
    index = {row["image_id"]: row for row in tables.records(tables.read(params.paths.index))}
    manifest = tables.records(tables.read(params.paths.reconstructions / vae / "manifest.parquet"))
    return [index[row["image_id"]] | {"fake": row} for row in manifest if row["error"] is None]


def plan(sources: list[Row], shards_per_split: int) -> dict[tuple[str, int], list[Row]]:
    """The photos of each shard, by split and shard number, in the order of their ids."""
    planned: dict[tuple[str, int], list[Row]] = {}
    for split in SPLITS:
        for source in sorted(sources, key=lambda row: str(row["image_id"])):
            if source["split"] == split:
                number = shard_of(source["image_id"], shards_per_split)
                planned.setdefault((split, number), []).append(source)
    return planned


def write_pairs(params: Params, path: Path, vae: str, members: list[Row]) -> list[Row]:
    """One shard, and the rows of its pairs; a pair that fails is a row with its reason."""
    rows: dict[str, Row] = {}

    def content() -> Iterator[tuple[str, bytes]]:
        for source in members:
            row: Row = {key: source[key] for key in ("image_id", "group", "split")} | {
                "shard": path.name,
                "error": None,
            }
            rows[source["image_id"]] = row
            try:
                yield from pair_members(params, vae, source, row)
            except (photos.PhotoRejected, ValueError, OSError) as error:
                row["error"] = str(error)

    places = shards.write_shard(path, content())
    for row in rows.values():
        for side in ("real", "fake"):
            if row["error"] is None:
                row[f"{side}_offset"], row[f"{side}_size"] = places[row[f"{side}_name"]]
    return list(rows.values())


def pair_members(params: Params, vae: str, source: Row, row: Row) -> list[tuple[str, bytes]]:
    """The three members of one pair; what was done goes into `row`."""
    image_id = source["image_id"]
    real = photos.read_indexed(params.paths.photos / source["path"], source["sha256"])
    photo = photos.decode(real, source["width"] * source["height"])
    recipe = recipe_of(params, source)
    fake = reconstruction_of(params, vae, source)
    window = centre(photo.pixels, *fake.shape[:2])
    pixels, jpeg = align_fake(window, fake, recipe, photo.jpeg)
    if window.shape == photo.pixels.shape:
        untouched = photo.converted is None and photo.format in (*photos.JPEG_FORMATS, "PNG")
        sides = {"real": real if untouched else photos.encode_png(window), "fake": jpeg or photos.encode_png(pixels)}
    else:  # `fit: crop` (paper): the real cannot stay the file that it was, so both become PNG, the fake of its JPEG
        left = photos.decode(jpeg, window.size).pixels if jpeg else pixels
        sides = {"real": photos.encode_png(window), "fake": photos.encode_png(left)}
    row |= {"real_weight": recipe.real_weight, "jpeg_matched": bool(jpeg)}
    members = []
    for side, content in sides.items():
        facts = stored_facts(content)
        name = f"{image_id}.{side}.{'jpg' if facts['format'] == 'JPEG' else 'png'}"
        row |= {f"{side}_{key}": value for key, value in {"name": name, **facts}.items()}
        members.append((name, content))
    done = {
        "image_id": image_id,
        "vae": vae,
        "label": {"real": 0, "fake": 1},
        **asdict(recipe),
        "jpeg_matched": bool(jpeg),
    }
    return [*members, (f"{image_id}.json", (json.dumps(done) + "\n").encode())]


def recipe_of(params: Params, source: Row) -> Recipe:
    """What is drawn for a photo: from the seed and its id alone, by the settings of its split."""
    settings = params.align.train if source["split"] == "train" else params.align.held_out
    rng = generator(params.align.seed, "align", source["image_id"])
    return draw_recipe(
        rng,
        settings.mix_probability,
        settings.max_real_weight,
        settings.jpeg_probability,
    )


def reconstruction_of(params: Params, vae: str, source: Row) -> Any:
    """The reconstruction's RGB pixels, out of its shard."""
    place = source["fake"]
    shard = params.paths.reconstructions / vae / place["shard"]
    content = shards.read_at(shard, place["offset"], place["size"])
    return photos.decode(content, place["width"] * place["height"]).pixels


def stored_facts(content: bytes) -> Row:
    """Facts of a stored image, read from its bytes as anybody would: the audit compares them between the classes."""
    with Image.open(BytesIO(content), formats=photos.OPENED_FORMATS) as image:
        is_jpeg = image.format in photos.JPEG_FORMATS
        facts: Row = {
            "sha256": photos.sha256(content),
            "format": "JPEG" if is_jpeg else image.format,
        }
        facts |= {
            "width": image.width,
            "height": image.height,
            "channels": len(image.getbands()),
        }
        if is_jpeg:
            jpeg = jpeg_facts(image)
            facts |= {
                "jpeg_quality": jpeg.quality,
                "jpeg_tables": jpeg.tables_digest,
                "subsampling": jpeg.subsampling,
            }
        return facts
