"""index x one VAE -> reconstructions: shards of lossless PNG, and a manifest.    dda reconstruct tiny"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from dda import catalog
from dda.core import precision, reconstruction, seeds
from dda.core.errors import SetupError
from dda.core.reconstruction import RoundTrip, cut, fit_to_stride, psnr
from dda.core.splits import shard_of
from dda.io import atomic, devices, executors, photos, progress, reconstructor, shards, tables, threads, vaes
from dda.io.reconstructor import NOT_FINITE, Facts, Model, Sample
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
PIXEL_FACTS = ("class", "stride", "latent_channels", "time_axis")
MANIFEST = "manifest.parquet"
BATCHES_AHEAD = 2
MAX_WAITING_PIXELS = 100_000_000  # for encoding
Row = dict[str, Any]
Rows = list[Row]
Member = tuple[int, Rows]
Executors = Callable[[], executors.Executor]


@dataclass(frozen=True)
class Job:
    """What a worker needs to make shards of one set."""

    folder: Path
    photos: Path
    model: Model
    trip: RoundTrip
    batch_pixels: int
    origin: str


def run(params: Params, vae: str) -> None:
    """Reconstruct every used photo once; shards that are finished under the same fingerprint are kept."""
    rebuild(params, vae, catalog.get("vaes", vae))


def rebuild(params: Params, name: str, row: Mapping[str, Any]) -> None:
    """`run` for a VAE by its row."""
    folder = params.paths.reconstructions / name
    plan = planned(params)
    started = time.monotonic()
    with atomic.tidy(folder), ExitStack() as block:
        executor = cache(lambda: block.enter_context(begun(params, row)))  # only for work: it loads torch, or a cluster
        job = job_of(params, row, folder, executor)
        finished = {number: kept_rows(job, number, members) for number, members in plan.items()}
        todo = [(number, plan[number]) for number, rows in finished.items() if rows is None]
        (folder / MANIFEST).unlink(missing_ok=True)  # it would name places in shards that are not the same any more
        shards.remove_others(folder, plan)
        total = sum(len(members) for _, members in todo)
        with progress.shown(f"reconstruct {name}", total, "photos") as advance:
            finished.update(executor().map(partial(make_shard, job), todo, advance) if todo else [])
    rows = sorted((line for made in finished.values() for line in made or []), key=lambda line: line["image_id"])
    tables.write(folder / MANIFEST, rows, COLUMNS)
    summarise(name, rows, total, time.monotonic() - started, job.model.precision)
    failed = [line for line in rows if line["error"]]
    if len(failed) > params.reconstruct.max_failed * len(rows):
        raise SetupError(f"{len(failed)} of {len(rows)} photos failed, the first: {failed[0]}")


def begun(params: Params, row: Mapping[str, Any]) -> AbstractContextManager[executors.Executor]:
    """Workers; the VAE is on this machine before any of them asks for it, so that it is downloaded once."""
    vaes.fetch(row)
    return executors.start(params.reconstruct.executor, params.reconstruct.cpus_per_worker)


def planned(params: Params) -> dict[int, Rows]:
    """The used photos of each shard by its number, the largest first, so that no worker ends long after others."""
    index = tables.read(params.paths.index)
    used = tables.records(index[index["error"].isna()][["image_id", "path", "sha256", "width", "height"]])
    plan: dict[int, Rows] = {}
    for photo in sorted(used, key=lambda photo: str(photo["image_id"])):
        plan.setdefault(shard_of(photo["image_id"], params.reconstruct.shards), []).append(photo)
    return dict(sorted(plan.items(), key=lambda shard: (-len(shard[1]), shard[0])))


def job_of(params: Params, row: Mapping[str, Any], folder: Path, executor: Executors) -> Job:
    """What workers need to know; the precision is chosen here, once for a set."""
    trip = RoundTrip(
        stride=row["stride"],
        latent_channels=row["latent_channels"],
        time_axis=row.get("time_axis", False),
        fit=params.reconstruct.fit,
        posterior=params.reconstruct.posterior,
        seed=params.reconstruct.seed,
        **params.reconstruct.tiles.model_dump(),
    )
    pixel_facts = {key: row.get(key) for key in PIXEL_FACTS}
    made_by = [pixel_facts, vaes.identity(row), asdict(trip), shards.code_digest(*code())]
    facts: Facts = tuple(sorted(row.items()))
    chosen: str = params.reconstruct.precision
    if chosen == "auto":
        chosen = fastest_precision(folder / "precision.json", shards.fingerprint(made_by), facts, trip, executor)
    model = Model(facts, chosen, params.reconstruct.compile)
    origin = shards.fingerprint(made_by, chosen, model.compile, params.reconstruct.batch_pixels)
    return Job(folder, params.paths.photos, model, trip, params.reconstruct.batch_pixels, origin)


def code() -> tuple[Any, ...]:
    """Whatever decides the bytes of a shard: modules, and functions of modules that do other things besides."""
    here = (make_shard, batches, open_batch, encode, pictures)
    return reconstruction, precision, seeds, reconstructor, photos, shards.write_shard, vaes.load, devices.take, *here


def fastest_precision(path: Path, key: str, facts: Facts, trip: RoundTrip, executor: Executors) -> str:
    """The precision that a set was begun with, else the fastest exact enough of a worker's device, written down."""
    known = atomic.read_json(path)
    if known.get("key") == key and known.get("precision") in vaes.PRECISIONS:
        return str(known["precision"])
    found = next(executor().map(measure_precision, [(facts, trip)], str))
    atomic.write_json(path, {"key": key, **found})
    return str(found["precision"])


def measure_precision(item: tuple[Facts, RoundTrip], _report: executors.Report) -> dict[str, Any]:
    """Task: the fastest precision of this worker's device that is exact enough."""
    return reconstructor.fastest(*item)


def kept_rows(job: Job, number: int, members: Rows) -> Rows | None:
    """The manifest rows of a shard that is finished; None also where a photo that failed may do better now."""
    rows = shards.finished_rows(shards.path_of(job.folder, number), shard_fingerprint(job, members))
    failed = {row["image_id"]: row["error"] for row in rows or [] if row["error"]}
    tried = (open_batch(job, [photo])[0] for photo in members if photo["image_id"] in failed)
    return rows if all(failed[sample.image_id] in (sample.error, NOT_FINITE) for sample in tried) else None


def shard_fingerprint(job: Job, members: Rows) -> str:
    """A digest of everything that makes a shard."""
    return shards.fingerprint(job.origin, [(photo["image_id"], photo["sha256"]) for photo in members])


def make_shard(job: Job, item: Member, report: executors.Report) -> tuple[int, Rows]:
    """Task: make one shard. Decoding and encoding go on in threads beside the VAE, and memory holds a few batches."""
    number, members = item
    path = shards.path_of(job.folder, number)
    shards.fingerprint_path(path).unlink(missing_ok=True)
    rows = {photo["image_id"]: {"image_id": photo["image_id"], "shard": path.name, "error": None} for photo in members}
    work = reconstructor.ready(job.model, job.trip, job.batch_pixels)
    largest = max(photo["height"] * photo["width"] for photo in members)
    waiting = max(2, min(4 * devices.threads(), MAX_WAITING_PIXELS // largest))
    with ThreadPoolExecutor(devices.threads()) as pool:
        opened = threads.ahead(pool, partial(open_batch, job), batches(job, members), BATCHES_AHEAD)
        encoded = threads.ahead(pool, encode, work.stream(opened), waiting)
        places = shards.write_shard(path, pictures(encoded, rows, report))
    for name, (offset, size) in places.items():
        rows[name.removesuffix(".png")] |= {"offset": offset, "size": size}
    devices.release_memory()
    finished = list(rows.values())
    shards.finish(path, shard_fingerprint(job, members), finished)
    return number, finished


def batches(job: Job, members: Rows) -> Iterator[Rows]:
    """Photos that pass through the VAE at one size, in portions of at most `batch_pixels`.

    The largest come first: those after them find room in the memory that they leave.
    """

    def key(photo: Row) -> tuple[int, int, int]:
        height, width = job.trip.fitted(photo["height"], photo["width"])
        return -height * width, height, width

    for (pixels, *_), same in groupby(sorted(members, key=lambda photo: (key(photo), photo["image_id"])), key):
        waiting = list(same)
        portion = max(1, job.batch_pixels // max(1, -pixels))
        yield from (waiting[start : start + portion] for start in range(0, len(waiting), portion))


def open_batch(job: Job, members: Rows) -> list[Sample]:
    """The photos of a batch, read and fitted; one that is not what was indexed has its reason."""
    samples = []
    for photo in members:
        try:
            content = photos.read_indexed(job.photos / photo["path"], photo["sha256"])
            pixels = photos.as_rgb(photos.decode(content, photo["width"] * photo["height"]).pixels)
            if 0 in job.trip.fitted(*pixels.shape[:2]):
                raise photos.PhotoRejected(f"a side below {job.trip.stride} px: nothing is left to crop to")
            samples.append(Sample(photo["image_id"], pixels, fit_to_stride(pixels, job.trip)))
        except photos.PhotoRejected as rejection:
            samples.append(Sample(photo["image_id"], error=str(rejection)))
    return samples


def encode(sample: Sample) -> tuple[Row, bytes]:
    """A sample's facts for the manifest, and its fake as PNG, cut back to the size that it has."""
    if sample.error or sample.fake is None or sample.photo is None:
        return {"image_id": sample.image_id, "error": sample.error}, b""
    fake, photo = cut(sample.fake, sample.photo)
    facts = {"width": fake.shape[1], "height": fake.shape[0], "psnr": psnr(photo, fake), "seconds": sample.seconds}
    return {"image_id": sample.image_id, **facts}, photos.encode_png(fake)


def pictures(
    encoded: Iterator[tuple[Row, bytes]], rows: dict[str, Row], report: executors.Report
) -> Iterator[tuple[str, bytes]]:
    """The members of a shard, as they come; what is known of each goes into `rows`."""
    for facts, content in encoded:
        rows[facts["image_id"]] |= facts
        report(1)
        if content:
            yield f"{facts['image_id']}.png", content


def summarise(name: str, rows: Rows, n_made: int, seconds: float, chosen: str) -> None:
    """Print what became of every photo, how many a second, and why others failed."""
    good = [line["psnr"] for line in rows if not line["error"]]
    reasons = Counter(str(line["error"]) for line in rows if line["error"])
    mean_db = np.mean(good) if good else float("nan")
    n_failed, n_kept = len(rows) - len(good), len(rows) - n_made
    print(f"{name}: {len(rows)} photos = {len(good)} reconstructed (mean {mean_db:.2f} dB) + {n_failed} failed")
    print(f"{name}: {n_made} made now in {chosen}, {n_made / seconds:.2f} a second, and {n_kept} kept from before")
    for reason, count in reasons.most_common():
        print(f"{name}: {count} failed: {reason}")
