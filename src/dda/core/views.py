"""What a detector learns from: views of a pair, each image at several scales, augmented alike and cut.

The views of a pair are scaled, then augmented, then cut, as the released code does it, real and fake by the same random
choices. Computed crop first: only what the crop needs is resized and augmented, with the margins that the
augmentations look into. The result is the crop of the full-size computation, exactly but for the resampling.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dda.core.augmentations import (
    Operation,
    augmented,
    draw_operations,
    final_region,
    places_needed,
    with_level,
)
from dda.core.regions import Region
from dda.core.seeds import fraction
from dda.core.windows import centred, window_region

Pixels = NDArray[np.uint8]
KERNELS = {kernel.name.lower(): kernel for kernel in Image.Resampling}
"""Pillow's kernels by name: nearest, box, bilinear, hamming, bicubic, lanczos."""


@dataclass(frozen=True)
class Scale:
    """How one view of each image is resized: by this factor, with this kernel; not at all where the factor is 1."""

    factor: float
    kernel: str


@dataclass(frozen=True)
class Drawn:
    """All that is random in the views of one pair.

    `top` and `left` in [0, 1] place the crop between the edges of each augmented image.
    """

    scales: tuple[Scale, ...]
    operations: tuple[Operation, ...]
    top: float
    left: float


def draw(settings: Mapping[str, Any], rng: np.random.Generator) -> Drawn:
    """What happens to one pair: `scales` (ranges of the factor), `kernels` and `augmentations` as in params.yaml.

    Takes one number from `rng`. Every scale and every augmentation draws for itself: adding one changes no other.
    """
    seed = int(rng.integers(2**63))
    scales = [_draw_scale(seed, n, limits, settings["kernels"]) for n, limits in enumerate(settings["scales"])]
    operations = draw_operations(settings["augmentations"], seed)
    return Drawn(tuple(scales), operations, fraction(seed, "top"), fraction(seed, "left"))


def _draw_scale(seed: int, number: int, limits: Sequence[float], kernels: Sequence[str]) -> Scale:
    share, chosen = fraction(seed, "factor", str(number)), fraction(seed, "kernel", str(number))
    return Scale(limits[0] + share * (limits[1] - limits[0]), kernels[int(chosen * len(kernels))])


def views_of(images: Sequence[Image.Image | Pixels], drawn: Drawn, size_px: int) -> list[Pixels]:
    """Every image at every scale, augmented and cut to (size, size, 3): [real, fake, smaller real, smaller fake, ...].

    `images` are RGB, the real first: contrast is about its mean luma in all views. What is smaller than the crop lies
    in the middle, on black that no augmentation has touched.
    """
    opened = [image if isinstance(image, Image.Image) else Image.fromarray(image) for image in images]
    settled = replace(drawn, operations=with_level(drawn.operations, opened[0]))
    alike = [list(group) for _, group in groupby(opened, attrgetter("size"))]
    return [view for scale in drawn.scales for group in alike for view in _views(group, scale, settled, size_px)]


def _views(images: Sequence[Image.Image], scale: Scale, drawn: Drawn, size_px: int) -> list[Pixels]:
    """Of images of one size, so that what depends on places only is computed once for all."""
    height, width = scaled_size(images[0].height, scale.factor), scaled_size(images[0].width, scale.factor)
    final = final_region(drawn.operations, height, width)
    wanted = window_region(final, size_px, drawn.top, drawn.left)
    places = places_needed(drawn.operations, wanted)
    resized = [scaled(image, scale, places[0]) for image in images]
    return [centred(pixels, size_px) for pixels in augmented(drawn.operations, resized, places)]


def scaled_size(side_px: int, factor: float) -> int:
    """A side of the resized image: the nearest whole number, at least one."""
    return max(1, round(side_px * factor))


def scaled(image: Image.Image, scale: Scale, region: Region) -> Pixels:
    """A region of the resized image, which itself is not computed: (H, W, 3)."""
    if scale.factor == 1.0:
        return region.read(image)
    edges = (region.left, region.top, region.left + region.width, region.top + region.height)
    x, y = image.width / region.image_width, image.height / region.image_height
    box = (edges[0] * x, edges[1] * y, min(image.width, edges[2] * x), min(image.height, edges[3] * y))
    resized = image.resize((region.width, region.height), KERNELS[scale.kernel], box)
    return Region.whole(region.height, region.width).read(resized)
