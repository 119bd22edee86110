"""prompts x one generator -> images: JPEG files, and a manifest.    dda generate flux1-schnell"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dda import catalog
from dda.core import jpeg, seeds
from dda.core.errors import SetupError
from dda.core.splits import shard_of
from dda.io import atomic, devices, executors, generators, photos, pipelines, progress, prompts, shards, tables
from dda.params import Params

COLUMNS = {
    "image_id": "str",
    "prompt": "str",
    "seed": "Int64",
    "file": "str",
    "bytes": "Int64",
    "sha256": "str",
    "width": "Int64",
    "height": "Int64",
    "seconds": "Float64",
    "error": "str",
}
PIXEL_FACTS = ("class", "steps", "guidance", "size", "options", "precision", "variant")
MANIFEST = "manifest.parquet"
Row = dict[str, Any]
Rows = list[Row]
Prompts = list[tuple[int, str]]
Member = tuple[int, Prompts]


@dataclass(frozen=True)
class Job:
    """What a worker needs to make shards of one set."""

    folder: Path
    facts: tuple[tuple[str, Any], ...]
    images_per_prompt: int
    seed: int
    jpeg_quality: int
    offload: bool
    origin: str


def run(params: Params, generator: str) -> None:
    """Make every image of every prompt once; those that are finished under the same fingerprint are kept."""
    rebuild(params, generator, catalog.get("generators", generator))


def rebuild(params: Params, name: str, row: Mapping[str, Any]) -> None:
    """`run` for a generator by its row."""
    plan = planned(params)
    pipelines.fetch(row)  # before any worker asks for it, so that it is downloaded once
    folder = params.paths.generated / name
    job = job_of(params, row, folder)
    started = time.monotonic()
    with atomic.tidy(folder):
        finished = {number: kept_rows(job, number, members) for number, members in plan.items()}
        todo = [(number, plan[number]) for number, rows in finished.items() if rows is None]
        (folder / MANIFEST).unlink(missing_ok=True)  # it would name images that are not the same any more
        remove_others(job, plan)
        finished.update(make(params, name, job, todo))
    rows = sorted((line for made in finished.values() for line in made or []), key=lambda line: order(line["image_id"]))
    tables.write(folder / MANIFEST, rows, COLUMNS)
    n_made = job.images_per_prompt * sum(len(members) for _, members in todo)
    summarise(name, rows, n_made, time.monotonic() - started)
    failed = [line for line in rows if line["error"]]
    if len(failed) > params.generate.max_failed * len(rows):
        told = f"{failed[0]['image_id']} ({failed[0]['prompt']!r:.80}): {failed[0]['error']}"
        raise SetupError(f"{len(failed)} of {len(rows)} images failed, the first: {told}")


def planned(params: Params) -> dict[int, Prompts]:
    """The prompts of each shard with their numbers, the largest shard first, so that no worker ends long after others.

    Raises SetupError where there is no file of prompts, or it holds none.
    """
    plan: dict[int, Prompts] = {}
    for number, prompt in enumerate(prompts.read(params.generate.prompts)):
        plan.setdefault(shard_of(f"{number:05d}", params.generate.shards), []).append((number, prompt))
    return dict(sorted(plan.items(), key=lambda shard: (-len(shard[1]), shard[0])))


def job_of(params: Params, row: Mapping[str, Any], folder: Path) -> Job:
    """What workers need to know."""
    made_by = [{key: row.get(key) for key in PIXEL_FACTS}, pipelines.identity(row), shards.code_digest(*code())]
    numbers = params.generate.images_per_prompt, params.generate.seed, params.generate.jpeg_quality
    origin = shards.fingerprint(made_by, numbers)
    return Job(folder, generators.facts_of(row), *numbers, params.generate.offload, origin)


def code() -> tuple[Any, ...]:
    """Whatever decides the bytes of an image: modules, and functions of modules that do other things besides."""
    return generators, seeds, jpeg, devices.take, make_shard, make_image, image_id_of, seed_of


def make(params: Params, name: str, job: Job, todo: list[Member]) -> Iterable[tuple[int, Rows]]:
    """Make these shards, wherever the parameters say."""
    total = job.images_per_prompt * sum(len(members) for _, members in todo)
    if not todo:
        return []
    with (
        executors.start(params.generate.executor, params.generate.cpus_per_worker) as executor,
        progress.shown(f"generate {name}", total, "images") as advance,
    ):
        return list(executor.map(partial(make_shard, job), todo, advance))


def record_path(folder: Path, number: int) -> Path:
    """The small file that holds a shard's fingerprint and rows; written last, so it means finished."""
    return folder / f"shard-{number:05d}.json"


def shard_fingerprint(job: Job, members: Prompts) -> str:
    """A digest of everything that makes a shard."""
    return shards.fingerprint(job.origin, members)


def kept_rows(job: Job, number: int, members: Prompts) -> Rows | None:
    """The manifest rows of a finished shard whose images are there; None also where one that failed may do better."""
    written = atomic.read_json(record_path(job.folder, number))
    if written.get("fingerprint") != shard_fingerprint(job, members):
        return None
    rows: Rows = written["rows"]
    return rows if all(is_kept(job.folder, row) for row in rows) else None


def is_kept(folder: Path, row: Row) -> bool:
    """Whether there is nothing to do again about an image."""
    if row["error"]:
        return bool(row["error"] == generators.NOT_FINITE)
    path = folder / row["file"]
    return path.is_file() and bool(path.stat().st_size == row["bytes"])


def remove_others(job: Job, plan: Mapping[int, Prompts]) -> None:
    """Delete images and records of an earlier plan: DVC keeps this folder, so that a killed run can go on."""
    numbers = (number for members in plan.values() for number, _ in members)
    images = {f"{image_id_of(number, i)}.jpg" for number in numbers for i in range(job.images_per_prompt)}
    records = {record_path(job.folder, number).name for number in plan}
    for path in [*job.folder.glob("*.jpg"), *job.folder.glob("shard-*.json")]:
        if path.name not in images | records:
            path.unlink()


def make_shard(job: Job, item: Member, report: executors.Report) -> tuple[int, Rows]:
    """Task: make the images of one shard, one at a time: a batch would change the last bits of all in it."""
    number, members = item
    record = record_path(job.folder, number)
    record.unlink(missing_ok=True)
    generator = generators.loaded(job.facts, job.offload)
    rows = []
    for prompt_number, prompt in members:
        for image_number in range(job.images_per_prompt):
            rows.append(make_image(job, generator, (prompt_number, prompt), image_number))
            report(1)
    atomic.write_json(record, {"fingerprint": shard_fingerprint(job, members), "rows": rows})
    return number, rows


def make_image(job: Job, generator: generators.Generator, member: tuple[int, str], image_number: int) -> Row:
    """One image, written as a file, and its row; where it fails, there is no file, and the row has the reason."""
    prompt_number, prompt = member
    image_id = image_id_of(prompt_number, image_number)
    path = job.folder / f"{image_id}.jpg"
    seed = seed_of(job.seed, prompt_number, image_number)
    row: Row = {"image_id": image_id, "prompt": prompt, "seed": seed, "error": None}
    started = time.monotonic()
    try:
        pixels = generator.generate(prompt, seed)
    except generators.GenerationFailed as failure:
        path.unlink(missing_ok=True)
        return row | {"error": str(failure)}
    content = jpeg.encode_jpeg(pixels, jpeg.ijg_facts(job.jpeg_quality, greyscale=False))
    with atomic.whole(path) as temporary:
        temporary.write_bytes(content)
    row |= {"file": path.name, "bytes": len(content), "sha256": photos.sha256(content)}
    return row | {"height": pixels.shape[0], "width": pixels.shape[1], "seconds": time.monotonic() - started}


def image_id_of(prompt_number: int, image_number: int) -> str:
    """An image's name without ending: EvalGEN's, whose images of one prompt end in _0 to _19."""
    return f"{prompt_number:05d}_{image_number}"


def order(image_id: str) -> tuple[int, ...]:
    """Prompt and image number, to sort by."""
    return tuple(int(part) for part in image_id.split("_"))


def seed_of(seed: int, prompt_number: int, image_number: int) -> int:
    """An image's own seed, 63 bits: it depends on nothing but these three numbers."""
    names = "generate", str(prompt_number), str(image_number)
    return int(seeds.generator(seed, *names).integers(2**63 - 1))


def summarise(name: str, rows: Rows, n_made: int, seconds: float) -> None:
    """Print what became of every image, how many a second, and why others failed."""
    reasons = Counter(str(line["error"]) for line in rows if line["error"])
    n_failed = sum(reasons.values())
    n_prompts = len({order(line["image_id"])[0] for line in rows})
    print(f"{name}: {n_prompts} prompts, {len(rows)} images = {len(rows) - n_failed} generated + {n_failed} failed")
    print(f"{name}: {n_made} made now, {n_made / seconds:.2f} a second, and {len(rows) - n_made} kept from before")
    for reason, count in reasons.most_common():
        print(f"{name}: {count} failed: {reason}")
