"""The sections of params.yaml: which keys there are, and what each may be."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from dda.catalog.names import Generators, Vaes
from dda.params.evaluation import Evaluate
from dda.params.promotion import Promote
from dda.params.steps import Count, Section, Seed, Share, Steps
from dda.params.training import Train

Samples = Annotated[int, Field(ge=100, strict=True)]
Auroc = Annotated[float, Field(ge=0.5, le=1)]


def _relative(path: Path) -> Path:
    if path.is_absolute() or ".." in path.parts or path == Path():
        raise ValueError(f"must lie below the project's root, without '..': {str(path)!r}")
    return path


def _grouping(pattern: re.Pattern[str]) -> re.Pattern[str]:
    if pattern.groups < 1:
        raise ValueError(f"{pattern.pattern!r} needs a group in brackets")
    return pattern


Place = Annotated[Path, AfterValidator(_relative)]
Pattern = Annotated[re.Pattern[str], AfterValidator(_grouping)]


class Paths(Section):
    """Where things lie, seen from the project's root; dvc.yaml reads the same lines."""

    photos: Place
    rejected: Place
    downloads: Place
    benchmarks: Place
    index: Place
    reconstructions: Place
    aligned: Place
    checkpoints: Place
    audits: Place
    documents: Place
    detectors: Place
    generated: Place
    predictions: Place
    reports: Place


class Fractions(Section):
    """Each split's share of the groups."""

    train: Share
    val: Share
    test: Share

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        if abs(self.train + self.val + self.test - 1) > 1e-6:
            raise ValueError(f"must sum to 1, not to {self.train + self.val + self.test:g}")
        return self


class Index(Section):
    """Which photos are used, and how they are split."""

    seed: Seed
    group_pattern: Pattern
    fractions: Fractions
    min_side_px: Count
    max_pixels: Count
    max_failed: Share


class Tiles(Section):
    """Which photos pass through the VAE in overlapping tiles, and how large these are."""

    tile_above_pixels: Count
    tile_px: Annotated[int, Field(ge=256, multiple_of=64)]
    overlap_px: Annotated[int, Field(ge=64, multiple_of=64)]

    @model_validator(mode="after")
    def _overlap_in_part(self) -> Self:
        if 2 * self.overlap_px > self.tile_px:
            raise ValueError(f"overlap_px must be at most half of tile_px: {self.overlap_px} of {self.tile_px}")
        return self


class Reconstruct(Section):
    """Which VAEs, and how photos pass through them; `executor` and `cpus_per_worker` change nothing in the result."""

    vaes: Vaes
    fit: Literal["pad", "crop"]
    posterior: Literal["mode", "sample"]
    seed: Seed
    precision: Literal["auto", "float32", "bfloat16", "float16"]
    compile: bool
    shards: Count
    batch_pixels: Count
    tiles: Tiles
    executor: Literal["local", "ray"]
    cpus_per_worker: Count
    max_failed: Share


class AlignSettings(Section):
    """How many fakes are made of each reconstruction, and what is done to each, in this order."""

    variants: Count
    steps: Steps


class Align(Section):
    """Settings for pairs that train, and for pairs held out (val and test)."""

    seed: Seed
    shards_per_split: Count
    max_failed: Share
    train: AlignSettings
    held_out: AlignSettings


class Limits(Section):
    """The largest AUROC that each probe may reach on aligned pairs; 0.5 says nothing about the class."""

    file_facts: Auroc
    file_size: Auroc
    pixel_statistics: Auroc
    block_grid: Auroc
    spectrum: Auroc


class Audit(Section):
    """Limits of the audit, and how many pairs are probed with what certainty."""

    min_pairs_per_split: Count
    max_unmatched: Share
    min_psnr_db: Annotated[float, Field(ge=0)]
    seed: Seed
    probed_pairs: Count
    bootstrap_samples: Samples
    gallery_pairs: Count
    limits: Limits


class Generate(Section):
    """Which generators draw which prompts; `executor`, `cpus_per_worker` and `offload` are the machine's."""

    generators: Generators
    prompts: Path
    images_per_prompt: Count
    seed: Seed
    jpeg_quality: Annotated[int, Field(ge=1, le=100, strict=True)]
    shards: Count
    executor: Literal["local", "ray"]
    cpus_per_worker: Count
    offload: bool
    max_failed: Share


class Report(Section):
    """How numbers get their intervals, and how many pairs are shown."""

    seed: Seed
    bootstrap_samples: Samples
    gallery_pairs: Count
    difference_gain: Annotated[float, Field(gt=0)]


class Params(Section):
    """Every choice and number of the project: a section per stage, and `promote` for what follows the last one."""

    paths: Paths
    index: Index
    reconstruct: Reconstruct
    align: Align
    audit: Audit
    train: Train
    generate: Generate
    evaluate: Evaluate
    report: Report
    promote: Promote
