"""detector x benchmark -> predictions: a row per image.    dda evaluate embedded aligned-tiny"""

from itertools import islice
from typing import Any

from dda import catalog
from dda.core.errors import SetupError, did_you_mean
from dda.io import layouts, photos, tables
from dda.io.detectors import Detector
from dda.io.layouts import LabelledImage
from dda.io.progress import tracked
from dda.params import Params

ALIGNED = "aligned-"
PROTOCOL = "native"
COLUMNS = {
    "image_id": "str",
    "cluster": "str",
    "generator": "str",
    "label": "Int64",
    "protocol": "str",
    "logit": "Float64",
    "width": "Int64",
    "height": "Int64",
    "error": "str",
}


def run(params: Params, detector: str, benchmark: str) -> None:
    """Judge every image of a benchmark once: a VAE's held-out pairs (`aligned-<vae>`), or a folder with classes."""
    images = list(images_of(params, benchmark))
    if not images:
        raise SetupError(f"benchmark {benchmark!r} holds no image")
    judge = Detector.load(params.paths.detectors / detector)
    rows: list[dict[str, Any]] = []
    size = params.evaluate.batch_images
    waiting = iter(images)
    for _ in tracked(range(0, len(images), size), f"evaluate {detector} on {benchmark}"):
        rows += judged(judge, list(islice(waiting, size)), params.evaluate.max_pixels)
    path = params.paths.predictions / detector / f"{benchmark}.parquet"
    tables.write(path, rows, COLUMNS)
    failed = sum(row["error"] is not None for row in rows)
    print(f"{detector} on {benchmark}: {len(rows)} images = {len(rows) - failed} judged + {failed} unreadable")


def images_of(params: Params, benchmark: str) -> Any:
    """The labelled images of a benchmark. Raises SetupError where neither a VAE of ours nor the catalog knows it."""
    if benchmark.startswith(ALIGNED):
        vae = benchmark.removeprefix(ALIGNED)
        if vae not in params.reconstruct.vaes:
            raise SetupError(f"no aligned set of {vae!r}. {did_you_mean(vae, params.reconstruct.vaes)}")
        return layouts.aligned(params.paths.aligned / vae, "test")
    row = catalog.get("benchmarks", benchmark)
    return layouts.labelled(row, params.paths.benchmarks / benchmark)


def judged(judge: Detector, images: list[LabelledImage], max_pixels: int) -> list[dict[str, Any]]:
    """The rows of one batch; an unreadable image keeps its row, with the reason."""
    rows, readable = [], []
    for image in images:
        row: dict[str, Any] = {
            "image_id": image.image_id,
            "cluster": image.cluster,
            "generator": image.generator,
        }
        row |= {"label": image.label, "protocol": PROTOCOL, "error": None}
        rows.append(row)
        try:
            pixels = photos.decode_any(image.read(), max_pixels)
        except (photos.PhotoRejected, ValueError) as rejection:
            row["error"] = str(rejection)
            continue
        row |= {"height": pixels.shape[0], "width": pixels.shape[1]}
        readable.append((row, pixels))
    if readable:
        for (row, _), logit in zip(readable, judge.logits([pixels for _, pixels in readable]), strict=True):
            row["logit"] = logit
    return rows
