"""reconstructions -> aligned pairs: WebDataset shards per split, and a table of what was done.    dda align tiny"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dda import catalog
from dda.core.alignment import MATCH_JPEG, Recipe, align_fake, draw_recipe
from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL, SPLITS
from dda.core.reconstruction import centre
from dda.core.splits import shard_of
from dda.io import devices, facts, photos, progress, shards, tables, threads
from dda.params import Params
from dda.params.sections import Align

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
    "progressive": "boolean",
}
# what was done: `steps` says all of it, in order, as JSON; the columns below say the same for tables and queries
DONE_COLUMNS = {
    "steps": "str",
    "real_weight": "Float64",
    "band_real_weight": "Float64",
    "first_band": "Int64",
    "last_band": "Int64",
    "frequency_real_weight": "Float64",
    "cutoff": "Float64",
    "bands_equalised": "boolean",
    "clipped_copied": "boolean",
    "jpeg_matched": "str",
}
COLUMNS = {
    "image_id": "str",
    "variant": "Int64",
    "group": "str",
    "split": "str",
    "shard": "str",
    **DONE_COLUMNS,
    **{f"real_{name}": kind for name, kind in SIDE_COLUMNS.items()},
    **{f"fake_{name}": kind for name, kind in SIDE_COLUMNS.items()},
    "error": "str",
}
AHEAD = 8  # pairs under way or waiting to be written, for each thread
Row = dict[str, Any]
Made = tuple[list[Row], list[tuple[str, bytes]]]
"""The rows of one photo's pairs, and their members of a shard."""


def run(params: Params, vae: str) -> None:
    """Align every reconstruction of one VAE with its real, and store both side by side."""
    catalog.get("vaes", vae)
    devices.keep_memory()
    folder = params.paths.aligned / vae
    sources = joined(params, vae)
    rows: list[Row] = []
    with progress.shown(f"align {vae}", len(sources), "photos") as advance, ThreadPoolExecutor(devices.cores()) as pool:
        for (split, number), members in plan(sources, params.align.shards_per_split).items():
            made = threads.ahead(pool, partial(make_pairs, params, vae), members, AHEAD * devices.cores())
            rows += write_pairs(folder / f"{split}-{number:05d}.tar", made, advance)
    failed = [row for row in rows if row["error"]]
    if len(failed) > params.align.max_failed * len(rows):
        raise SetupError(
            f"{len(failed)} of {len(rows)} pairs failed, the first: {failed[0]['image_id']}: {failed[0]['error']}"
        )
    tables.write(folder / "pairs.parquet", sorted(rows, key=lambda row: (row["image_id"], row["variant"])), COLUMNS)
    n_good = len(rows) - len(failed)
    print(f"{vae}: {len(sources)} reconstructions, {len(rows)} pairs = {n_good} good + {len(failed)} failed")


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


def write_pairs(path: Path, made: Iterator[Made], advance: progress.Advance) -> list[Row]:
    """One shard, and the rows of its pairs, which now know where their images lie."""
    rows: list[Row] = []

    def content() -> Iterator[tuple[str, bytes]]:
        for pairs, members in made:
            rows.extend(pairs)
            yield from members
            advance(1)

    places = shards.write_shard(path, content())
    for row in rows:
        row["shard"] = path.name
        for side in ("real", "fake"):
            if row["error"] is None:
                row[f"{side}_offset"], row[f"{side}_size"] = places[row[f"{side}_name"]]
    return rows


def make_pairs(params: Params, vae: str, source: Row) -> Made:
    """The pairs of one photo; where one fails, none has members, and each is a row with the reason."""
    settings = settings_of(params.align, source)
    names = {key: source[key] for key in ("image_id", "group", "split")}
    rows: list[Row] = [{**names, "variant": variant, "error": None} for variant in range(settings.variants)]
    try:
        return rows, pair_members(params, vae, source, rows)
    except (photos.PhotoRejected, ValueError, OSError) as error:
        return [{**names, "variant": row["variant"], "error": str(error)} for row in rows], []


def settings_of(align: Align, source: Row) -> Any:
    """The settings of a photo's split."""
    return align.train if source["split"] == "train" else align.held_out


def pair_members(params: Params, vae: str, source: Row, rows: list[Row]) -> list[tuple[str, bytes]]:
    """The real, its fakes and a text about them; what is true of each pair goes into its row."""
    image_id = source["image_id"]
    content = photos.read_indexed(params.paths.photos / source["path"], source["sha256"])
    photo = photos.decode(content, source["width"] * source["height"])
    reconstruction = reconstruction_of(params, vae, source)
    window = centre(photo.pixels, *reconstruction.shape[:2])
    whole = window.shape == photo.pixels.shape
    untouched = whole and photo.converted is None and photo.format in (*photos.JPEG_FORMATS, "PNG")
    if untouched:
        real = named(image_id, "real", source["sha256"], facts.of_photo(photo))
    else:
        content = photos.encode_png(window)
        real = described(image_id, "real", content)
    members = [(real["name"], content)]
    for row in rows:
        recipe = draw_recipe(steps_of(params.align, source), params.align.seed, image_id, str(row["variant"]))
        pixels, jpeg = align_fake(window, reconstruction, recipe, photo.jpeg)
        if jpeg and not whole:  # `fit: crop` (paper): the real cannot stay the file that it was, so both become PNG
            pixels, jpeg = np.asarray(Image.open(BytesIO(jpeg))), b""
        stored = jpeg or photos.encode_png(pixels)
        fake = described(image_id, f"fake{row['variant'] or ''}", stored)
        row.update({f"real_{key}": value for key, value in real.items()})
        row.update({f"fake_{key}": value for key, value in fake.items()} | done(recipe, photo.jpeg is not None))
        members.append((fake["name"], stored))
    told = {"image_id": image_id, "vae": vae, "label": {"real": REAL, "fake": FAKE}}
    told |= {"fakes": {row["fake_name"]: json.loads(row["steps"]) for row in rows}}
    return [*members, (f"{image_id}.json", (json.dumps(told) + "\n").encode())]


def described(image_id: str, word: str, content: bytes) -> Row:
    """What is true of a stored image, with its name in the shard."""
    return named(image_id, word, photos.sha256(content), facts.stored(content))


def named(image_id: str, word: str, sha256: str, stored: Row) -> Row:
    """Facts of a stored image with its name in the shard, and its digest."""
    end = "jpg" if stored["format"] == "JPEG" else "png"
    return {"name": f"{image_id}.{word}.{end}", "sha256": sha256, **stored}


def steps_of(align: Align, source: Row) -> Sequence[dict[str, Any]]:
    """The steps of a photo's split, as plain values."""
    return [step.model_dump() for step in settings_of(align, source).steps]


def done(recipe: Recipe, is_jpeg: bool) -> Row:
    """What was done to a fake, for its row. A compression that the real does not have was not done."""
    taken = {step.name: step.settings for step in recipe if is_jpeg or step.name != MATCH_JPEG}
    pixels, blocks, frequencies = (taken.get(name, {}) for name in ("mix_pixels", "mix_bands", "mix_frequencies"))
    first, last = blocks.get("bands", (None, None))
    return {
        "steps": json.dumps([{"step": name, **settings} for name, settings in taken.items()]),
        "real_weight": pixels.get("real_weight", 0.0),
        "band_real_weight": blocks.get("real_weight", 0.0),
        "first_band": first,
        "last_band": last,
        "frequency_real_weight": frequencies.get("real_weight", 0.0),
        "cutoff": frequencies.get("cutoff"),
        "bands_equalised": "equalise_bands" in taken,
        "clipped_copied": "copy_clipped" in taken,
        "jpeg_matched": taken.get(MATCH_JPEG, {}).get("by"),
    }


def reconstruction_of(params: Params, vae: str, source: Row) -> Any:
    """The reconstruction's RGB pixels, out of its shard."""
    place = source["fake"]
    shard = params.paths.reconstructions / vae / place["shard"]
    content = shards.read_at(shard, place["offset"], place["size"])
    return photos.decode(content, place["width"] * place["height"]).pixels
