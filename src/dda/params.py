"""params.yaml as frozen sections, checked at the door: every mistake is named at once, with the nearest known word."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from dda import catalog
from dda.catalog.names import Benchmarks, Detectors, Vaes
from dda.core.errors import SetupError, did_you_mean

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, strict=True)]
Seed = Annotated[int, Field(ge=0, strict=True)]


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


class Section(BaseModel):
    """A part of the parameters: cannot be changed, knows no other keys than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Paths(Section):
    """Where things lie, seen from the project's root; dvc.yaml reads the same lines."""

    photos: Place
    rejected: Place
    downloads: Place
    benchmarks: Place
    index: Place
    reconstructions: Place
    aligned: Place
    audits: Place
    documents: Place
    detectors: Place
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
    """What is done to a pair: chances and the largest share of the real's pixels in its fake."""

    jpeg_probability: Share
    mix_probability: Share
    max_real_weight: Share


class Align(Section):
    """Settings for pairs that train, and for pairs held out (val and test)."""

    seed: Seed
    shards_per_split: Count
    max_failed: Share
    train: AlignSettings
    held_out: AlignSettings


class Audit(Section):
    """Limits of the audit."""

    min_pairs_per_split: Count
    max_unmatched: Share


class Train(Section):
    """Which detectors on which VAEs' pairs, and how."""

    detectors: Detectors
    vaes: Vaes
    seed: Seed
    epochs: Count
    windows_per_pair: Count
    batch_pairs: Count
    lr: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    warm_up: Share


class Evaluate(Section):
    """Which detectors are judged on which folder benchmarks, besides the held-out pairs of every VAE."""

    detectors: Detectors
    benchmarks: Benchmarks
    batch_images: Count
    max_pixels: Count


class Report(Section):
    """How numbers get their intervals, and how many pairs are shown."""

    seed: Seed
    bootstrap_samples: Annotated[int, Field(ge=100, strict=True)]
    gallery_pairs: Count
    difference_gain: Annotated[float, Field(gt=0)]


class Params(Section):
    """Every choice and number of the project, a section per stage."""

    paths: Paths
    index: Index
    reconstruct: Reconstruct
    align: Align
    audit: Audit
    train: Train
    evaluate: Evaluate
    report: Report


def load(path: Path) -> Params:
    """Read and check a params file. Raises SetupError with one line for each mistake."""
    if not path.is_file():
        raise SetupError(f"no {path}: run dda in the project's root, or name a file by --params")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, KeyError, RecursionError) as error:  # what PyYAML raises on odd scalars
        raise SetupError(f"{path} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise SetupError(f"{path} must hold the sections {', '.join(Params.model_fields)}; it holds {values!r:.80}")
    checked, mistakes = _validate(values)
    mistakes += _contradictions(values)
    if mistakes or checked is None:
        raise SetupError(f"{path} has {len(mistakes)} mistake(s):\n" + "\n".join(f"  {line}" for line in mistakes))
    return checked


def _validate(values: dict[Any, Any]) -> tuple[Params | None, list[str]]:
    try:
        return Params.model_validate(values), []
    except ValidationError as error:
        return None, [_sentence(mistake) for mistake in error.errors()]


def _contradictions(values: dict[Any, Any]) -> list[str]:
    """What is wrong between sections; looked for in the plain values, so that it is told beside all other mistakes."""
    made, trained = (_known_vaes(values.get(section)) for section in ("reconstruct", "train"))
    return [f"train.vaes: {vae!r} must also stand in reconstruct.vaes" for vae in trained if made and vae not in made]


def _known_vaes(section: Any) -> list[str]:
    names = section.get("vaes") if isinstance(section, dict) else None
    return [name for name in names if name in catalog.table("vaes")] if isinstance(names, list) else []


def _sentence(mistake: Any) -> str:
    place = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        *parents, key = mistake["loc"]
        return f"{place}: unknown key. {did_you_mean(str(key), _keys(parents))}"
    if mistake["type"] == "missing":
        return f"{place}: missing"
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "value_error":
        return f"{place}: {message}" if place else message
    return f"{place}: {message}, not {mistake['input']!r}"


def _keys(parents: list[Any]) -> list[str]:
    """The keys that a section knows."""
    section: Any = Params
    for parent in parents:
        section = section.model_fields[parent].annotation
    return list(section.model_fields)
