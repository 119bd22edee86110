"""detector x benchmark -> predictions: a row per image and protocol.    dda evaluate embedded aligned-tiny"""

from typing import Any

from dda import catalog
from dda.core import protocols
from dda.core.errors import SetupError, did_you_mean
from dda.io import inference, layouts, predictions, worst
from dda.io.detectors import Detector
from dda.io.progress import shown
from dda.params import Params
from dda.params.sections import Evaluate

ALIGNED = "aligned-"


def run(params: Params, detector: str, benchmark: str) -> None:
    """Judge every image of a benchmark once: a VAE's held-out pairs (`aligned-<vae>`), or a folder.

    What earlier runs found out of the same detector and the same bytes is taken over, also after an interruption.
    """
    images = list(images_of(params, benchmark))
    if not images:
        raise SetupError(f"benchmark {benchmark!r} holds no image")
    settings = params.evaluate
    judge = Detector.load(params.paths.detectors / detector, precision=settings.precision)
    path = predictions.path_of(params.paths.predictions, detector, benchmark)
    parts = predictions.Parts(params.paths.checkpoints / "predictions" / detector / benchmark, path)
    with shown(f"evaluate {detector} on {benchmark}", len(images) * len(settings.protocols), "images") as advance:
        counts = inference.run(judge, question(settings), images, parts, advance)
    worst.write(path, images, settings.max_pixels)
    print(told(f"{detector} on {benchmark}", len(images), settings, counts))


def question(settings: Evaluate) -> inference.Question:
    """What a detector is asked, from the section `evaluate`."""
    asked = tuple(map(protocols.parse, settings.protocols))
    return inference.Question(asked, settings.views, settings.seed, settings.max_pixels, settings.batch_images)


def told(name: str, n_images: int, settings: Evaluate, counts: inference.Counts) -> str:
    """What became of the images, in a sentence whose counts add up."""
    under = "" if len(settings.protocols) == 1 else f" under {len(settings.protocols)} protocols"
    kept = f" ({counts.known} of them before)" if counts.known else ""
    return f"{name}: {n_images} images{under} = {counts.judged} judged{kept} + {counts.failed} unreadable"


def images_of(params: Params, benchmark: str) -> Any:
    """The labelled images of a benchmark. Raises SetupError where neither a VAE of ours nor the catalog knows it."""
    if benchmark.startswith(ALIGNED):
        vae = benchmark.removeprefix(ALIGNED)
        if vae not in params.reconstruct.vaes:
            raise SetupError(f"no aligned set of {vae!r}. {did_you_mean(vae, params.reconstruct.vaes)}")
        return layouts.aligned(params.paths.aligned / vae, "test")
    row = catalog.get("benchmarks", benchmark)
    return layouts.labelled(row, params.paths.benchmarks / benchmark)
