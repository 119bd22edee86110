"""The align stage against what codecs alone cost, in one run.    python bench/align.py --photos FOLDER

The floor: for each pair, decode the real's JPEG and the reconstruction's PNG, and encode the result with the real's
tables; the same number of threads, nothing else. The stage does that and aligns, checks digests, reads facts, writes
shards and the table. Reconstructions are made here by a light blur: what made them costs a codec nothing. The pairs of
2N and 4N are copies of those of N.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import inputs
import yaml
from measure import measured
from PIL import Image, ImageFilter

from dda import params, quiet

ROOT = Path(__file__).parents[1]
VAE = "tiny"
PROFILES = {"recommended": ROOT / "params.yaml", "paper": ROOT / "profiles/paper.yaml"}


def main() -> None:
    """Measure, and print what was measured."""
    options = parsed()
    with tempfile.TemporaryDirectory() as name:
        photos = inputs.photos_of(options.photos, options.n, Path(name))
        print(f"{len(photos)} photos, {inputs.described(photos)}; {inputs.machine()}", flush=True)
        for label, times in {"N": 1, "2N": 2, "4N": 4}.items():
            folder = Path(name) / label
            task = {"folder": str(folder), "photos": inputs.repeated(photos, times * len(photos))}
            measured(__file__, "prepare", task)
            for steps in options.steps:
                tell(f"{steps}, {label:>2}", task | {"steps": steps})


def tell(label: str, task: dict[str, Any]) -> None:
    """The stage between two measurements of the floor, since a machine's speed drifts; each in a process of its own."""
    before, run, after = (measured(__file__, kind, task) for kind in ("floor", "stage", "floor"))
    floor_s, stage_s = (before["seconds"] + after["seconds"]) / 2, run["seconds"]
    count = len(task["photos"])
    told = f"floor {before['seconds']:.2f} s and {after['seconds']:.2f} s, stage {stage_s:.2f} s"
    rate = f"{stage_s / floor_s:.2f} times the floor, {count / stage_s:.0f} pairs a second"
    print(f"{label} = {count} pairs: {told}: {rate}, {run['peak_bytes'] / 2**30:.2f} GiB at most", flush=True)


def parsed() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", default="embedded", help="a folder, or embedded")
    parser.add_argument("--n", type=int, default=200, help="pairs of the first of three sizes of the set")
    parser.add_argument(
        "--steps",
        nargs="+",
        choices=PROFILES,
        default=["recommended"],
        help="whose align section (the paper's stores PNG)",
    )
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        kind, task = options.work
        {"prepare": prepare, "floor": timed_floor, "stage": timed_stage}[kind](json.loads(Path(task).read_text()))
        sys.exit()
    return options


def prepare(task: dict[str, Any]) -> None:
    """Photos, their index, and a shard of reconstructions with its manifest."""
    import numpy as np

    from dda.io import photos, shards, tables
    from dda.stages import index, reconstruct

    folder = Path(task["folder"])
    (folder / "data/photos").mkdir(parents=True)
    for number, path in enumerate(task["photos"]):
        shutil.copyfile(path, folder / f"data/photos/{number:06d}{Path(path).suffix.lower()}")
    os.chdir(folder)
    chosen = loaded("recommended")
    found = list(photos.find(chosen.paths.photos))
    rows = [index.index_file(path, chosen.paths.photos, chosen.index) | {"split": "train"} for path in found]
    tables.write(chosen.paths.index, rows, index.COLUMNS)
    made: list[dict[str, Any]] = []

    def blurred() -> Any:
        for row in rows:
            image = Image.open(chosen.paths.photos / row["path"]).convert("RGB")
            pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(0.7)))
            size = {"width": image.width, "height": image.height}
            made.append({"image_id": row["image_id"], "shard": "shard-00000.tar", **size})
            yield f"{row['image_id']}.png", photos.encode_png(pixels)

    target = chosen.paths.reconstructions / VAE
    places = shards.write_shard(target / "shard-00000.tar", blurred())
    for row in made:
        row["offset"], row["size"] = places[f"{row['image_id']}.png"]
    tables.write(target / "manifest.parquet", made, reconstruct.COLUMNS)
    print(json.dumps({}))


def loaded(steps: str) -> params.Params:
    """The parameters of the project with another align section."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    values["align"] = yaml.safe_load(PROFILES[steps].read_text("utf-8"))["align"] | {"shards_per_split": 1}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    return params.load(Path("params.yaml"))


def timed_stage(task: dict[str, Any]) -> None:
    """The stage; prints its time without imports."""
    from dda.stages import align

    timed(task, partial(align.run, vae=VAE))


def timed_floor(task: dict[str, Any]) -> None:
    """The codecs; prints their time without imports."""
    timed(task, floor)


def timed(task: dict[str, Any], work: Callable[[params.Params], object]) -> None:
    """Work in the task's folder; prints its time."""
    os.chdir(task["folder"])
    chosen = loaded(task["steps"])
    import_module("cv2")  # imports take their time once, and belong to no pair
    import_module("dda.stages.align")
    started = time.monotonic()
    work(chosen)
    print(json.dumps({"seconds": time.monotonic() - started}))


def floor(chosen: params.Params) -> None:
    """Decode both images and encode the result, for every pair."""
    from dda.io import devices
    from dda.stages import align as stage

    sources = stage.joined(chosen, VAE)
    with ThreadPoolExecutor(devices.cores()) as pool:
        for _ in pool.map(partial(code, chosen), sources):
            pass


def code(chosen: params.Params, source: dict[str, Any]) -> int:
    """The codecs' work for one pair; bytes of the result."""
    from dda.core.jpeg import encode_jpeg
    from dda.io import photos
    from dda.stages import align as stage

    content = (chosen.paths.photos / source["path"]).read_bytes()
    photo = photos.decode(content, source["width"] * source["height"])
    fake = stage.reconstruction_of(chosen, VAE, source)
    assert photo.jpeg is not None
    return len(encode_jpeg(fake if photo.pixels.ndim == 3 else fake[:, :, 0], photo.jpeg))


if __name__ == "__main__":
    quiet.apply()
    main()
