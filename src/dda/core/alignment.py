"""Dual alignment of a reconstruction with its real: steps in a chosen order, each a function named by what it does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dda.core import bands
from dda.core.jpeg import JpegFacts, encode_jpeg, ijg_facts
from dda.core.seeds import generator

Pixels = NDArray[np.uint8]
MATCH_JPEG = "match_jpeg"


@dataclass(frozen=True)
class Step:
    """One thing done to a fake: the name of its function and, where it was drawn, with what settings."""

    name: str
    settings: Mapping[str, Any]


Recipe = Sequence[Step]


def mix_pixels(real: Pixels, fake: Pixels, real_weight: float) -> Pixels:
    """`real_weight * real + (1 - real_weight) * fake`, rounded; uint8 of one shape. 0 gives the fake, 1 the real."""
    import cv2

    return np.asarray(cv2.addWeighted(real, real_weight, fake, 1.0 - real_weight, 0.0), np.uint8)


PIXEL_STEPS: Mapping[str, Callable[..., Pixels]] = {
    "mix_pixels": mix_pixels,
    "mix_bands": bands.mix_bands,
    "mix_frequencies": bands.mix_frequencies,
    "equalise_bands": bands.equalise_bands,
    "copy_clipped": bands.copy_clipped,
}
"""What can be done to pixels: (real, fake, **settings) -> fake."""


def draw_recipe(settings: Sequence[Mapping[str, Any]], seed: int, *names: str) -> Recipe:
    """What is done to one fake, from the seed and its names alone (image id, variant).

    Each of `settings` has a `step`, its `probability`, and what else its function takes; a `real_weight` is a range,
    (lowest, highest), from which one is drawn evenly (paper, eq. 3: 0 to R). Every step draws for itself, so that
    adding one changes no other.
    """
    steps = []
    for chosen in settings:
        known = {key: value for key, value in chosen.items() if key not in ("step", "probability")}
        lowest, highest = known.get("real_weight", (0.0, 0.0))
        if chosen["probability"] < 1.0 or lowest < highest:  # to begin a generator takes longer than to draw from it
            rng = generator(seed, "align", chosen["step"], *names)
            if rng.random() >= chosen["probability"]:
                continue
            lowest = float(rng.uniform(lowest, highest))
        steps.append(Step(chosen["step"], known | ({"real_weight": lowest} if "real_weight" in known else {})))
    return steps


def luminance(pixels: Pixels) -> Pixels:
    """ITU-R 601 luma of RGB uint8 (H, W, 3), as Pillow and JPEG define it: (H, W)."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def align_fake(real: Pixels, reconstruction: Pixels, recipe: Recipe, facts: JpegFacts | None) -> tuple[Pixels, bytes]:
    """The aligned fake of a real: pixels, and the JPEG bytes that hold them where compression came last, else none.

    `real` is (H, W, 3) or, for a greyscale real, (H, W); `reconstruction` is RGB of the same size. Where the real is no
    JPEG (`facts` None), matching its compression is to leave the fake uncompressed. The pixels are those before a
    compression that came last.
    """
    fake, content = luminance(reconstruction) if real.ndim == 2 else reconstruction, b""
    for step in recipe:
        if step.name == MATCH_JPEG and facts is None:
            continue
        if content:
            fake = np.asarray(Image.open(BytesIO(content)))
        if step.name == MATCH_JPEG and facts:
            content = match_jpeg(fake, facts, **step.settings)
        else:
            fake, content = PIXEL_STEPS[step.name](real, fake, **step.settings), b""
    return fake, content


def match_jpeg(fake: Pixels, facts: JpegFacts, by: str) -> bytes:
    """`fake` compressed as its real was, as JPEG bytes.

    By `tables`: exactly, with the real's own tables, subsampling and scan order. By `quality`: as published, with the
    tables of the IJG quality nearest to the real's, 4:2:0, baseline.
    """
    return encode_jpeg(fake, facts if by == "tables" else ijg_facts(facts.quality, greyscale=fake.ndim == 2))
