"""aligned pairs -> detector: weights, description, card and log in a folder of its own.    dda train embedded

A detector of a `kind` (core.kinds) learns nothing and is put in place: docs/other-detectors.md.
"""

import platform
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dda import __version__, catalog
from dda.core import calibration, descriptions, kinds, model_card, sampling
from dda.io import (
    atomic,
    detectors,
    engine,
    exports,
    launch,
    loader,
    pairs,
    placing,
    plots,
    resume,
    shards,
    tracking,
    trainer,
    versioning,
)
from dda.io.progress import shown
from dda.io.trainer import Trainer
from dda.params import Params

MAX_FPRS = (0.01, 0.05)
SHOWN_PAIRS = 8
LIBRARIES = ("torch", "timm", "peft", "accelerate", "pillow", "opencv-python-headless")


@dataclass(frozen=True)
class Job:
    """What is to be trained on what, and where it goes."""

    params: Params
    detector: str

    @cached_property
    def row(self) -> dict[str, Any]:
        """The detector's row of the catalog."""
        return catalog.get("detectors", self.detector)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The section `train` as plain values."""
        return self.params.train.model_dump()

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """Those settings that decide what is learnt."""
        return {name: value for name, value in self.settings.items() if name not in ("detectors", "exports", "machine")}

    @cached_property
    def folders(self) -> dict[str, Path]:
        """The sets of pairs, by VAE."""
        return {vae: self.params.paths.aligned / vae for vae in self.params.train.vaes}

    @cached_property
    def data(self) -> dict[str, str]:
        """Each set's digest."""
        return {vae: pairs.digest(folder) for vae, folder in self.folders.items()}

    @property
    def scratch(self) -> Path:
        """Where the state of an unfinished run lies."""
        return self.params.paths.checkpoints / self.detector

    @property
    def output(self) -> Path:
        """The detector's folder."""
        return self.params.paths.detectors / self.detector

    @cached_property
    def fingerprint(self) -> str:
        """A digest of all that makes the run: whoever has the same may go on from its state."""
        return shards.fingerprint(self.row, self.recipe, self.data, shards.code_digest(*code()))


def code() -> tuple[Any, ...]:
    """Modules that decide what is seen and learnt: a run does not go on from the state that others left."""
    from dda.core import (
        augmentations,
        colours,
        fields,
        filters,
        losses,
        networks,
        positions,
        regions,
        schedules,
        windows,
    )
    from dda.core import views as seen
    from dda.io import backbones

    shown = (augmentations, colours, fields, filters, regions, seen, windows, loader)
    return (*shown, losses, networks, positions, sampling, schedules, backbones, engine, trainer)


def run(params: Params, detector: str) -> None:
    """Train on the train split, select the best state on the val split, write the detector's folder.

    An interrupted run goes on from its last state.
    """
    job = Job(params, detector)
    if "kind" in job.row:
        description = kinds.describe(detector, job.row, f"dda {__version__}")
        print(placing.place(description, job.output, job.folders))
        return
    launch.run(work, (job,), launch.count(params.train.machine.processes))


def work(job: Job) -> None:
    """One process's part of a run; the first one also tells, tracks and writes."""
    began = time.time()
    trained = prepare(job)
    if not trained.engine.accelerator.is_main_process:
        trained.go(tracking.silent(), lambda _: None)
        return
    per_update = trained.plan.batch_pairs * len(job.settings["views"]["scales"]) * len(pairs.SIDES)
    with (
        tracking.run(described(job), trained.progress.run_id) as tracked,
        shown(f"train {job.detector}", trained.plan.updates * per_update, "images") as advance,
    ):
        trained.progress.run_id = tracked.run_id
        trained.save()
        tracked.log_picture("views.png", sample_views(trained))
        advance(trained.progress.step * per_update)
        trained.go(tracked, advance)
        write(job, trained, run_facts(trained, began))
        tracked.log_files(job.output)
    resume.forget(job.scratch)
    print(told(job, trained))


def told(job: Job, trained: Trainer) -> str:
    """What came out, in a sentence."""
    best = trained.progress.best or {}
    early = "" if trained.progress.step == trained.plan.updates else f" (ended early, at {trained.progress.step})"
    numbers = f"balanced accuracy {best['val_balanced_accuracy']:.3f}, AUROC {best['val_auroc']:.3f}"
    kept = f"the state after step {best['step']} of {trained.plan.updates}{early} is kept"
    return f"{job.detector}: {kept}: {numbers} on {len(trained.validation)} validation pairs"


def prepare(job: Job) -> Trainer:
    """A run at its first step, or where it was interrupted."""
    training, validation = (loader.Pairs(list(job.folders.values()), split) for split in ("train", "val"))
    counts = ("epochs", "draws_per_pair", "batch_pairs", "micro_batch_pairs", "seed")
    plan = sampling.Plan(len(training), **{name: job.settings[name] for name in counts})
    started = engine.start(job.row, job.settings)
    trained = Trainer(started, plan, training, validation, job.scratch, job.fingerprint)
    trained.resume()
    return trained


def described(job: Job) -> tracking.Description:
    """What the tracking store is told of a run: every setting, and the sets by the digests that DVC knows."""
    folders = {vae: (str(folder), versioning.recorded_digest(folder)) for vae, folder in job.folders.items()}
    data = {f"aligned-{vae}": (place, md5 or job.data[vae]) for vae, (place, md5) in folders.items()}
    commit = versioning.commit()
    tags = {"detector": job.detector, **({"mlflow.source.git.commit": commit} if commit else {})}
    return tracking.Description(f"train {job.detector}", {"detector": job.row, "train": job.recipe}, data, tags)


def sample_views(trained: Trainer) -> bytes:
    """The views of the first pairs of the run, a row for each pair; a PNG."""
    shown_views = loader.PairViews.of(trained.training, trained.engine.settings, trained.engine.input_px)
    return plots.contact_sheet([shown_views[draw] for draw in trained.plan.update(0)[:SHOWN_PAIRS]])


def run_facts(trained: Trainer, began: float) -> dict[str, Any]:
    """run.json: when, where and by what the detector was made, and where its run is tracked."""
    accelerator = trained.engine.accelerator
    ends = {"started": began, "ended": time.time()}
    return {
        "run_id": trained.progress.run_id or None,
        "tracking_uri": tracking.shown_uri() if trained.progress.run_id else None,
        "git_commit": versioning.commit(),
        "command": ["dda", *sys.argv[1:]],
        **{name: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)) for name, moment in ends.items()},
        "seconds": round(ends["ended"] - began, 1),
        "resumed_at_steps": trained.progress.resumed_at,
        "device": str(accelerator.device),
        "processes": accelerator.num_processes,
        "python": platform.python_version(),
        "versions": {"dda": __version__, **{name: version(name) for name in LIBRARIES}},
    }


def calibrated(job: Job, trained: Trainer) -> dict[str, Any]:
    """How to read the detector's score, from the validation pairs: its temperature, and thresholds by the reals."""
    logits, labels = np.array(trained.progress.best_logits), trained.validation_labels()
    n_images = {name: int(np.sum(labels == label)) for name, label in descriptions.LABELS.items()}
    return {
        "temperature": calibration.temperature(labels, logits),
        "thresholds": {str(fpr): calibration.threshold(labels, logits, fpr) for fpr in MAX_FPRS},
        "fitted_on": {"split": "val", "vaes": list(job.folders), **n_images},
    }


def describe(job: Job, trained: Trainer) -> dict[str, Any]:
    """detector.json: everything that is needed to use the weights and to know where they come from."""
    best = {name: value for name, value in (trained.progress.best or {}).items() if name != "images_per_s"}
    return {
        **descriptions.describe(job.detector, job.row, f"dda {__version__}"),
        "calibration": calibrated(job, trained),
        "data": {vae: {"pairs_sha256": digest} for vae, digest in job.data.items()},
        "training": job.recipe,
        "selected": best,
    }


def write(job: Job, trained: Trainer, facts: dict[str, Any]) -> None:
    """The detector's folder: log and run first, then card, adapter and weights, the description last; then exports."""
    trained.engine.take_weights(trained.progress.best_weights)
    description = describe(job, trained)
    atomic.write_text(job.output / trainer.LOG, trained.progress.log())
    atomic.write_json(job.output / "run.json", facts)
    detectors.save(job.output, trained.engine.network, description, model_card.detector_card(description))
    exports.add(job.output, job.params.train.exports, validation_windows(trained))


def validation_windows(trained: Trainer) -> list[Any]:
    """Windows of the first validation pairs, on which a file's logits are compared with the network's."""
    seen = loader.PairWindows(trained.validation, trained.engine.input_px)
    return [window for number in range(min(SHOWN_PAIRS, len(trained.validation))) for window in seen[number]]
