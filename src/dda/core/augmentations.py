"""What training does to the views of a pair: how it is drawn, which part of an image it needs, and doing it.

Demand-driven: from the crop backwards every operation says which region of its input it needs; then only those are
computed. So they may stand in any order. An augmentation is drawn as operations, of which it has one or several.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dda.core import colours, fields, filters
from dda.core.regions import Region
from dda.core.seeds import fraction, generator

Pixels = NDArray[np.uint8]
Values = Mapping[str, Any]
SMALL_PX = 64
FACTOR_STEP = 1 / 256
"""Factors are multiples of it, for the reason that `dda.core.colours` gives."""


@dataclass(frozen=True)
class Operation:
    """One thing done to pixels: one of KINDS, with the values that were drawn for it."""

    name: str
    values: Values


def _same(region: Region, **_: Any) -> Region:
    return region


@dataclass(frozen=True)
class Kind:
    """How an operation is done: `apply` takes pixels and the operation's values.

    Where there is a `field`, that takes the region and the values, and `apply` takes pixels and what it gave: the same
    for all images that have this region. `needed` is the region of its input that a region of its output needs, `moved`
    where a region of its input lies in its output. What `recolours` changes the mean of an image, the rest only moves
    or mixes pixels.
    """

    apply: Callable[..., Pixels]
    needed: Callable[..., Region] = _same
    moved: Callable[..., Region] = _same
    field: Callable[..., Any] | None = None
    recolours: bool = False


def _jpeg_needs(region: Region, **_: Any) -> Region:
    return region.grown(filters.CHROMA_REACH_PX).aligned(filters.MCU_PX)


def _blur_needs(region: Region, **_: Any) -> Region:
    return region.grown(filters.BLUR_REACH_PX)


def _sharpen_needs(region: Region, sigma: float, **_: Any) -> Region:
    return region.grown(filters.sharpen_reach(sigma))


def flip_horizontally(pixels: Pixels) -> Pixels:
    """Mirrored left to right."""
    import cv2

    return np.asarray(cv2.flip(pixels, 1), np.uint8)


def flip_vertically(pixels: Pixels) -> Pixels:
    """Mirrored upside down."""
    import cv2

    return np.asarray(cv2.flip(pixels, 0), np.uint8)


def turn(pixels: Pixels, quarters: int) -> Pixels:
    """Turned so many quarters to the left."""
    return np.ascontiguousarray(np.rot90(pixels, quarters))


def _turned(region: Region, quarters: int) -> Region:
    return region.turned(quarters)


def _turn_needs(region: Region, quarters: int) -> Region:
    return region.turned(-quarters)


KINDS: Mapping[str, Kind] = {
    "jpeg": Kind(filters.jpeg, _jpeg_needs),
    "flip_horizontally": Kind(flip_horizontally, Region.mirrored_horizontally, Region.mirrored_horizontally),
    "flip_vertically": Kind(flip_vertically, Region.mirrored_vertically, Region.mirrored_vertically),
    "turn": Kind(turn, _turn_needs, _turned),
    "noise": Kind(fields.add, field=fields.noise_at, recolours=True),
    "pepper": Kind(fields.keep, field=fields.unpeppered_at, recolours=True),
    "blur": Kind(filters.blur, _blur_needs),
    "sharpen": Kind(filters.sharpen, _sharpen_needs),
    "brightness": Kind(colours.brightness, recolours=True),
    "contrast": Kind(colours.contrast, recolours=True),
    "saturation": Kind(colours.saturation, recolours=True),
    "hue": Kind(colours.hue, recolours=True),
    "to_grey": Kind(colours.to_grey, recolours=True),
    "invert": Kind(colours.invert, recolours=True),
    "permute_channels": Kind(colours.permute_channels, recolours=True),
}


def final_region(operations: Sequence[Operation], height: int, width: int) -> Region:
    """All of what an image of this size becomes."""
    region = Region.whole(height, width)
    for one in operations:
        region = KINDS[one.name].moved(region, **one.values)
    return region


def places_needed(operations: Sequence[Operation], wanted: Region) -> list[Region]:
    """The region that each operation reads, and at last the one that is wanted of the final image."""
    places = [wanted]
    for one in reversed(operations):
        places.append(KINDS[one.name].needed(places[-1], **one.values))
    return places[::-1]


def apply(operation: Operation, images: Sequence[Pixels], place: Region) -> list[Pixels]:
    """What an operation makes of images, each the pixels of the same region of its input.

    Wrong where it looks beyond that region.
    """
    kind = KINDS[operation.name]
    values = {"field": kind.field(place, **operation.values)} if kind.field else operation.values
    return [kind.apply(pixels, **values) for pixels in images]


def augmented(operations: Sequence[Operation], images: Sequence[Pixels], places: Sequence[Region]) -> list[Pixels]:
    """The last of `places_needed`, from the pixels of each image that cover the first."""
    for one, place, wanted in zip(operations, places, places[1:], strict=False):
        covering = KINDS[one.name].moved(place, **one.values)
        images = [wanted.cut(pixels, covering) for pixels in apply(one, images, place)]
    return list(images)


def with_level(operations: Sequence[Operation], photo: Image.Image) -> tuple[Operation, ...]:
    """The operations, contrast now about the mean luma that the real photo has by then: one number for all views.

    Measured on a small copy of the photo, which goes through all that recolours before.
    """
    for number, one in enumerate(operations):
        if one.name == "contrast":
            level = _mean_luma(operations[:number], photo)
            settled = replace(one, values={**one.values, "level": level})
            return (*operations[:number], settled, *operations[number + 1 :])
    return tuple(operations)


def _mean_luma(operations: Sequence[Operation], photo: Image.Image) -> float:
    whole = Region.whole(SMALL_PX, SMALL_PX)
    pixels = whole.read(photo.resize((SMALL_PX, SMALL_PX), Image.Resampling.BOX))
    for one in operations:
        if KINDS[one.name].recolours:
            (pixels,) = apply(one, [pixels], whole)
    return float(colours.luma(pixels).mean())


def draw_operations(settings: Sequence[Values], seed: int) -> tuple[Operation, ...]:
    """What happens to a pair, from its seed: each of `settings` has the name `augment`, its `probability`, its ranges.

    Every augmentation draws for itself, by its name, so that adding one changes no other.
    """
    drawn: list[Operation] = []
    for chosen in settings:
        name = chosen["augment"]
        if fraction(seed, "whether", name) < chosen["probability"]:
            drawn += DRAWS[name](chosen, generator(seed, "how", name)) if name in DRAWS else [Operation(name, {})]
    return tuple(drawn)


def _draw_jpeg(chosen: Values, rng: np.random.Generator) -> list[Operation]:
    lowest, highest = chosen["quality"]
    return [Operation("jpeg", {"quality": int(rng.integers(lowest, highest, endpoint=True))})]


def _draw_noise(chosen: Values, rng: np.random.Generator) -> list[Operation]:
    return [Operation("noise", {"sigma": float(chosen["sigma"]), "seed": int(rng.integers(2**63))})]


def _draw_pepper(chosen: Values, rng: np.random.Generator) -> list[Operation]:
    return [Operation("pepper", {"share": float(rng.uniform(*chosen["share"])), "seed": int(rng.integers(2**63))})]


def _draw_blur(chosen: Values, rng: np.random.Generator) -> list[Operation]:
    kind = chosen["kinds"][rng.integers(len(chosen["kinds"]))]
    return [Operation("blur", {"kind": kind, "direction": float(rng.random())})]


def _draw_sharpen(chosen: Values, rng: np.random.Generator) -> list[Operation]:
    values = {"sigma": float(chosen["sigma"]), "factor": _factor(rng, *chosen["factor"])}
    return [Operation("sharpen", values)]


def _draw_jitter(chosen: Values, rng: np.random.Generator) -> list[Operation]:
    drawn = [
        Operation(name, {"factor": _factor(rng, 1 - chosen[name], 1 + chosen[name])})
        for name in ("brightness", "contrast", "saturation")
    ]
    drawn.append(Operation("hue", {"shift": float(rng.uniform(-chosen["hue"], chosen["hue"]))}))
    return [drawn[number] for number in rng.permutation(len(drawn))]


def _draw_turn(_: Values, rng: np.random.Generator) -> list[Operation]:
    return [Operation("turn", {"quarters": int(rng.integers(4))})]


def _draw_order(_: Values, rng: np.random.Generator) -> list[Operation]:
    return [Operation("permute_channels", {"order": tuple(map(int, rng.permutation(3)))})]


def _factor(rng: np.random.Generator, lowest: float, highest: float) -> float:
    return round(float(rng.uniform(lowest, highest)) / FACTOR_STEP) * FACTOR_STEP


DRAWS: Mapping[str, Callable[[Values, np.random.Generator], list[Operation]]] = {
    "jpeg": _draw_jpeg,
    "noise": _draw_noise,
    "pepper": _draw_pepper,
    "blur": _draw_blur,
    "sharpen": _draw_sharpen,
    "jitter_colour": _draw_jitter,
    "turn": _draw_turn,
    "permute_channels": _draw_order,
}
"""How values are drawn for the augmentations that have any."""
