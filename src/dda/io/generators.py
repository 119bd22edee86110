"""Text-to-image pipelines of diffusers, by the facts of their rows: a prompt and a seed in, an image out."""

import inspect
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.errors import SetupError, did_you_mean
from dda.io import devices, pipelines

CLASSES = (
    "AmusedPipeline",
    "AuraFlowPipeline",
    "ChromaPipeline",
    "CogView4Pipeline",
    "Flux2KleinPipeline",
    "Flux2Pipeline",
    "FluxPipeline",
    "GlmImagePipeline",
    "HunyuanDiTPipeline",
    "Kandinsky3Pipeline",
    "Lumina2Pipeline",
    "OmniGenPipeline",
    "PixArtAlphaPipeline",
    "PixArtSigmaPipeline",
    "QwenImagePipeline",
    "SanaPipeline",
    "SanaSprintPipeline",
    "StableDiffusion3Pipeline",
    "StableDiffusionPipeline",
    "StableDiffusionXLPipeline",
    "ZImagePipeline",
)
"""Pipelines that take a prompt and need nothing else: no other name of diffusers is ever looked up."""
PRECISIONS = ("float32", "bfloat16", "float16")
NOT_FINITE = "the generator gave values that are not finite"
FAILURES = (ValueError, RuntimeError, IndexError, KeyError)
"""What pipelines raise over one prompt; a TypeError would be a wrong word of the call, which is checked before."""
Row = Mapping[str, Any]


class GenerationFailed(Exception):
    """One image could not be made; the message is the reason."""


class Generator:
    """A pipeline on a device, and the words of its call."""

    def __init__(self, row: Row, device: str, offload: bool) -> None:
        """Load it; `offload` keeps on a GPU only the part at work.

        No safety checker is loaded (it would put black images in the place of some) and no watermark is added.
        Raises SetupError where the weights are out of reach or do not fit the row.
        """
        kind = pipeline_class(row["class"])
        self.words = call_words(row, kind)
        self.pipeline = _read(row, kind)
        self.pipeline.set_progress_bar_config(disable=True)
        if offload and device.startswith("cuda"):
            self.pipeline.enable_model_cpu_offload(device=device)
        else:
            self.pipeline.to(device)

    def generate(self, prompt: str, seed: int) -> NDArray[np.uint8]:
        """One image of a prompt, RGB, (H, W, 3). All noise is drawn on the CPU, from the seed alone.

        torch's own generators are seeded too, for parts that take none (language models that sample tokens).
        Raises GenerationFailed with the reason, and SetupError where memory does not suffice: it never would.
        """
        import torch

        torch.manual_seed(seed)
        noise = torch.Generator("cpu").manual_seed(seed)
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = self.pipeline(prompt=prompt, generator=noise, output_type="np", **self.words)
        except (*FAILURES, MemoryError) as error:
            if devices.out_of_memory(error):
                raise SetupError(_too_large(self.words)) from error
            raise GenerationFailed((str(error).strip() or type(error).__name__).splitlines()[0]) from error
        return rounded(np.asarray(made.images[0], np.float32))


def rounded(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values in [0, 1] as the nearest grey levels. Raises GenerationFailed where some are not finite."""
    if not np.isfinite(values).all():
        raise GenerationFailed(NOT_FINITE)
    return np.asarray(np.rint(values.clip(0, 1) * 255), np.uint8)


@lru_cache(maxsize=1)
def loaded(facts: tuple[tuple[str, Any], ...], offload: bool) -> Generator:
    """The generator of a row's facts (`facts_of`) on this process's device; the last one is kept for the next shard."""
    row = {key: dict(value) if key == "options" and value else value for key, value in facts}
    return Generator(row, devices.best(), offload)


def facts_of(row: Row) -> tuple[tuple[str, Any], ...]:
    """A row as items that can be hashed."""
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    options: Mapping[str, Any] = row.get("options") or {}
    return tuple(sorted((plain | {"options": tuple(sorted(options.items()))}).items()))


def pipeline_class(name: str) -> Any:
    """The pipeline of that name. Raises SetupError for one that is not allowed, or that this diffusers lacks."""
    if name not in CLASSES:
        known = did_you_mean(name, CLASSES)
        raise SetupError(
            f"{name!r} is no text-to-image pipeline that may be loaded. {known} Correct {pipelines.CATALOG}"
        )
    import diffusers

    kind = getattr(diffusers, name, None)
    if kind is None:
        raise SetupError(f"diffusers {diffusers.__version__} has no {name}: install another version, or another class")
    return kind


def call_words(row: Row, kind: Any) -> dict[str, Any]:
    """The words of the pipeline's call. Raises SetupError for one that it does not know."""
    width, height = row.get("size") or (None, None)
    words = {"num_inference_steps": row.get("steps"), "guidance_scale": row.get("guidance")}
    words |= {"width": width, "height": height, **(row.get("options") or {})}
    given = {word: value for word, value in words.items() if value is not None}
    known = inspect.signature(kind.__call__).parameters
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        raise SetupError(f"{kind.__name__} takes no {unknown[0]!r}: correct `options` in {pipelines.CATALOG}")
    if "clean_caption" in known:
        given.setdefault("clean_caption", False)  # else it changes prompts where some package is installed
    return given


def _read(row: Row, kind: Any) -> Any:
    """The pipeline of a row's folder."""
    import torch
    from diffusers.utils import logging as diffusers_logging
    from safetensors import SafetensorError
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
    if row["precision"] not in PRECISIONS:
        raise SetupError(f"no precision {row['precision']!r}. {did_you_mean(row['precision'], PRECISIONS)}")
    folder = pipelines.fetch(row)
    options: dict[str, Any] = {"torch_dtype": getattr(torch, row["precision"]), "variant": _variant(row, folder)}
    asked = inspect.signature(kind.__init__).parameters
    if "safety_checker" in asked:
        options |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    if "add_watermarker" in asked:
        options["add_watermarker"] = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return kind.from_pretrained(folder, use_safetensors=True, local_files_only=True, **options)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RuntimeError, SafetensorError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(". ")
        where = row.get("source") or row["path"]
        raise SetupError(f"cannot load the generator from {where}: {first}: correct its row, or get it anew") from error


def _variant(row: Row, folder: Any) -> str | None:
    """The row's variant where the folder has any weights of it: diffusers refuses one that is nowhere."""
    names = (path.name for path in folder.rglob("*.safetensors"))
    found = any(pipelines.variant_of(name) == row.get("variant") for name in names)
    return row.get("variant") if found else None


def _too_large(words: Mapping[str, Any]) -> str:
    size = f"{words.get('width', '?')}x{words.get('height', '?')}"
    return (
        f"memory does not suffice for one image of {size}: set generate.offload, take a device with more memory, "
        f"or give the row a smaller `size` in {pipelines.CATALOG}"
    )
