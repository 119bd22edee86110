"""What may stand in `train.views`: the scales of a pair's views, and each kind of augmentation with its settings."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dda.params.steps import Section, Share, rising

Factor = Annotated[float, Field(gt=0, le=8)]
Scale = Annotated[tuple[Factor, Factor], AfterValidator(rising)]
Kernel = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Quality = Annotated[int, Field(ge=1, le=100, strict=True)]
Qualities = Annotated[tuple[Quality, Quality], AfterValidator(rising)]
Shares = Annotated[tuple[Share, Share], AfterValidator(rising)]
Strength = Annotated[float, Field(ge=0, le=8)]
Strengths = Annotated[tuple[Strength, Strength], AfterValidator(rising)]
GreyLevels = Annotated[float, Field(gt=0, le=255)]
BlurSigma = Annotated[float, Field(gt=0, le=10)]
BlurKind = Literal["gaussian_3", "gaussian_5", "median_3", "motion_5"]


class Jpeg(Section):
    """Through a JPEG file, 4:2:0, of an IJG quality drawn from a range."""

    augment: Literal["jpeg"]
    probability: Share
    quality: Qualities


class FlipHorizontally(Section):
    """Mirrored left to right."""

    augment: Literal["flip_horizontally"]
    probability: Share


class FlipVertically(Section):
    """Mirrored upside down."""

    augment: Literal["flip_vertically"]
    probability: Share


class Noise(Section):
    """Gaussian noise of so many grey levels."""

    augment: Literal["noise"]
    probability: Share
    sigma: GreyLevels


class Pepper(Section):
    """A share of the pixels black, drawn from a range."""

    augment: Literal["pepper"]
    probability: Share
    share: Shares


class Blur(Section):
    """One of these kinds of blur; the number is the kernel's size in pixels."""

    augment: Literal["blur"]
    probability: Share
    kinds: Annotated[tuple[BlurKind, ...], Field(min_length=1)]


class Sharpen(Section):
    """An unsharp mask: what a Gaussian blur of `sigma` pixels takes away, added `factor` times, drawn from a range."""

    augment: Literal["sharpen"]
    probability: Share
    sigma: BlurSigma
    factor: Strengths


class JitterColour(Section):
    """Brightness, contrast and saturation times 1 - x to 1 + x, hue shifted by up to x of a turn, in any order."""

    augment: Literal["jitter_colour"]
    probability: Share
    brightness: Share
    contrast: Share
    saturation: Share
    hue: Annotated[float, Field(ge=0, le=0.5)]


class ToGrey(Section):
    """The luma in all three channels."""

    augment: Literal["to_grey"]
    probability: Share


class Turn(Section):
    """Turned by none, one, two or three quarters."""

    augment: Literal["turn"]
    probability: Share


class Invert(Section):
    """255 less each level."""

    augment: Literal["invert"]
    probability: Share


class PermuteChannels(Section):
    """Red, green and blue in any order."""

    augment: Literal["permute_channels"]
    probability: Share


Augmentation = (
    Jpeg
    | FlipHorizontally
    | FlipVertically
    | Noise
    | Pepper
    | Blur
    | Sharpen
    | JitterColour
    | ToGrey
    | Turn
    | Invert
    | PermuteChannels
)
BY_NAME = {kind.model_fields["augment"].annotation.__args__[0]: kind for kind in Augmentation.__args__}
"""Kinds of augmentations by the word that names them."""


def _once(augmentations: tuple[Augmentation, ...]) -> tuple[Augmentation, ...]:
    names = [one.augment for one in augmentations]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"names an augmentation twice: {', '.join(twice)}")
    return augmentations


class Views(Section):
    """The views of a pair: each image at every scale, resized by one of the kernels, then augmented in this order."""

    scales: Annotated[tuple[Scale, ...], Field(min_length=1)]
    kernels: Annotated[tuple[Kernel, ...], Field(min_length=1)]
    augmentations: Annotated[
        tuple[Annotated[Augmentation, Field(discriminator="augment")], ...],
        AfterValidator(_once),
    ]
