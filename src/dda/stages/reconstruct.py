"""index x one VAE -> reconstructions: shards of lossless PNG, and a manifest.    dda reconstruct tiny"""

import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from dda import catalog
from dda.core import reconstruction
from dda.core.errors import SetupError
from dda.core.reconstruction import psnr, reconstruct
from dda.core.splits import shard_of
from dda.io import atomic, devices, photos, shards, tables, vaes
from dda.io.progress import tracked
from dda.params import Params

COLUMNS = {
    "image_id": "str",
    "shard": "str",
    "offset": "Int64",
    "size": "Int64",
    "width": "Int64",
    "height": "Int64",
    "psnr": "Float64",
    "seconds": "Float64",
    "error": "str",
}
Rows = list[dict[str, Any]]


def run(params: Params, vae: str) -> None:
    """Reconstruct every used photo once; shards that are finished under the same fingerprint are kept."""
    row = catalog.get("vaes", vae)
    folder = params.paths.reconstructions / vae
    atomic.remove_leftovers(folder)
    index = tables.records(tables.read(params.paths.index))
    used = [photo for photo in index if photo["error"] is None]
    worker = ShardWorker(params, row, folder)
    plan = worker.plan(used)
    remove_others(folder, plan)
    rows = [
        line for number in tracked(sorted(plan), f"reconstruct {vae}") for line in worker.shard(number, plan[number])
    ]
    failed = [line for line in rows if line["error"]]
    if len(failed) > params.reconstruct.max_failed * len(rows):
        raise SetupError(f"{len(failed)} of {len(rows)} photos failed, the first: {failed[0]}")
    tables.write(
        folder / "manifest.parquet",
        sorted(rows, key=lambda line: line["image_id"]),
        COLUMNS,
    )
    good = [line["psnr"] for line in rows if not line["error"]]
    mean_db = np.mean(good) if good else float("nan")
    print(f"{vae}: {len(rows)} photos = {len(good)} reconstructed (mean {mean_db:.2f} dB) + {len(failed)} failed")


def remove_others(folder: Path, plan: dict[int, Rows]) -> None:
    """Delete shards of an earlier plan: DVC keeps this folder between runs, so that a killed run can go on."""
    wanted = {shard_path(folder, number) for number in plan}
    for shard in folder.glob("shard-*.tar"):
        if shard not in wanted:
            shard.unlink()
            shards.fingerprint_path(shard).unlink(missing_ok=True)


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"shard-{number:05d}.tar"


class ShardWorker:
    """Makes shards with one VAE, which is loaded when the first shard needs it."""

    def __init__(self, params: Params, row: dict[str, Any], folder: Path) -> None:
        self.params, self.row, self.folder = params, row, folder
        code = shards.code_digest(reconstruction, photos)
        self.origin = [row, vaes.identity(row), params.reconstruct.batch_pixels, code]
        self.vae: Any = None

    def plan(self, used: Rows) -> dict[int, Rows]:
        """The photos of each shard, by shard number."""
        number = {photo["image_id"]: shard_of(photo["image_id"], self.params.reconstruct.shards) for photo in used}
        ordered = sorted(used, key=lambda photo: (number[photo["image_id"]], photo["image_id"]))
        return {n: list(members) for n, members in groupby(ordered, lambda photo: number[photo["image_id"]])}

    def shard(self, number: int, members: Rows) -> Rows:
        """The manifest rows of one shard, made now or kept from before."""
        path = shard_path(self.folder, number)
        content = [(photo["image_id"], photo["sha256"]) for photo in members]
        expected = shards.fingerprint(self.origin, content)
        kept = shards.finished_rows(path, expected)
        if kept is not None:
            return kept
        shards.fingerprint_path(path).unlink(missing_ok=True)
        rows = {
            photo["image_id"]: {
                "image_id": photo["image_id"],
                "shard": path.name,
                "error": None,
            }
            for photo in members
        }
        pictures = dict(self.pictures(members, rows))
        places = shards.write_shard(path, ((f"{name}.png", pictures[name]) for name in sorted(pictures)))
        for name, (offset, size) in places.items():
            rows[name.removesuffix(".png")] |= {"offset": offset, "size": size}
        finished = list(rows.values())
        shards.finish(path, expected, finished)
        return finished

    def pictures(self, members: Rows, rows: dict[str, dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
        """(image id, PNG bytes) of every photo that went well; the others get their reason into `rows`."""
        by_size = sorted(
            members,
            key=lambda photo: (photo["height"], photo["width"], photo["image_id"]),
        )
        for (height, width), same in groupby(by_size, lambda photo: (photo["height"], photo["width"])):
            waiting = list(same)
            portion = max(1, self.params.reconstruct.batch_pixels // (height * width))
            for start in range(0, len(waiting), portion):
                yield from self.batch(waiting[start : start + portion], rows)

    def batch(self, members: Rows, rows: dict[str, dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
        """One batch of photos of one size through the VAE."""
        decoded = {}
        for photo in members:
            try:
                decoded[photo["image_id"]] = self.decode(photo)
            except photos.PhotoRejected as rejection:
                rows[photo["image_id"]]["error"] = str(rejection)
        if not decoded:
            return
        started = time.monotonic()
        try:
            fakes = reconstruct(self.loaded_vae(), np.stack(list(decoded.values())), self.row["stride"])
        except FloatingPointError as error:
            for image_id in decoded:
                rows[image_id]["error"] = str(error)
            return
        seconds = (time.monotonic() - started) / len(decoded)
        for (image_id, real), fake in zip(decoded.items(), fakes, strict=True):
            facts = {
                "width": fake.shape[1],
                "height": fake.shape[0],
                "psnr": psnr(real, fake),
                "seconds": seconds,
            }
            rows[image_id] |= facts
            yield image_id, photos.encode_png(fake)

    def decode(self, photo: dict[str, Any]) -> Any:
        """A photo's RGB pixels, if it is still the file that was indexed."""
        content = photos.read_bytes(self.params.paths.photos / photo["path"])
        if photos.sha256(content) != photo["sha256"]:
            raise photos.PhotoRejected("changed since it was indexed")
        return photos.as_rgb(photos.decode(content, photo["width"] * photo["height"]).pixels)

    def loaded_vae(self) -> Any:
        """The VAE, on the best device of this machine."""
        if self.vae is None:
            self.vae = vaes.load(self.row, devices.best())
        return self.vae
