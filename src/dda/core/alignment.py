"""Dual alignment of a reconstruction with its real: pixel domain first, then the real's own JPEG compression."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dda.core.jpeg import JpegFacts, encode_jpeg

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Recipe:
    """What is done to one pair: the share of the real's pixels in the fake, and whether its compression is matched."""

    real_weight: float
    match_jpeg: bool


def draw_recipe(
    rng: np.random.Generator,
    mix_probability: float,
    max_real_weight: float,
    jpeg_probability: float,
) -> Recipe:
    """A random recipe: with `mix_probability` a real weight ~ U(0, max_real_weight) (paper, eq. 3), else 0."""
    mixed, weight, matched = (
        rng.random(),
        rng.uniform(0.0, max_real_weight),
        rng.random(),
    )
    return Recipe(weight if mixed < mix_probability else 0.0, matched < jpeg_probability)


def mix_pixels(real: Pixels, fake: Pixels, real_weight: float) -> Pixels:
    """`real_weight * real + (1 - real_weight) * fake`, rounded; uint8 of one shape. 0 gives the fake, 1 the real."""
    mixed = real_weight * real.astype(np.float32) + (1.0 - real_weight) * fake.astype(np.float32)
    return np.rint(mixed).astype(np.uint8)


def luminance(pixels: Pixels) -> Pixels:
    """ITU-R 601 luma of RGB uint8 (H, W, 3), as Pillow and JPEG define it: (H, W)."""
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).convert("L"))


def align_fake(real: Pixels, reconstruction: Pixels, recipe: Recipe, facts: JpegFacts | None) -> tuple[Pixels, bytes]:
    """The aligned fake of a real: its pixels before compression, and its JPEG bytes.

    `real` is (H, W, 3) or, for a greyscale real, (H, W); `reconstruction` is RGB of the same size. The bytes are empty
    where the real is no JPEG (`facts` None) or the recipe leaves compression alone: such a fake is stored losslessly.
    """
    fake = luminance(reconstruction) if real.ndim == 2 else reconstruction
    pixels = mix_pixels(real, fake, recipe.real_weight)
    matched = recipe.match_jpeg and facts is not None
    return pixels, encode_jpeg(pixels, facts) if matched and facts else b""
